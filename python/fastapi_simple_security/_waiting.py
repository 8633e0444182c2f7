"""Waiting for the store, which may be on a network, while the event loop goes on."""

import asyncio
import sys
from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, move_on_after, to_thread
from anyio.lowlevel import RunVar

from fastapi_simple_security._core import MAX_IN_FLIGHT, Engine
from fastapi_simple_security._errors import StoreUnavailable

Answer = TypeVar("Answer")

# How many threads of an event loop may wait for the store. They are not those that an app's `def`
# routes run on: a store that does not answer would take all of them.
_THREADS = 64
# How long a request waits for one of these threads, in seconds.
_PATIENCE = 1.0

_threads: RunVar[CapacityLimiter] = RunVar("fastapi_simple_security.threads")

# How many threads of an event loop the app's own code may use to change and read keys. They are
# separate from those above, so that a job that issues a thousand keys delays no request.
_CODE_THREADS = 8

_code_threads: RunVar[CapacityLimiter] = RunVar("fastapi_simple_security.code_threads")

# How many threads of an event loop serve admin routes. More than the requests that their router
# allows in progress, so that the router can reject the next one.
_ROUTE_THREADS = MAX_IN_FLIGHT + 8

_route_threads: RunVar[CapacityLimiter] = RunVar("fastapi_simple_security.route_threads")


async def wait_for_store(ask: Callable[[], Answer]) -> Answer:
    """What the store says.

    Args:
        ask: holds its thread until the store has answered, or was given up.

    Raises:
        StoreUnavailable: all threads wait for the store already, and none of them came free.
        SecurityError: what `ask` raises.
    """
    threads = _limiter(_threads, _THREADS)
    # What a thread has begun is waited for: a key that it accepts is counted.
    with move_on_after(_PATIENCE):
        return await to_thread.run_sync(ask, limiter=threads)
    raise StoreUnavailable(f"{_THREADS} requests wait for the store of the API keys already")


async def run_for_code(ask: Callable[[], Answer]) -> Answer:
    """Runs a call that changes or reads keys on a thread, and waits until one is free.

    Args:
        ask: holds its thread until the store responds or times out. Cancelling the caller does not
            stop it.

    Raises:
        SecurityError: what `ask` raises.
    """
    return await to_thread.run_sync(ask, limiter=_limiter(_code_threads, _CODE_THREADS))


async def run_for_route(step: Callable[[], Answer]) -> Answer:
    """Runs a step of a request to an admin route on a thread.

    Args:
        step: holds its thread until the store responds or times out. Cancelling the caller does not
            stop it.
    """
    return await to_thread.run_sync(step, limiter=_limiter(_route_threads, _ROUTE_THREADS))


def refuse_to_block(engine: Engine, call: str, instead: str) -> None:
    """Rejects a call that would block an event loop until a store on the network responds.

    Args:
        engine: the call would use its store.
        call: the name of the method that was called.
        instead: what to write.

    Raises:
        RuntimeError: an event loop runs on this thread, and the store is not a local file.
    """
    if _event_loop_runs() and not engine.is_embedded:
        raise RuntimeError(
            f"{call} waits for the store and would block the event loop; use `{instead}`"
        )


def _event_loop_runs() -> bool:
    """Whether an event loop of asyncio or trio runs on this thread.

    Queries each library directly: anyio and sniffio raise different errors in different versions.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        return True
    trio = sys.modules.get("trio")
    if trio is None:
        return False
    try:
        trio.lowlevel.current_trio_token()
    except RuntimeError:
        return False
    return True


def _limiter(kept: RunVar[CapacityLimiter], threads: int) -> CapacityLimiter:
    """The limiter of this event loop."""
    try:
        return kept.get()
    except LookupError:
        limiter = CapacityLimiter(threads)
        kept.set(limiter)
        return limiter
