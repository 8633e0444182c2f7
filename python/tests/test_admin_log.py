"""What an administrator does, and who tries to be one, is in the log: without keys and secrets."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from guarded_app import ADMIN_SECRET, GuardedApp
from old_package import OldRow, write_old_file

from fastapi_simple_security import ApiKeyMiddleware, SimpleSecurity

LOGGER = "fastapi_simple_security"
OLD_KEY = "0d9f3f4e-7a9c-4f43-8d2a-2f6d2b6a9f10"
# A key of 1.x in a name, where the database shows it: nothing in its form says that it is a key.
PASTED = "7b1e0c52-3d84-4a6f-9c10-5e2d8f7a4b36"
HEADERS = {"secret-key": ADMIN_SECRET}


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Callable[[], list[tuple[str, str]]]:
    """Takes what the package has logged since it was last called: level and line."""
    caplog.set_level(logging.INFO, LOGGER)

    def take() -> list[tuple[str, str]]:
        lines = [
            (record.levelname, record.getMessage())
            for record in caplog.records
            if record.name == LOGGER
        ]
        caplog.clear()
        return lines

    return take


@pytest.fixture
def admin(environment: pytest.MonkeyPatch) -> Any:
    security = SimpleSecurity()
    app = FastAPI()
    app.include_router(security.legacy_router, prefix="/auth")
    app.include_router(security.admin_router, prefix="/auth")
    yield TestClient(app, headers=HEADERS)
    security.close()


def test_changes_by_the_routes_of_the_old_package(
    database: Path, admin: TestClient, log: Any, canaries: set[str]
) -> None:
    write_old_file(database, [OldRow(OLD_KEY, name="from before")])
    key = admin.get("/auth/new", params={"name": "bob"}).json()
    canaries |= {key, OLD_KEY}
    key_id = key[4:15]
    assert log()[-1] == ("INFO", f"issued key {key_id}")
    for named in (key_id, key):
        admin.get("/auth/renew", params={"api-key": named})
        assert log() == [("INFO", f"renewed key {key_id}")]
        admin.get("/auth/revoke", params={"api-key": named})
        assert log() == [("INFO", f"revoked key {key_id}")]
    old_id = admin.get("/auth/keys", params={"name": "from before"}).json()["keys"][0]["id"]
    admin.get("/auth/revoke", params={"api-key": OLD_KEY})
    assert log() == [("INFO", f"revoked key {old_id}")]
    admin.get("/auth/logs")
    assert log() == []


def test_changes_by_the_resource_api(admin: TestClient, log: Any, canaries: set[str]) -> None:
    issued = admin.post("/auth/keys", json={"name": "alice"}).json()
    canaries.add(issued["key"])
    key = f"key {issued['id']}"
    path = f"/auth/keys/{issued['id']}"
    assert log()[-1] == ("INFO", f"issued {key}")
    admin.patch(path, json={"name": "carol"})
    assert log() == [("INFO", f"edited {key}")]
    admin.post(f"{path}/revoke")
    assert log() == [("INFO", f"revoked {key}")]
    admin.post(f"{path}/renew")
    assert log() == [("INFO", f"renewed {key}")]
    assert admin.delete(path).status_code == 200
    assert log() == [("INFO", f"deleted {key}")]
    text = "an-imported-key-0123456789-0123456789"
    canaries.add(text)
    imported = admin.post("/auth/keys", json={"key": text}).json()
    assert log() == [("INFO", f"imported key {imported['id']}")]


def test_what_changes_nothing_is_not_logged(admin: TestClient, log: Any) -> None:
    admin.get("/auth/logs")
    log()
    assert admin.delete("/auth/keys/abcdefghijk").status_code == 404
    assert admin.post("/auth/keys/abcdefghijk/revoke").status_code == 404
    assert admin.get("/auth/revoke", params={"api-key": "abcdefghijk"}).status_code == 404
    assert admin.post("/auth/keys", json={"name": "a\nb"}).status_code == 422
    assert admin.get("/auth/keys").status_code == 200
    assert log() == []


def test_no_name_is_logged(admin: TestClient, log: Any) -> None:
    admin.get("/auth/logs")
    log()
    name = {"name": f"the one with {PASTED}"}
    admin.post("/auth/keys", json={**name, "key": "another-imported-key-0123456789-0123"})
    admin.get("/auth/new", params=name)
    key_id = admin.post("/auth/keys", json=name).json()["id"]
    for route in ("revoke", "renew"):
        admin.get(f"/auth/{route}", params={"api-key": key_id})
        admin.post(f"/auth/keys/{key_id}/{route}")
    admin.patch(f"/auth/keys/{key_id}", json=name)
    admin.delete(f"/auth/keys/{key_id}")
    lines = [line for _, line in log()]
    assert len(lines) == 9
    assert not [line for line in lines if PASTED in line]


def client_from(app: FastAPI, address: tuple[str, int] | None) -> TestClient:
    """A client of whom the server reports this address."""

    async def with_address(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "client": address}, receive, send)

    return TestClient(with_address)


def rejected(send: Callable[[], Any], log: Any) -> tuple[str, int]:
    """The next line, which may be suppressed for a second, and how many requests it took."""
    deadline = time.monotonic() + 10
    sent = 0
    while True:
        assert send().status_code in (401, 403)
        sent += 1
        lines = log()
        if lines:
            [(level, line)] = lines
            assert level == "WARNING"
            return line, sent
        assert time.monotonic() < deadline


@pytest.mark.parametrize("behind_middleware", [False, True])
def test_a_wrong_secret_is_logged(guarded: GuardedApp, log: Any, behind_middleware: bool) -> None:
    guarded.app.include_router(guarded.security.admin_router, prefix="/auth")
    if behind_middleware:
        guarded.app.add_middleware(ApiKeyMiddleware, security=guarded.security)
    client = client_from(guarded.app, ("192.0.2.7", 5000))
    client.get("/auth/logs", headers=HEADERS)
    log()
    path = "/auth/new" if behind_middleware else "/auth/keys"
    line, _ = rejected(lambda: client.get(path, headers={"secret-key": "wr0ng-s3cret"}), log)
    assert line.startswith("wrong admin secret from 192.0.2.7 (")
    assert "wr0ng-s3cret" not in line


def test_at_most_a_line_a_second_counts_all(guarded: GuardedApp, log: Any) -> None:
    guarded.logs()
    log()
    unknown = client_from(guarded.app, None)
    begun = time.monotonic()
    line, _ = rejected(lambda: unknown.get("/auth/logs"), log)
    assert line.startswith("missing admin secret from an unknown address (")
    # As a server reports it that believes a header of the client.
    forged = client_from(guarded.app, ("1.2.3.4\nINFO issued key", 5000))
    line, sent = rejected(lambda: forged.get("/auth/logs", headers={"secret-key": "wr0ng"}), log)
    assert time.monotonic() - begun >= 1.0
    assert "\n" not in line
    assert line.endswith(f"(requests rejected since the last such line: {sent})")
