"""axum with and without the layer, and behind a check that is written by hand."""

import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial

from figures import Plan, Section, Table, at_least, exactly_one, in_turn, ratio, shown
from load import ROOT, Run, ask, ask_exactly, load, require_no_failure, running

SERVER = ROOT / "target/release/examples/axum_server"
# On the second port, with the layer around the whole app.
WHOLE = "whole"
NAMES = {
    "/open": "the handler alone",
    "/ours": "behind the layer",
    WHOLE: "behind the layer, around the whole app",
    "/hash": "behind a check by hand",
    "/nothing": "behind a layer that does nothing",
    "/extension": "behind axum's own `Extension`",
}
# `/open` and `/ours` on ports of their own, with the admin routes in the app.
ORDERED = {
    "/open": ("open, before", "open, after", "the handler alone"),
    "/ours": ("ours, before", "ours, after", "behind the layer"),
}
EACH, CLIENTS = 250, 8
TEXT = """One handler, alone, behind the layer, and behind the least that a check by hand does: a
header, one SHA-256, one lookup, the name handed on; nothing is counted there, and nothing is
ever revoked. What a layer of axum costs that does nothing, and one that hands on a value, is in the
way of both. Around the whole app the layer is called by the server, and not by the router. The
server has one core, `wrk` the other, which it fills: so only requests in a second of the server's
CPU time say what the server can do. Processes of one program differ by some percent, by the pages
of memory that they get: so there are some of them in turn.

The router of axum finds a route in a tree, whatever the order. The second table shows it with
the same routes, declared before the admin routes and after them."""


def measure(plan: Plan) -> Section:
    """Serves them and asks them in turn."""
    ordered = [name for before, after, _ in ORDERED.values() for name in (before, after)]
    taken: dict[str, list[Run]] = {route: [] for route in (*NAMES, *ordered)}
    answered = counted = 0
    for _ in range(plan.of(3, 6)):
        with (
            tempfile.TemporaryDirectory() as folder,
            running([str(SERVER), f"{folder}/keys.db"], closes=True) as process,
        ):
            port, before_admin, after_admin, whole, key = _ports_and_key(process)
            urls = {route: f"http://127.0.0.1:{port}{route}" for route in NAMES}
            urls[WHOLE] = f"http://127.0.0.1:{whole}/open"
            for route, (before_name, after_name, _) in ORDERED.items():
                urls[before_name] = f"http://127.0.0.1:{before_admin}{route}"
                urls[after_name] = f"http://127.0.0.1:{after_admin}{route}"
            measures = {
                route: partial(load, url, key, [process.pid], header="x-api-key")
                for route, url in urls.items()
            }
            for route, runs in in_turn(measures, plan.of(3, 5)).items():
                require_no_failure(runs, route)
                taken[route] += runs
            before = _settled(port)
            answered += ask_exactly(port, "/ours", {"x-api-key": key}, EACH, CLIENTS)
            counted += _settled(port) - before
    rate = {route: [run.per_cpu_second for run in runs] for route, runs in taken.items()}
    rows = [
        [
            name,
            shown(statistics.median(rate[route])),
            shown(statistics.median(run.cpu_per_request for run in taken[route])),
            "" if route == "/open" else str(ratio(rate[route], rate["/open"])),
        ]
        for route, name in NAMES.items()
    ]
    headings = ["", "requests / s of CPU time", "CPU / request, µs", "of the handler alone"]
    order_rows = [
        [
            name,
            shown(statistics.median(run.cpu_per_request for run in taken[before_name])),
            shown(statistics.median(run.cpu_per_request for run in taken[after_name])),
            str(ratio(rate[after_name], rate[before_name])),
        ]
        for before_name, after_name, name in ORDERED.values()
    ]
    order_headings = ["", "declared before, µs", "after, µs", "requests, after / before"]
    tables = [Table(headings, rows), Table(order_headings, order_rows)]
    aims = [
        at_least("axum with the layer / without", 0.97, ratio(rate["/ours"], rate["/open"])),
        at_least(
            "axum with the layer around the whole app / without",
            0.95,
            ratio(rate[WHOLE], rate["/open"]),
        ),
        exactly_one("counted / answered, axum", counted, answered),
    ]
    return Section("axum", TEXT, tables, aims)


def _ports_and_key(process: subprocess.Popen[str]) -> tuple[int, int, int, int, str]:
    if process.stdout is None:
        sys.exit("the server of axum says nothing")
    *ports, key = process.stdout.readline().split()
    port, before, after, whole = (int(each) for each in ports)
    return port, before, after, whole, key


def _settled(port: int) -> int:
    """What is counted, once nothing is under way any more."""
    counted = -1
    while counted != (counted := int(ask(port, "/used", {}))):
        time.sleep(0.2)
    return counted
