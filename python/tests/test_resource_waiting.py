"""Waiting until a change holds everywhere, as if the store were for many machines."""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import anyio
import httpx
import pytest
from guarded_app import GuardedApp

from fastapi_simple_security import _core
from fastapi_simple_security._admin import pass_through
from fastapi_simple_security._core import AdminRequest
from fastapi_simple_security._legacy import changes, secret

LEFT = 1.5
CHANGES = {"issue", "revoke", "renew"}
LegacyKeys = _core.LegacyKeys


class FarKeys:
    """The keys of an engine; others know of a change after `LEFT` seconds more."""

    def __init__(self, *args: Any) -> None:
        self._keys = LegacyKeys(*args)

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._keys, name)
        return self._late(verb) if name in CHANGES else verb

    def _late(self, verb: Callable[..., Any]) -> Callable[..., Any]:
        def change(*args: Any, **more: Any) -> Any:
            made = verb(*args, **more)
            assert made.remaining == 0, "SQLite waits by itself"
            names = [name for name in dir(made) if not name.startswith("_")]
            members = {name: getattr(made, name) for name in names}
            return SimpleNamespace(**{**members, "remaining": LEFT})

        return change


class FarRequest:
    """A request to the resource API; others know of its change after `LEFT` seconds more."""

    def __init__(self, *args: Any) -> None:
        self._request = AdminRequest(*args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)

    def run(self) -> Any:
        made = self._request.run()
        if made is None:
            return None
        assert made.wait == 0, "SQLite waits by itself"
        return SimpleNamespace(status=made.status, headers=made.headers, body=made.body, wait=LEFT)


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """For how long was waited, each time, without that it takes so long."""
    times: list[float] = []

    async def sleep(seconds: float) -> None:
        times.append(seconds)

    monkeypatch.setattr(anyio, "sleep", sleep)
    monkeypatch.setattr(secret, "LegacyKeys", FarKeys)
    monkeypatch.setattr(pass_through, "AdminRequest", FarRequest)
    return times


def test_the_resource_api_waits_as_long_as_the_router_says(
    waited: list[float], guarded: GuardedApp
) -> None:
    """When it does is tested with a store on a network, in `test_network_stores.py`."""
    guarded.app.include_router(guarded.security.admin_router, prefix="/auth")
    headers = {"secret-key": guarded.secret}
    assert guarded.client.get("/auth/keys", headers=headers).status_code == 200
    assert waited == [LEFT]


def test_the_routes_of_the_old_package_always_wait(
    waited: list[float], guarded: GuardedApp
) -> None:
    key = guarded.new()
    assert guarded.revoke(key).status_code == 200
    assert guarded.renew(key).status_code == 200
    guarded.logs()
    assert waited == [LEFT] * 3


def test_hanging_routes_of_1_x_leave_the_threads_of_the_app_alone(
    monkeypatch: pytest.MonkeyPatch, guarded: GuardedApp
) -> None:
    key, release = guarded.new(), threading.Event()

    class Hanging(FarKeys):
        def revoke(self, named: str) -> Any:
            assert release.wait(30)
            return self._keys.revoke(named)

    monkeypatch.setattr(secret, "LegacyKeys", Hanging)
    transport = httpx.ASGITransport(guarded.app)

    async def ask(path: str, headers: dict[str, str]) -> int:
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            return (await client.get(path, headers=headers)).status_code

    async def scenario() -> None:
        revoke = (f"/auth/revoke?api-key={key}", {"secret-key": guarded.secret})
        async with anyio.create_task_group() as tasks:
            # More than the app's own `def` routes have.
            for _ in range(50):
                tasks.start_soon(ask, *revoke)
            try:
                for path in ("/secure", "/secure-sync") * 5:
                    with anyio.fail_after(10):
                        assert await ask(path, {"api-key": key}) == 200
            finally:
                release.set()

    anyio.run(scenario)
    assert not guarded.accepts(key)


def test_a_request_is_polled_until_it_has_its_response(guarded: GuardedApp) -> None:
    """And a client that has disconnected stays so: half of a body is not a whole one."""
    headers = [
        (b"secret-key", guarded.secret.encode()),
        (b"content-type", b"application/json"),
    ]
    engine = guarded.security._engine
    request = AdminRequest(engine, "POST", b"/keys", b"", headers, "test")
    assert request.run() is None
    assert request.run() is None
    request.disconnect()
    request.end()
    response = request.run()
    assert response is not None
    assert response.status == 422
    with pytest.raises(RuntimeError, match="has its response already"):
        request.run()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_it_waits_on_every_event_loop(backend: str) -> None:
    if backend == "trio":
        pytest.importorskip("trio")

    change: Any = SimpleNamespace(id="id", remaining=0.01)

    async def make() -> Any:
        return await changes.make("issued", lambda: change)

    assert anyio.run(make, backend=backend) is change
