"""What the engine and its faces cost. `make bench` and `make bench-full` run it.

Prints tables and writes RESULTS.md and the plots. Fails, after all of it, where an aim is not
reached. Arguments: `--full`, and names of subjects where not all are wanted; RESULTS.md is left as
it is then.
"""

import os
import sys
import time
from collections.abc import Callable

import results
from figures import Plan, Section, table_as_text
from subjects import axum, engine, in_process, nginx, package, revocation, served

SUBJECTS: dict[str, Callable[[Plan], Section]] = {
    "served": served.measure,
    "in_process": in_process.measure,
    "axum": axum.measure,
    "nginx": nginx.measure,
    "engine": engine.measure,
    "revocation": revocation.measure,
    "package": package.measure,
}


def main(arguments: list[str]) -> int:
    """Measures; 1 where an aim is not reached."""
    plan = Plan(full="--full" in arguments)
    wanted = [name for name in arguments if name != "--full"]
    load_before = " ".join(f"{each:.2f}" for each in os.getloadavg())
    began = time.monotonic()
    sections = []
    for name, measure in SUBJECTS.items():
        if wanted and name not in wanted:
            continue
        section = measure(plan)
        sections.append(section)
        print(f"\n{section.title}\n")
        for table in section.tables:
            print(table_as_text(table), end="\n\n", flush=True)
    print(table_as_text(results.aims_table(sections)))
    if not wanted:
        command = "make bench-full" if plan.full else "make bench"
        print(f"\nwritten to {results.write(sections, command, load_before)}")
    print(f"{time.monotonic() - began:.0f} s, load average before it {load_before}")
    return int(not all(aim.reached for aim in results.all_aims(sections)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
