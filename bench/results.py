"""RESULTS.md: what was measured, where and how; and what is not reached."""

import os
import platform
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import plots
from figures import Aim, Section, Table, table_as_markdown
from load import BENCH, ROOT

# Written by hand: the profile of each aim that is not reached, and what was tried.
REASONS = BENCH / "reasons.md"


def aims_table(sections: list[Section]) -> Table:
    """Each aim with its figure."""
    rows = [
        [aim.what, aim.bound, aim.figure, "reached" if aim.reached else "**not reached**"]
        for aim in all_aims(sections)
    ]
    return Table(["aim", "bound", "found: median (quartiles)", ""], rows)


def all_aims(sections: list[Section]) -> list[Aim]:
    """The aims of all subjects."""
    return [aim for section in sections for aim in section.aims]


def write(sections: list[Section], command: str, load_before: str) -> Path:
    """Writes RESULTS.md and the plots beside it."""
    parts = [
        "# What it costs, measured",
        f"Written by `{command}`. The load average before it was {load_before}.",
        table_as_markdown(_circumstances()),
        "## Aims",
        "All ratios are within one run: medians of what was taken in the same round.",
        table_as_markdown(aims_table(sections)),
    ]
    missed = [aim for aim in all_aims(sections) if not aim.reached]
    if missed and REASONS.exists():
        parts.append(REASONS.read_text().strip())
    for section in sections:
        parts += [f"## {section.title}", section.text]
        parts += [table_as_markdown(table) for table in section.tables]
        for plot in section.plots:
            path = plots.write(plot, BENCH / "plots")
            parts.append(f"![{plot.title}](plots/{path.name})")
    path = BENCH / "RESULTS.md"
    path.write_text("\n\n".join(parts) + "\n")
    return path


def _circumstances() -> Table:
    changed = (
        " and changes" if _said("git", "status", "--porcelain", "--untracked-files=no") else ""
    )
    rows = [
        ["commit", _said("git", "rev-parse", "--short=12", "HEAD") + changed],
        ["date", datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")],
        ["machine", f"{_processor()}, {os.cpu_count()} cores, {_memory()}"],
        ["system", f"{platform.system()} {platform.release()}"],
        ["Python", sys.version.split()[0]],
        ["Rust", _said("rustc", "--version")],
        ["nginx, wrk", f"{_nginx()}, {_wrk()}"],
        *[[f"packages, {name}", _packages(name)] for name in ("ours", "1.3.0", "keyshield")],
    ]
    return Table(["", ""], rows)


def _said(*command: str) -> str:
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)  # noqa: S603, all of it is written here
    return (run.stdout + run.stderr).strip()


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory() -> str:
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{size / 2**30:.0f} GB"


def _nginx() -> str:
    return _said("nginx", "-v").rpartition("/")[2]


def _wrk() -> str:
    return _said("wrk", "-v").split(" [")[0].removeprefix("wrk ")


def _packages(name: str) -> str:
    """The pinned versions that matter."""
    matter = "fastapi starlette pydantic uvicorn uvloop httptools keyshield sqlalchemy aiosqlite"
    script = (
        "from importlib.metadata import version, PackageNotFoundError\n"
        "import sys\n"
        "for name in sys.argv[1:]:\n"
        "    try: print(name, version(name), end=', ')\n"
        "    except PackageNotFoundError: pass\n"
    )
    python = str(BENCH / f".venv-{name}/bin/python")
    return _said(python, "-c", script, *matter.split()).rstrip(", ")
