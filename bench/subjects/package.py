"""The Python package itself: how long its import takes, and how big its wheel is."""

import statistics
import subprocess

from figures import Aim, Plan, Section, Table, spread
from load import BENCH, ROOT, SERVER_CORE

PYTHON = BENCH / ".venv-ours/bin/python"
IMPORTS = """
from time import process_time as now
began = now()
import fastapi
between = now()
import fastapi_simple_security
print(between - began, now() - between)
"""
TEXT = """Both imports in a process of its own each time, one after the other; CPU time."""


def measure(plan: Plan) -> Section:
    """Imports, and looks at the wheel."""
    taken = [_import() for _ in range(plan.of(15, 41))]
    more = spread([ours for _, ours in taken])
    [wheel] = (ROOT / "target/wheels").glob("*.whl")
    size = wheel.stat().st_size / 1e6
    rows = [
        ["`import fastapi`, ms", f"{statistics.median(alone for alone, _ in taken):.0f}"],
        ["`import fastapi_simple_security` after it, ms", f"{more.median:.1f}"],
        ["the wheel, MB", f"{size:.2f}"],
    ]
    aims = [
        Aim(
            "`import fastapi_simple_security` over `import fastapi`",
            "at most 15 ms more",
            f"{more} ms",
            more.median <= 15,
        ),
        Aim("wheel", "at most 6 MB", f"{size:.2f} MB", size <= 6),
    ]
    return Section("The package", TEXT, [Table(["", ""], rows)], aims)


def _import() -> tuple[float, float]:
    """What FastAPI takes, and what we take after it, in milliseconds."""
    command = ["taskset", "-c", SERVER_CORE, str(PYTHON), "-c", IMPORTS]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603, all of it is written here
    alone, ours = (float(seconds) * 1e3 for seconds in run.stdout.split())
    return alone, ours
