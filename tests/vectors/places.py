"""Writes places.json: what is decided for a key in each place, in all combinations.

`make docs` calls it, a test compares. The rules stand here a second time, apart from the code of
every adapter, and are written for the states of a place and not for requests.
"""

import json
from itertools import product
from pathlib import Path

FILE = Path(__file__).with_name("places.json")

PLACES = ("query", "api-key", "x-api-key", "bearer")
STATES = ("absent", "empty", "good", "bad", "twice")


def drop_in(query: str, api_key: str, x_api_key: str, bearer: str) -> str:
    """The place of the key that is accepted, or the outcome."""
    of_1x = {"query": query, "api-key": api_key}
    if "twice" in of_1x.values():
        return "repeated"
    for place, state in of_1x.items():
        if state == "good":
            return place
    if "bad" in of_1x.values():
        return "denied"
    for place, state in {"x-api-key": x_api_key, "bearer": bearer}.items():
        decided = {"twice": "repeated", "good": place, "bad": "denied"}.get(state)
        if decided is not None:
            return decided
    return "not_presented"


def standard(*states: str) -> str:
    """The same for the other reading, which accepts one credential and no more."""
    if "twice" in states:
        return "repeated"
    sent = [place for place, state in zip(PLACES, states, strict=True) if state in ("good", "bad")]
    if not sent:
        return "not_presented"
    if len(sent) > 1:
        return "repeated"
    return sent[0] if "good" in states else "denied"


def file() -> str:
    """The whole file: a line for each combination."""
    rows = [
        json.dumps([*states, drop_in(*states), standard(*states)])
        for states in product(STATES, repeat=len(PLACES))
    ]
    columns = json.dumps([*PLACES, "drop_in", "standard"])
    return f'{{\n  "columns": {columns},\n  "rows": [\n    ' + ",\n    ".join(rows) + "\n  ]\n}\n"


if __name__ == "__main__":
    FILE.write_text(file())
