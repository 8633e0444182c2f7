"""Keys on PostgreSQL and on Redis: all that holds for a file holds for them, on each way in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import middleware_app
import pytest
from clients import key_id
from fastapi import Request
from fastapi.testclient import TestClient
from guarded_app import ADMIN_PATHS, DENIED, GuardedApp
from network_stores import Store, StoreServer, in_parallel, program
from starlette.websockets import WebSocketDisconnect
from test_websocket import POLICY_VIOLATION, add_sockets

from fastapi_simple_security import ConfigurationError, SimpleSecurity

SECRET = "FASTAPI_SIMPLE_SECURITY_SECRET"

Guard = Callable[..., GuardedApp]


@pytest.fixture
def guarded(guard: Guard, store: Store) -> GuardedApp:
    return guard(db_location=store.location)


def test_the_four_routes(guarded: GuardedApp) -> None:
    key = guarded.new("alice")
    expected = {"key": key, "id": key_id(key), "name": "alice"}
    # Asked for, and then known.
    for path in ("/secure", "/secure", "/secure-sync"):
        assert guarded.use(key, path).json() == expected
    assert guarded.log_of(key)["total_queries"] == 3
    assert guarded.revoke(key).status_code == 200
    assert guarded.use(key).json() == {"detail": DENIED}
    assert "reactivated" in guarded.renew(key).text
    assert guarded.accepts(key)
    assert guarded.log_of(key)["total_queries"] == 4
    assert not guarded.accepts("x" * 36)
    assert guarded.revoke("x" * 36).status_code == 404


def test_the_resource_api_waits_if_it_is_asked_to(guarded: GuardedApp) -> None:
    guarded.app.include_router(guarded.security.admin_router, prefix="/auth")

    def is_effective(method: str, path: str, **body: Any) -> bool:
        answer = guarded.client.request(
            method, f"/auth{path}", headers={"secret-key": guarded.secret}, **body
        ).json()
        if answer.get("key"):
            guarded.canaries.add(answer["key"])
        effective_by = datetime.fromisoformat(answer["effective_by"].replace("Z", "+00:00"))
        return effective_by <= datetime.now(timezone.utc)

    key = f"/keys/{key_id(guarded.new())}"
    for query, waits in (("", False), ("?wait=false", False), ("?wait=true", True)):
        assert is_effective("PATCH", f"{key}{query}", json={"name": "shop"}) is waits
        assert is_effective("POST", f"{key}/revoke{query}") is waits
        assert is_effective("POST", f"{key}/renew{query}") is waits
    assert is_effective("POST", "/keys?wait=true")
    assert is_effective("DELETE", f"{key}?wait=true")


def test_one_good_key_of_two_is_enough_and_is_counted_once(
    guarded: GuardedApp, guard: Guard, store: Store
) -> None:
    one, other, revoked = in_parallel(guarded.new, 3)
    guarded.revoke(revoked)
    for query, header, expected in (
        (one, "x" * 36, one),
        (revoked, other, other),
        (one, other, one),
        ("short", other, other),
        (revoked, "x" * 39, None),
    ):
        # An instance of its own, which knows no key yet.
        asked = guard(db_location=store.location)
        parameters, headers = {"api-key": query}, {"api-key": header}
        for _ in range(2):
            answer = asked.client.get("/secure", params=parameters, headers=headers)
            assert answer.json().get("key") == expected
            assert answer.status_code == (200 if expected else 403)
        asked.security.close()
    counted = [guarded.log_of(key)["total_queries"] for key in (one, other, revoked)]
    assert counted == [4, 4, 0]


def test_called_without_depends(guarded: GuardedApp) -> None:
    @guarded.app.get("/called")
    async def called(request: Request) -> str:
        await guarded.security(request)
        return (await guarded.security(request)).id

    key = guarded.new()
    for _ in range(2):
        assert guarded.use(key, "/called").json() == key_id(key)
    assert guarded.use("x" * 36, "/called").status_code == 403
    assert guarded.log_of(key)["total_queries"] == 2


def test_web_sockets(guarded: GuardedApp) -> None:
    add_sockets(guarded)
    key = guarded.new("bob")
    for path in ("/socket", "/socket"):
        with guarded.client.websocket_connect(path, headers={"api-key": key}) as socket:
            assert socket.receive_json() == {"key": key, "id": key_id(key)}
    for refused in ("x" * 36, "x" * 36):
        with (
            pytest.raises(WebSocketDisconnect) as caught,
            guarded.client.websocket_connect("/socket", headers={"api-key": refused}),
        ):
            raise AssertionError("accepted")
        assert caught.value.code == POLICY_VIOLATION
    assert guarded.log_of(key)["total_queries"] == 2


def behind_middleware(guarded: GuardedApp, **options: Any) -> TestClient:
    """The keys of a guarded app before another app."""
    return TestClient(middleware_app.build_app(guarded.security, ["/health"]), **options)


def test_the_middleware(guarded: GuardedApp, guard: Guard, store: Store) -> None:
    key = guarded.new("carol")
    expected = {"key": key, "id": key_id(key), "name": "carol"}
    wanted = [
        ("/secure", {"api-key": key}, 200),
        (f"/secure?api-key={key}", {}, 200),
        ("/secure", {"api-key": key, "secret-key": "x"}, 200),
        ("/health", {"api-key": key}, 200),
        ("/health", {"api-key": "x" * 36}, 200),
        ("/nowhere", {"api-key": key}, 404),
        ("/secure", {"api-key": "x" * 36}, 403),
        ("/auth/logs", {"api-key": "x" * 36}, 403),
        ("/auth/logs", {"api-key": key, "secret-key": guarded.secret}, 200),
    ]
    counted = 0
    for path, headers, status in wanted:
        asked = guard(db_location=store.location)
        asked.security.open()
        client = behind_middleware(asked)
        # The first request of all may be let in before the middleware knows its app.
        assert client.get("/health").status_code == 200
        # Asked for, and then known.
        for _ in range(2):
            answer = client.get(path, headers=headers)
            assert answer.status_code == status, path
            if path.startswith("/secure") and status == 200:
                assert answer.json() == expected
            counted += status != 403 and key in (path + headers.get("api-key", ""))
        counted -= 2 * (path == "/auth/logs" and status == 200)
        asked.security.close()
    assert guarded.log_of(key)["total_queries"] == counted == 10


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_on_asyncio_and_on_trio(guarded: GuardedApp, backend: Any) -> None:
    if backend == "trio":
        pytest.importorskip("trio")
    key = guarded.new()
    with (
        TestClient(guarded.app, backend=backend) as client,
        behind_middleware(guarded, backend=backend) as other,
    ):
        for each in (client, other):
            assert each.get("/secure", headers={"api-key": key}).json()["key"] == key
            assert each.get("/secure", headers={"api-key": "x" * 36}).status_code == 403
        guarded.security.close()
        assert client.get("/secure", headers={"api-key": key}).json()["key"] == key
        guarded.security.close()
        assert other.get("/secure", headers={"api-key": key}).json()["key"] == key


def test_a_redis_without_a_store_is_a_wrong_setting(redis: StoreServer, guard: Guard) -> None:
    """It may be one that has lost its keys."""
    guarded = guard(db_location=redis.place(next(redis.names)))
    with pytest.raises(ConfigurationError, match="init") as caught:
        guarded.start()
    assert caught.value.setting == "db_location"
    assert_wrong(guarded, "/secure", "db_location")


def test_another_bound_is_a_wrong_setting(store: Store, guard: Guard) -> None:
    guarded = guard(db_location=f"{store.location}?max_staleness=7")
    with pytest.raises(ConfigurationError, match="max_staleness") as caught:
        guarded.start()
    assert caught.value.setting == "db_location"
    assert_wrong(guarded, "/secure", "db_location")


def test_without_a_secret_no_administrator_is_answered(
    guarded: GuardedApp,
    guard: Guard,
    store: Store,
    environment: pytest.MonkeyPatch,
    package_log: list[str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    key = guarded.new()
    guarded.security.close()
    environment.delenv(SECRET)
    logged = len(package_log)
    without = guard(db_location=store.location)
    assert without.accepts(key)
    assert without.accepts(key)
    [warning] = [line for line in package_log[logged:] if line.startswith("WARNING")]
    assert SECRET in warning
    for path in (*ADMIN_PATHS, "/auth/keys"):
        assert_wrong(without, path, SECRET)
    assert capfd.readouterr().err == ""


def assert_wrong(guarded: GuardedApp, path: str, setting: str) -> None:
    headers = {"secret-key": guarded.secret, "api-key": "x" * 36}
    apps = [middleware_app.build_app(guarded.security)]
    if path != "/auth/keys":
        apps.append(guarded.app)
    for app in apps:
        answer = TestClient(app).get(path, headers=headers)
        assert answer.status_code == 503
        assert setting in answer.json()["detail"]
        assert answer.headers["retry-after"] == "1"


def test_the_program_and_the_app_share_a_store(
    guarded: GuardedApp, store: Store, database: Path
) -> None:
    key = program(database, "keys", "issue", "--db-location", store.location).split()[0]
    guarded.canaries.add(key)
    assert guarded.accepts(key)
    assert isinstance(guarded.security, SimpleSecurity)
    assert key_id(key) in program(database, "keys", "list", "--db-location", store.location)
