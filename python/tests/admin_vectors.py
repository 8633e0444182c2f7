"""The requests of `tests/vectors/admin.json`, made one after the other.

The form of the steps, and what differs from run to run: `tests/vectors/README.md`.
"""

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from guarded_app import ADMIN_SECRET

_FOLDER = Path(__file__).parents[2] / "tests/vectors"
VECTORS = json.loads((_FOLDER / "admin.json").read_text(encoding="utf-8"))
RESPONSES = json.loads((_FOLDER / "admin_responses.json").read_text(encoding="utf-8"))
SECRETS = {
    "good": [ADMIN_SECRET],
    "wrong": ["a wrong secret"],
    "empty": [""],
    "none": [],
    "twice": [ADMIN_SECRET] * 2,
}
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
# Those that are the router's own, and no server's.
HEADERS = (
    "allow",
    "cache-control",
    "content-type",
    "location",
    "retry-after",
    "www-authenticate",
)


def run(
    client: TestClient, prefix: str, *, without: Callable[[str], bool] | None = None
) -> set[str]:
    """Makes each request to a router below this prefix, whose store is empty.

    Args:
        client: of the app.
        prefix: of the router.
        without: whether to leave out a step, by its path.

    Returns:
        The text of every key that was issued or imported.
    """
    values = {"unknown": "00000000000", "10kB": "x" * 10_000, "secret": ADMIN_SECRET}
    normalizer = Normalizer()
    keys: set[str] = set()
    for step in VECTORS["steps"]:
        name = step["step"]
        if without and without(step["path"]):
            continue
        response = make(step, client, prefix, values)
        check(step, response, values)
        if response.status_code == 201:
            issued = response.json()
            keys.add(issued["key"] or step["body"]["key"])
            normalizer.learn(issued, step.get("save", "id"))
            if "save" in step:
                values[step["save"]] = issued["id"]
        assert (name, normalizer.normalize(response)) == (name, RESPONSES[name])
    assert len(VECTORS["steps"]) == len(RESPONSES)
    return keys


def make(step: dict[str, Any], client: TestClient, prefix: str, values: dict[str, str]) -> Any:
    query = f"?{fill(step['query'], values)}" if "query" in step else ""
    body = content(step)
    return client.request(
        step["method"],
        f"{prefix}{fill(step['path'], values)}{query}",
        headers=[("secret-key", secret) for secret in SECRETS[step.get("secret", "good")]]
        + content_types(step)
        + [(name, value) for name, value in step.get("headers", [])],
        content=parts(body or b"") if step.get("chunked") else body,
    )


def content(step: dict[str, Any]) -> bytes | None:
    if "raw" in step:
        return str(step["raw"]).encode()
    if "hex" in step:
        return bytes.fromhex(step["hex"])
    if "padded" in step:
        return b"{}".ljust(step["padded"])
    if "nested" in step:
        return b'{"name":%b}' % (b"[" * step["nested"] + b"]" * step["nested"])
    return json.dumps(step["body"]).encode() if "body" in step else None


def parts(body: bytes) -> Iterator[bytes]:
    """In chunks: its length is not announced."""
    yield body[:1]
    yield body[1:]


def content_types(step: dict[str, Any]) -> list[tuple[str, str]]:
    if "content_type" not in step:
        return [] if content(step) is None else [("content-type", "application/json")]
    sent = step["content_type"] or []
    return [("content-type", each) for each in ([sent] if isinstance(sent, str) else sent)]


def fill(text: str, values: dict[str, str]) -> str:
    return re.sub(r"{(\w+)}", lambda found: values[found[1]], text)


def check(step: dict[str, Any], response: Any, values: dict[str, str]) -> None:
    """Compares a response with what the step itself says."""
    name = step["step"]
    assert (name, response.status_code) == (name, step["status"]), response.text
    assert response.headers["cache-control"] == "no-store", name
    if "code" in step and step["method"] != "HEAD":
        check_problem(name, step, response)
    if "answer" in step:
        compare(name, response.json(), json.loads(fill(json.dumps(step["answer"]), values)))
    body: dict[str, Any] = response.json() if response.content else {}
    has_moment = bool(re.fullmatch(MOMENT, str(body.get("effective_by"))))
    assert (name, has_moment) == (name, response.is_success and step["method"] != "GET")
    if step["status"] == 201:
        assert response.headers["location"] == f"keys/{body['id']}", name


def check_problem(name: str, step: dict[str, Any], response: Any) -> None:
    problem, expected = response.json(), VECTORS["problems"][step["code"]]
    assert response.headers.get("allow") == step.get("allow"), name
    assert response.headers["content-type"] == "application/problem+json", name
    assert response.headers.get("www-authenticate") == expected["challenge"], name
    found = [problem[member] for member in ("type", "title", "status", "code")]
    assert found == ["about:blank", expected["title"], expected["status"], step["code"]], name
    assert problem["detail"] == step.get("detail", expected["detail"] or problem["detail"]), name
    assert problem["detail"], name
    if "errors" in step:
        errors = [[error["location"], error["name"]] for error in problem["errors"]]
        assert (name, sorted(errors, key=str)) == (name, sorted(step["errors"], key=str))
    assert ("errors" in problem) == (step["code"] == "invalid"), name


def compare(name: str, found: Any, expected: Any) -> None:
    """What is expected is there; an object may have more."""
    if isinstance(expected, dict):
        for member, value in expected.items():
            compare(f"{name}, {member}", found[member], value)
    elif isinstance(expected, list):
        assert len(found) == len(expected), f"{name}: {found}"
        for one, value in zip(found, expected, strict=True):
            compare(name, one, value)
    else:
        assert (name, found) == (name, expected)


class Normalizer:
    """Replaces what differs from run to run."""

    # How far from the first key's `created_at` a time is one of the run, in days.
    RUN = 30

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}
        self.start: datetime | None = None

    def learn(self, issued: dict[str, Any], name: str) -> None:
        self.ids[issued["id"]] = f"<{name}>"
        self.start = self.start or _time(issued["created_at"])

    def normalize(self, response: Any) -> dict[str, Any]:
        sent = response.headers
        body = response.content.decode()
        body = re.sub(r'"fss_[0-9A-Za-z]{11}_[0-9A-Za-z]{39}"', '"<key>"', body)
        body = re.sub(r'"next":"-?[0-9]{1,12}\.[0-9A-Za-z]{11}"', '"next":"<next>"', body)
        body = re.sub(r'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{3})?Z"', self._replaced, body)
        return {
            "status": response.status_code,
            "headers": {name: self._without_ids(sent[name]) for name in HEADERS if name in sent},
            "body": self._without_ids(body),
        }

    def _without_ids(self, text: str) -> str:
        for key_id, name in self.ids.items():
            text = text.replace(key_id, name)
        return text

    def _replaced(self, found: re.Match[str]) -> str:
        if self.start is None:
            return found[0]
        days = round((_time(found[1]) - self.start).total_seconds() / 86_400)
        fraction = ".mmm" if found[2] else ""
        if abs(days) > self.RUN:
            return found[0]
        return f'"<now{fraction}>"' if days == 0 else f'"<now{days:+}d{fraction}>"'


def _time(text: str) -> datetime:
    return datetime.strptime(text.removesuffix("Z"), "%Y-%m-%dT%H:%M:%S")
