"""FastAPI in process: what the dependency, the middleware and the admin routes add to a request."""

import json
import os
import statistics
import subprocess
import tempfile

from figures import Plan, Plot, Section, Table, at_most, difference, exactly_one, ratio, spread
from load import BENCH, ROOT, SERVER_CORE

NAMES = {
    "plain": "plain route",
    "empty": "one empty dependency",
    "dependency": "ours as dependency",
    "middleware": "ours as middleware",
}
PLAIN, BEHIND = "plain route", "behind the middleware"
# The same route after routers, and before them.
ORDERED = {
    PLAIN: ("declared after", "declared before"),
    BEHIND: ("middleware, declared after", "middleware, declared before"),
    "plain route, two empty routers instead": ("declared after empty", "declared before"),
}
TEXT = """The same apps, called as a server calls them, in one process without any server: CPU
time. What each adds is the median of the differences within one round.

Starlette tries the routes of an app in their order. So there is also an app with all admin routes
included, those of 1.x and the resource API, and a route that is declared before them or after them,
as in the README. Both orders are the same app, whose routes change places. An entry in that list
costs something whatever it does: two routers of FastAPI without any route are there to compare."""


def measure(plan: Plan) -> Section:
    """Runs `apps/in_process.py` in the environment of our package."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "FASTAPI_SIMPLE_SECURITY_DB_LOCATION": f"{folder}/keys.db",
            "FASTAPI_SIMPLE_SECURITY_SECRET": "only for this measurement",
        }
        command = ["taskset", "-c", SERVER_CORE, str(BENCH / ".venv-ours/bin/python")]
        command += [str(BENCH / "apps/in_process.py"), str(ROOT / "target/release/simple-security")]
        command += [str(plan.of(400, 1200)), "50"]
        run = subprocess.run(  # noqa: S603, all of it is written here
            command, env=environment, cwd=folder, stdout=subprocess.PIPE, text=True, check=True
        )
    found = json.loads(run.stdout)
    taken = found["taken"]
    added = {name: difference(taken[name], taken["plain"]) for name in NAMES}
    over_empty = {name: difference(taken[name], taken["empty"]) for name in NAMES}
    rows = [
        [
            shown_name,
            f"{statistics.median(taken[name]):.2f}",
            "" if name == "plain" else f"{added[name]:+.2f}",
            "" if name in ("plain", "empty") else f"{over_empty[name]:+.2f}",
        ]
        for name, shown_name in NAMES.items()
    ]
    headings = ["", "a request, µs", "over the plain route, µs", "over one empty dependency, µs"]
    orders = {name: (taken[late], taken[early]) for name, (late, early) in ORDERED.items()}
    order_rows = [
        [
            name,
            f"{statistics.median(early):.2f}",
            f"{statistics.median(late):.2f}",
            f"{difference(late, early):+.2f}",
            str(ratio(late, early)),
        ]
        for name, (late, early) in orders.items()
    ]
    order_headings = ["", "declared before, µs", "after, µs", "more, µs", "after / before"]
    tables = [Table(headings, rows), Table(order_headings, order_rows)]
    section = Section("FastAPI in process", TEXT, tables)
    ratios = [
        (ours - plain) / (empty - plain)
        for ours, empty, plain in zip(
            taken["dependency"], taken["empty"], taken["plain"], strict=True
        )
        if empty > plain
    ]
    what = "in process, ours as dependency: added cost / that of one empty dependency"
    behind = ratio(taken["middleware"], taken["plain"])
    section.aims = [
        at_most(what, 1.3, spread(ratios)),
        at_most("in process, ours as middleware / plain route", 1.04, behind),
        *(
            at_most(
                f"in process, {name}, declared after the routers / before",
                1.02,
                ratio(*orders[name]),
            )
            for name in (PLAIN, BEHIND)
        ),
        exactly_one("counted / answered, FastAPI in process", found["counted"], found["answered"]),
    ]
    bars = [(NAMES[name], added[name]) for name in ("empty", "dependency", "middleware")]
    title = "FastAPI in process: added to a request, µs"
    section.plots = [Plot("in-process", title, "µs", bars)]
    return section
