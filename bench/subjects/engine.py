"""The engine alone, beside one SHA-256 and one bare SELECT."""

import json
import statistics
import subprocess
from typing import Any

from figures import Aim, Plan, Plot, Section, Table, at_most, exactly_one, ratio, shown
from load import ROOT

Found = dict[str, Any]

THOUSAND, MILLION, TEN_MILLION = 1_000, 1_000_000, 10_000_000
SHA, SELECT = "one SHA-256, 1,000 keys in turn", "one bare SELECT"
HIT, HOT = "hit, 1,000 keys in turn", "hit, one key"
SHOWN = [
    "one SHA-256, one key",
    SHA,
    HOT,
    HIT,
    "hit, 100,000 keys in turn",
    "miss",
    SELECT,
    "unknown, remembered",
    "unknown",
    "malformed",
]
TEXT = """`crates/simple-security/benches/engine` takes all measures in turn, in rounds. A key is
verified as the faces do it: by what is cached, and where that is not enough by the store, with
the readings that renew the lease. *Hit*: the key is cached. *Miss*: it is not, and is looked up
in SQLite, cached, and pushes another out. *Unknown*: a key of the right form that is not in the
store. *Malformed*: a typing error, which the checksum finds. The bare `SELECT` is prepared, by
primary key, on a connection of its own, and reads the same columns. The SHA-256 by two threads
shares nothing: it says what a second thread is worth on this machine."""


def measure(plan: Plan) -> Section:
    """Runs the program once for each size of the store."""
    sizes = [THOUSAND, MILLION, TEN_MILLION] if plan.full else [THOUSAND, MILLION]
    by_size = {size: _run(size, plan.of(11, 41)) for size in sizes}
    section = Section("Engine", TEXT)
    section.tables = [_calls(by_size), _threads(by_size), _sizes(by_size)]
    section.aims = _aims(by_size)
    small = by_size[THOUSAND]
    names = [name for name in SHOWN if name in small]
    bars = [(name, statistics.median(small[name])) for name in names]
    title = "Engine, 1,000 keys in the store: nanoseconds for a call"
    section.plots = [Plot("engine", title, "ns", bars, logarithmic=True)]
    return section


def _run(size: int, rounds: int) -> Found:
    """What the program has printed: nanoseconds of each round by name, and single figures."""
    command = [
        "cargo",
        "bench",
        "--locked",
        "--quiet",
        "-p",
        "simple-security",
        "--bench",
        "engine",
    ]
    run = subprocess.run(  # noqa: S603, all of it is written here
        [*command, "--", str(size), str(rounds)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: Found = {}
    for line in run.stdout.splitlines():
        if line.startswith("{"):
            printed = json.loads(line)
            if "name" in printed:
                found[printed["name"]] = printed["nanoseconds"]
            else:
                found |= printed
    return found


def _calls(by_size: dict[int, Found]) -> Table:
    rows = [[name, *[_nanoseconds(found, name) for found in by_size.values()]] for name in SHOWN]
    return Table(["ns for a call", *[f"{size:,} keys" for size in by_size]], rows)


def _threads(by_size: dict[int, Found]) -> Table:
    rows = [
        [name, *[str(_two_threads(found, name)) for found in by_size.values()]]
        for name in (SHA, HIT, HOT)
    ]
    return Table(["2 threads / 1 thread", *[f"{size:,} keys" for size in by_size]], rows)


def _sizes(by_size: dict[int, Found]) -> Table:
    founds = list(by_size.values())
    rows = [
        ["opening, ms", *[_milliseconds(found, "open") for found in founds]],
        [
            "writing the counts of one key, ms",
            *[_milliseconds(f, "flush, one key") for f in founds],
        ],
        ["of 1,000 keys, ms", *[_milliseconds(f, "flush, 1,000 keys") for f in founds]],
        ["memory of a cached key, bytes", *[f"{f['memory'] / f['keys']:.0f}" for f in founds]],
        ["the text of its record, bytes", *[f"{f['text'] / f['keys']:.0f}" for f in founds]],
        ["keys cached for that", *[f"{found['keys']:,}" for found in founds]],
    ]
    note = "Memory is what the process has grown by, from outside; for 1,000 keys that is coarse."
    return Table(["", *[f"{size:,} keys" for size in by_size]], rows, note)


def _aims(by_size: dict[int, Found]) -> list[Aim]:
    small, million = by_size[THOUSAND], by_size[MILLION]
    aims = [
        at_most(
            "engine hit / one SHA-256 of the same key, 1 thousand keys",
            2.5,
            ratio(small[HIT], small[SHA]),
        )
    ]
    for size, found in by_size.items():
        # Aimed at for these two; the million between them is in the table above.
        if size != MILLION:
            what = f"engine miss on SQLite / one bare prepared SELECT, {size:,} keys"
            aims.append(at_most(what, 1.5, ratio(found["miss"], found[SELECT])))
    for what, bound, name in (("over 1,000 keys", 1.8, HIT), ("on one hot key", 1.5, HOT)):
        times = _two_threads(small, name)
        aims.append(
            Aim(
                f"2 threads / 1 thread, hits {what}",
                f"at least {bound}",
                str(times),
                times.median >= bound,
            )
        )
    each = (million["memory"] - million["text"]) / million["keys"]
    what = "memory per cached key over the record's own text"
    aims.append(Aim(what, "at most 256 bytes", f"{each:.0f} bytes", each <= 256))
    accepted = sum(found["accepted"] for found in by_size.values())
    counted = sum(found["counted"] for found in by_size.values())
    aims.append(exactly_one("counted / answered, engine", counted, accepted))
    return aims


def _two_threads(found: Found, name: str) -> Any:
    """How many times as much two threads verify as one."""
    # The time of a call by two threads is that of the whole over all calls of both.
    return ratio(found[name], found[f"{name}, two threads"])


def _nanoseconds(found: Found, name: str) -> str:
    return shown(statistics.median(found[name])) if name in found else ""


def _milliseconds(found: Found, name: str) -> str:
    return shown(statistics.median(found[name]) / 1e6)
