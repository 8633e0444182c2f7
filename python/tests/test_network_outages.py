"""A store on a network that does not answer: only what it must be asked for waits, not for long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import httpx
import middleware_app
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from guarded_app import GuardedApp
from network_stores import SHORT, NewStore, Store, init
from servers import wait_until
from starlette.websockets import WebSocketDisconnect

from fastapi_simple_security import StoreUnavailable

TRY_AGAIN_LATER = 1013
# In seconds, and several times as long as it takes, for a busy machine. It tells what ends from
# what waits for ever: a store that does not answer is given up after one second, or two in a crowd
# that has no thread for each, and not opened after ten. Two tries to open it would be twenty.
GIVEN_UP = 10.0
NOT_OPENED = 18.0
CHANGED = 20.0
# For so long a key that was just used is let in without the store: half of `LONG`.
LET_IN = 2.0
CROWD = 100
# Less than a store that does not answer is waited for.
AT_ONCE = 0.5

Guard = Callable[..., GuardedApp]
Lasting = tuple[Store, list[str]]
Answer = tuple[httpx.Response, float]
Ask = Callable[[str, str], Awaitable[Answer]]


def guarding(guard: Guard, location: str) -> GuardedApp:
    """An app with two routes that need no key beside those that do."""
    guarded = guard(db_location=location)

    @guarded.app.get("/unsecured-sync")
    def unsecured() -> str:
        return "open"

    return guarded


def run(app: FastAPI, scenario: Callable[[Ask], Awaitable[None]]) -> None:
    """Runs a scenario on the event loop that the app runs on."""

    async def running() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:

            async def ask(path: str, key: str) -> Answer:
                begun = time.monotonic()
                answer = await client.get(path, headers={"api-key": key})
                return answer, time.monotonic() - begun

            await scenario(ask)

    asyncio.run(running())


async def stall_when_known(store: Store, ask: Ask, key: str) -> float:
    """Stalls the network once a key is cached; since when, by the monotonic clock.

    The first two readings of an engine may overlap, and the later one then forgets what was
    looked up after the other. So it is tried again where the key has to be asked for.
    """
    for _ in range(10):
        assert (await ask("/secure", key))[0].status_code == 200
        begun = time.monotonic()
        store.network.stall()
        answer, seconds = await ask("/secure", key)
        if answer.status_code == 200 and seconds < AT_ONCE:
            return begun
        store.network.mend()
        await until(lambda: is_let_in(ask, key), CHANGED)
    pytest.fail("a key that was just used is asked for each time")


@pytest.mark.parametrize("way", ["dependency", "middleware"])
def test_while_the_store_stalls_nobody_else_waits(lasting: Lasting, guard: Guard, way: str) -> None:
    store, [known, *others] = lasting
    guarded = guarding(guard, store.location)
    app, free = guarded.app, "/unsecured"
    if way == "middleware":
        app, free = middleware_app.build_app(guarded.security), "/health"

    async def scenario(ask: Ask) -> None:
        begun = await stall_when_known(store, ask, known)
        waiting = [asyncio.create_task(ask("/secure", key)) for key in others]
        answered, let_in = 0, 0
        while not all(task.done() for task in waiting):
            answered += (await ask(free, ""))[0].status_code == 200
            answer, _ = await ask("/secure", known)
            if time.monotonic() < begun + LET_IN:
                assert answer.status_code == 200, answer.text
                let_in += 1
            await asyncio.sleep(0.01)
        # Fewer than the others, if each waited as long as they do.
        assert answered > 10
        assert let_in > 10
        for answer, seconds in [task.result() for task in waiting]:
            refused_for_now(answer)
            assert seconds < GIVEN_UP
        store.network.mend()
        for key in others:
            await until(lambda key=key: is_let_in(ask, key), CHANGED)

    run(app, scenario)


# The threads are the same for every store, and each takes ten seconds.
@pytest.mark.parametrize("store_server", ["postgres"], indirect=True)
def test_a_revocation_that_hangs_delays_nobody_else(lasting: Lasting, guard: Guard) -> None:
    """The resource API has its own threads: two instances hold more than an app's routes have."""
    store, [known, *_] = lasting
    guarded = guarding(guard, store.location)
    prefixes = ("/auth", "/other")
    for prefix, security in zip(
        prefixes, (guarded.security, guard(db_location=store.location).security), strict=True
    ):
        guarded.app.include_router(security.admin_router, prefix=prefix)
    transport = httpx.ASGITransport(guarded.app)

    async def revoke(prefix: str = "/auth") -> int:
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            headers = {"secret-key": guarded.secret}
            answer = await client.post(f"{prefix}/keys/00000000000/revoke", headers=headers)
            return answer.status_code

    async def scenario(ask: Ask) -> None:
        for prefix in prefixes:
            assert await revoke(prefix) == 404
        begun = await stall_when_known(store, ask, known)
        hanging = [asyncio.create_task(revoke(prefix)) for prefix in prefixes for _ in range(CROWD)]
        let_in = 0
        while time.monotonic() < begun + LET_IN:
            for path in ("/secure", "/secure-sync"):
                answer, _ = await ask(path, known)
                if time.monotonic() < begun + LET_IN:
                    assert answer.status_code == 200, answer.text
                    let_in += 1
            assert (await ask("/unsecured-sync", ""))[0].status_code == 200
            await asyncio.sleep(0.01)
        assert let_in > 10
        assert {await each for each in hanging} == {503}
        store.network.mend()

        async def is_back() -> bool:
            return await revoke() == 404

        await until(is_back, CHANGED)

    run(guarded.app, scenario)


def test_a_crowd_that_waits_leaves_the_threads_of_the_app_alone(
    lasting: Lasting, guard: Guard
) -> None:
    store, [known, *_] = lasting
    guarded = guarding(guard, store.location)

    async def scenario(ask: Ask) -> None:
        begun = await stall_when_known(store, ask, known)
        crowd = [asyncio.create_task(ask("/secure", f"{n:036}")) for n in range(CROWD)]
        answered = 0
        while not all(task.done() for task in crowd):
            answer, _ = await ask("/unsecured-sync", "")
            assert answer.status_code == 200
            answered += 1
            answer, _ = await ask("/secure-sync", known)
            if time.monotonic() < begun + LET_IN:
                assert answer.status_code == 200, answer.text
            await asyncio.sleep(0.01)
        assert answered > 10
        for answer, seconds in [task.result() for task in crowd]:
            refused_for_now(answer)
            assert seconds < GIVEN_UP
        store.network.mend()
        await until(lambda: is_let_in(ask, known), CHANGED)

    run(guarded.app, scenario)


def test_an_outage(new_store: NewStore, guard: Guard) -> None:
    store = new_store(SHORT)
    guarded = guarding(guard, store.location)
    key = guarded.new()
    behind = TestClient(middleware_app.build_app(guarded.security))
    counted = 0

    async def scenario(ask: Ask) -> None:
        async def is_accepted() -> bool:
            nonlocal counted
            answer, seconds = await ask("/secure", key)
            assert seconds < GIVEN_UP
            if answer.status_code == 200:
                counted += 1
                return True
            refused_for_now(answer)
            return False

        async def is_refused() -> bool:
            return not await is_accepted()

        for _ in range(2):
            assert await is_accepted()
            store.network.cut()
            await until(is_refused, CHANGED)
            for _ in range(20):
                assert await is_refused()
            refused_for_now((await ask("/secure", "x" * 36))[0])
            store.network.mend()
            await until(is_accepted, CHANGED)

    run(guarded.app, scenario)
    store.network.cut()
    wait_until(lambda: guarded.use(key).status_code == 503, CHANGED, "the end of the lease")
    for answer in (behind.get("/secure", headers={"api-key": key}), guarded.admin("logs")):
        refused_for_now(answer)
    # An open path does not need the store.
    assert behind.get("/health", headers={"api-key": key}).status_code == 200
    with (
        pytest.raises(WebSocketDisconnect) as refused,
        behind.websocket_connect("/socket", headers={"api-key": key}),
    ):
        raise AssertionError("accepted")
    assert refused.value.code == TRY_AGAIN_LATER
    store.network.mend()
    wait_until(lambda: guarded.use(key).status_code == 200, CHANGED, "the store is back")
    wait_until(lambda: guarded.admin("logs").status_code == 200, CHANGED, "for administrators too")
    # More were accepted while it was waited for, and not counted here.
    assert guarded.log_of(key)["total_queries"] > counted


def test_what_is_counted_while_the_store_is_down_is_not_lost(
    lasting: Lasting, guard: Guard
) -> None:
    store, [*_, key] = lasting
    direct = guard(db_location=store.direct)
    before = direct.log_of(key)["total_queries"]
    guarded = guarding(guard, store.location)
    assert guarded.accepts(key)
    store.network.cut()
    counted = 1
    while (answer := guarded.use(key)).status_code == 200:
        counted += 1
    refused_for_now(answer)
    assert counted > 50
    store.network.mend()
    counted += before
    wait_until(
        lambda: direct.log_of(key)["total_queries"] == counted, CHANGED, f"{counted} counted"
    )


@pytest.mark.parametrize("how", ["cut", "stall"])
def test_down_at_the_start(new_store: NewStore, guard: Guard, how: str) -> None:
    store = new_store(SHORT)
    getattr(store.network, how)()
    guarded = guarding(guard, store.location)

    async def scenario(ask: Ask) -> None:
        begun = time.monotonic()
        starting = asyncio.create_task(asyncio.to_thread(guarded.start))
        # Without a lifespan each request opens it; one try is for all that wait.
        crowd = [asyncio.create_task(ask("/secure", "x" * 36)) for _ in range(CROWD)]
        answered = 0
        while not all(task.done() for task in (starting, *crowd)):
            answer, _ = await ask("/unsecured-sync", "")
            assert answer.status_code == 200
            answered += 1
            await asyncio.sleep(0.01)
        assert answered > 10 or how == "cut"
        with pytest.raises(StoreUnavailable):
            starting.result()
        for answer, _ in [task.result() for task in crowd]:
            refused_for_now(answer)
        assert time.monotonic() - begun < NOT_OPENED
        store.network.mend()
        await until(lambda: is_refused(ask), CHANGED)

    async def is_refused(ask: Ask) -> bool:
        return (await ask("/secure", "x" * 36))[0].status_code == 403

    run(guarded.app, scenario)


@pytest.mark.parametrize("made", [False, True], ids=["empty", "another"])
def test_a_store_that_has_lost_its_keys_refuses_for_now(
    new_store: NewStore, guard: Guard, made: bool
) -> None:
    """Never as if the key were wrong, however long it lasts."""
    store = new_store(SHORT)
    guarded = guarding(guard, store.location)
    key = guarded.new()
    assert guarded.accepts(key)
    store.empty()
    if made:
        init(store, SHORT)
    wait_until(lambda: guarded.use(key).status_code == 503, CHANGED, "the end of the lease")
    for _ in range(20):
        refused_for_now(guarded.use(key))
        refused_for_now(guarded.use("x" * 36))


def refused_for_now(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.headers["retry-after"] == "1"


async def is_let_in(ask: Ask, key: str) -> bool:
    return (await ask("/secure", key))[0].status_code == 200


async def until(condition: Callable[[], Awaitable[bool]], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.01)
