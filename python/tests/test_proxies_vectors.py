"""The shared vectors, in their standard reading, through each proxy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import program
import proxies
import pytest
import raw
import recorder
from clients import key_id
from servers import wait_until
from test_vectors import LEGACY, REQUESTS, fill, placeholders

SECRET = "secret-of-the-test-of-vectors"
# The auth server does not read the query. White space around a value is no part of it on the
# wire, and a line end in it is the end of it.
CASES = [
    case
    for case in REQUESTS["cases"]
    if not case["query"]
    and all(
        value == value.strip(" \t") and "\r" not in value and "\n" not in value
        for _, value in case["headers"]
    )
]
# nginx takes only 401 and 403 from the auth server.
STATUSES = {outcome: answer["status"] for outcome, answer in REQUESTS["standard"].items()}
STATUSES_OF_NGINX = {**STATUSES, "repeated": 401}
# What a proxy says to bytes that it does not take.
NOT_TAKEN = {None, 400, 431}


@pytest.mark.parametrize("name", proxies.KINDS)
def test_requests(
    name: str,
    tmp_path_factory: pytest.TempPathFactory,
    application: recorder.Application,
    database_directories: list[Path],
    canaries: set[str],
) -> None:
    directory = tmp_path_factory.mktemp("vectors")
    database_directories.append(directory)
    folder = tmp_path_factory.mktemp(name)
    with (
        program.serve(directory / "keys.db", SECRET, canaries) as auth_server,
        proxies.start(name, folder, auth_server.port, application.port) as proxy,
    ):
        keys, ids = issue_all(auth_server.admin)
        for case in CASES:
            if case["store"] == "up":
                check(case, proxy, application, keys, ids)

        auth_server.database.rename(directory / "moved-away.db")
        line = b"api-key: " + keys["unknown"].encode()
        # What was read before may serve until its lease ends.
        wait_until(
            lambda: raw.get(proxy.port, b"/", [line]).status == 503, 5, "the end of the lease"
        )
        for case in CASES:
            if case["store"] == "down":
                check(case, proxy, application, keys, ids)


def issue_all(admin: program.Admin) -> tuple[dict[str, str], dict[str, str]]:
    """The keys for the placeholders, and the ids of those that are live."""
    keys = {name: admin.new(name) for name in ("live", "second", "revoked")}
    keys["expired"] = admin.new("expired", expires_at="2020-01-01T00:00:00Z")
    admin.revoke(keys["revoked"])
    keys["legacy"] = LEGACY
    ids = {name: key_id(keys[name]) for name in ("live", "second")}
    return placeholders(keys), {**ids, "legacy": admin.add(LEGACY)}


def check(
    case: dict[str, Any],
    proxy: proxies.Proxy,
    application: recorder.Application,
    keys: dict[str, str],
    ids: dict[str, str],
) -> None:
    expected = {**case, **case.get("standard", {})}
    headers = [(name.encode(), fill(value, keys)) for name, value in case["headers"]]
    twice = [name for name, _ in headers].count(b"authorization") > 1
    if twice and proxy.name == "Envoy":
        return  # It makes one of the two, and drops an empty one: this is another request.
    application.taken()
    reply = raw.get(proxy.port, b"/secure", [b"%s: %s" % header for header in headers])
    statuses = STATUSES_OF_NGINX if proxy.name == "nginx" else STATUSES
    allowed = {statuses[expected["outcome"]]}
    if twice and proxy.name == "nginx":
        allowed = {400}  # It refuses that by itself.
    if any(unusual(value) for _, value in headers):
        allowed |= NOT_TAKEN
    assert reply.status in allowed, (proxy.name, case["case"], reply.data)
    arrived = [request.values(b"X-Api-Key-Id") for request in application.taken()]
    let_in = [[ids[expected["key"]].encode()]] if reply.status == 200 else []
    assert arrived == let_in, (proxy.name, case["case"])


def unusual(value: bytes) -> bool:
    return len(value) > 4096 or any(byte < 0x20 or byte > 0x7E for byte in value)
