"""Keys from Python code on PostgreSQL and Redis, where a call waits for a network."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from guarded_app import ADMIN_SECRET
from network_stores import Store

from fastapi_simple_security import (
    IssuedKey,
    KeyRejected,
    SimpleSecurity,
    StoreUnavailable,
)

# That of the stores of these tests.
STALENESS = 0.5

MakeSecurity = Callable[[], SimpleSecurity]


@pytest.fixture
def make(store: Store) -> Iterator[MakeSecurity]:
    made: list[SimpleSecurity] = []

    def make() -> SimpleSecurity:
        made.append(SimpleSecurity(secret=ADMIN_SECRET, db_location=store.location))
        return made[-1]

    yield make
    for security in made:
        security.close()


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> str:
    if request.param == "trio":
        pytest.importorskip("trio")
    return str(request.param)


def text(issued: IssuedKey, canaries: set[str]) -> str:
    assert issued.key is not None
    canaries.add(issued.key)
    return issued.key


def rejected(security: SimpleSecurity, key: str) -> str:
    with pytest.raises(KeyRejected) as caught:
        security.verify(key)
    return caught.value.reason


def test_a_change_holds_everywhere_when_the_call_returns(
    make: MakeSecurity, canaries: set[str]
) -> None:
    security, other = make(), make()
    begun = time.monotonic()
    issued = security.keys.issue("alice", owner="acme")
    assert time.monotonic() - begun >= STALENESS * 0.9
    key = text(issued, canaries)
    assert other.verify(key).name == "alice"
    begun = time.monotonic()
    security.keys.revoke(issued.id)
    assert time.monotonic() - begun >= STALENESS * 0.9
    assert rejected(other, key) == "revoked"
    security.keys.renew(issued.id, expires_at=None)
    assert other.verify(key).expires_at is None
    other.flush()
    assert security.keys.get(issued.id).usage.total == 2
    assert [key.id for key in security.keys.list(owner="acme")] == [issued.id]
    security.keys.delete(issued.id)
    assert rejected(other, key) == "unknown"


def test_the_same_in_async_code(make: MakeSecurity, canaries: set[str], backend: str) -> None:
    """The event loop goes on while a change is waited for."""
    security = make()

    async def live() -> int:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await anyio.sleep(0.01)
                ticks += 1

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(tick)
            issued = await security.keys.issue_async("alice")
            key = text(issued, canaries)
            assert (await security.verify_async(key)).id == issued.id
            await security.flush_async()
            assert [key.usage.total async for key in security.keys.list_async()] == [1]
            begun = time.monotonic()
            await security.keys.revoke_async(issued.id)
            assert time.monotonic() - begun >= STALENESS * 0.9
            with pytest.raises(KeyRejected, match="is revoked"):
                await security.verify_async(key)
            tasks.cancel_scope.cancel()
        return ticks

    assert anyio.run(live, backend=backend) > 40


BLOCKING: dict[str, Callable[[SimpleSecurity], object]] = {
    "await security.keys.issue_async(...)": lambda security: security.keys.issue("alice"),
    "await security.keys.get_async(...)": lambda security: security.keys.get("x"),
    "await security.keys.edit_async(...)": lambda security: security.keys.edit("x", name="bob"),
    "await security.keys.renew_async(...)": lambda security: security.keys.renew("x"),
    "await security.keys.revoke_async(...)": lambda security: security.keys.revoke("x"),
    "await security.keys.delete_async(...)": lambda security: security.keys.delete("x"),
    "async for key in security.keys.list_async(...)": lambda security: security.keys.list(),
    "await security.verify_async(...)": lambda security: security.verify("x" * 40),
    "await security.flush_async()": lambda security: security.flush(),
}


@pytest.mark.parametrize("is_open", [False, True])
def test_under_an_event_loop_the_blocking_form_names_the_other(
    make: MakeSecurity, is_open: bool, backend: str
) -> None:
    security = make()
    if is_open:
        security.open()

    async def call_all() -> None:
        for instead, call in BLOCKING.items():
            with pytest.raises(RuntimeError) as caught:
                call(security)
            name = instead.removeprefix("async for key in ").removeprefix("await ")
            name = name.split("_async")[0]
            assert str(caught.value) == (
                f"{name} waits for the store and would block the event loop; use `{instead}`"
            )

    async def call_in_a_callback() -> None:
        """No task runs there, and the event loop does."""
        raised: list[Exception] = []
        done = anyio.Event()

        def call() -> None:
            try:
                security.keys.list()
            except RuntimeError as error:
                raised.append(error)
            done.set()

        if backend == "asyncio":
            import asyncio

            asyncio.get_running_loop().call_soon(call)
        else:
            import trio

            trio.lowlevel.current_trio_token().run_sync_soon(call)
        await done.wait()
        assert len(raised) == 1

    anyio.run(call_all, backend=backend)
    anyio.run(call_in_a_callback, backend=backend)
    assert security._engine.is_open is is_open
    assert list(security.keys.list()) == [], "nothing was changed"


def test_on_other_threads_of_an_event_loop_it_may_block(
    make: MakeSecurity, canaries: set[str], backend: str
) -> None:
    security = make()
    key = text(security.keys.issue("alice"), canaries)

    async def on_a_thread() -> str:
        return await anyio.to_thread.run_sync(lambda: security.verify(key).name)

    assert anyio.run(on_a_thread, backend=backend) == "alice"


def test_a_list_that_goes_on_under_an_event_loop(
    make: MakeSecurity, canaries: set[str], backend: str
) -> None:
    """It began outside, and the second page would block."""
    security = make()

    async def issue() -> None:
        text(await security.keys.issue_async(), canaries)

    async def issue_all() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(101):
                tasks.start_soon(issue)

    async def go_on() -> None:
        with pytest.raises(RuntimeError, match=r"use `async for key in security\.keys\.list_async"):
            next(keys)

    anyio.run(issue_all)
    keys = security.keys.list()
    assert len([next(keys) for _ in range(100)]) == 100
    anyio.run(go_on, backend=backend)


def test_def_routes_may_block_and_async_routes_may_not(
    make: MakeSecurity, canaries: set[str]
) -> None:
    security = make()
    app = FastAPI()

    @app.post("/sync")
    def issue() -> str:
        return text(security.keys.issue("sync"), canaries)

    @app.post("/blocking")
    async def issue_blocking() -> str:
        return text(security.keys.issue("blocking"), canaries)

    @app.post("/async")
    async def issue_async() -> str:
        return text(await security.keys.issue_async("async"), canaries)

    client = TestClient(app)
    assert security.verify(client.post("/sync").json()).name == "sync"
    assert security.verify(client.post("/async").json()).name == "async"
    with pytest.raises(RuntimeError, match=r"use `await security\.keys\.issue_async\(\.\.\.\)`"):
        client.post("/blocking")


def test_while_the_store_is_down(
    make: MakeSecurity, store: Store, canaries: set[str], backend: str
) -> None:
    security = make()
    issued = security.keys.issue("alice")
    key = text(issued, canaries)
    security.verify(key)
    security.flush()
    store.network.cut()
    # What is remembered may be used until the bound.
    time.sleep(STALENESS)

    async def verify() -> None:
        await security.verify_async(key)

    async def revoke() -> None:
        await security.keys.revoke_async(issued.id)

    async def read() -> None:
        _ = [key async for key in security.keys.list_async()]

    calls: list[Callable[[], Any]] = [
        lambda: security.verify(key),
        lambda: security.keys.issue("bob"),
        lambda: security.keys.get(issued.id),
        lambda: security.keys.revoke(issued.id),
        lambda: list(security.keys.list()),
        *(lambda call=call: anyio.run(call, backend=backend) for call in (verify, revoke, read)),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable) as caught:
            call()
        assert key not in str(caught.value)
    store.network.mend()
    deadline = time.monotonic() + 20
    while True:
        try:
            security.verify(key)
            break
        except StoreUnavailable:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    security.flush()
    assert security.keys.get(issued.id).state == "active"
