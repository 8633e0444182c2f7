"""The Python package itself: how long its import takes, and how big its wheel is."""

import os
import statistics
import subprocess
from functools import partial

from figures import Aim, Plan, Section, Table, in_turn, spread
from load import BENCH, ROOT, SERVER_CORE

PYTHON = BENCH / ".venv-ours/bin/python"
TEXT = """Each import in a process of its own, in turn; the CPU time of the process."""


def measure(plan: Plan) -> Section:
    """Imports, and looks at the wheel."""
    measures = {name: partial(_import, name) for name in ("fastapi", "fastapi_simple_security")}
    taken = in_turn(measures, plan.of(15, 41))
    pairs = zip(taken["fastapi_simple_security"], taken["fastapi"], strict=True)
    more = spread([ours - alone for ours, alone in pairs])
    [wheel] = (ROOT / "target/wheels").glob("*.whl")
    size = wheel.stat().st_size / 1e6
    rows = [
        ["`import fastapi`, ms", f"{statistics.median(taken['fastapi']):.0f}"],
        [
            "`import fastapi_simple_security`, ms",
            f"{statistics.median(taken['fastapi_simple_security']):.0f}",
        ],
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


def _import(name: str) -> float:
    """The CPU time of a process that imports it, in milliseconds."""
    command = ["taskset", "-c", SERVER_CORE, str(PYTHON), "-c", f"import {name}"]
    process = subprocess.Popen(command)  # noqa: S603, all of it is written here
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"import {name} failed")
    return (usage.ru_utime + usage.ru_stime) * 1e3
