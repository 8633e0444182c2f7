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
after = now()
from fastapi_simple_security import api_key_router
print(between - began, after - between, now() - after)
"""
TEXT = """All in a process of its own each time, one after the other; CPU time. The router is made
when it is asked for. Most of its time FastAPI takes to import `pydantic.v1` for the first parameter
of a route, which an app pays with its own routes too."""


def measure(plan: Plan) -> Section:
    """Imports, and looks at the wheel."""
    taken = [_import() for _ in range(plan.of(9, 41))]
    more = spread([ours for _, ours, _ in taken])
    [wheel] = (ROOT / "target/wheels").glob("*.whl")
    size = wheel.stat().st_size / 1e6
    rows = [
        ["`import fastapi`, ms", f"{statistics.median(alone for alone, _, _ in taken):.0f}"],
        ["`import fastapi_simple_security` after it, ms", f"{more.median:.1f}"],
        ["`api_key_router` after that, ms", f"{statistics.median(each for *_, each in taken):.0f}"],
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


def _import() -> list[float]:
    """What FastAPI takes, we after it, and our router after that, in milliseconds."""
    command = ["taskset", "-c", SERVER_CORE, str(PYTHON), "-c", IMPORTS]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603, all of it is written here
    return [float(seconds) * 1e3 for seconds in run.stdout.split()]
