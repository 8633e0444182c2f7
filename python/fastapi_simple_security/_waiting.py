"""Waiting for the store, which may be on a network, while the event loop goes on."""

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, move_on_after, to_thread
from anyio.lowlevel import RunVar

from fastapi_simple_security._errors import StoreUnavailable

Answer = TypeVar("Answer")

# How many threads of an event loop may wait for the store. They are not those that an app's `def`
# routes run on: a store that does not answer would take all of them.
_THREADS = 64
# How long a request waits for one of these threads, in seconds.
_PATIENCE = 1.0

_threads: RunVar[CapacityLimiter] = RunVar("fastapi_simple_security.threads")


async def wait_for_store(ask: Callable[[], Answer]) -> Answer:
    """What the store says.

    Args:
        ask: holds its thread until the store has answered, or was given up.

    Raises:
        StoreUnavailable: all threads wait for the store already, and none of them came free.
        SecurityError: what `ask` raises.
    """
    try:
        threads = _threads.get()
    except LookupError:
        threads = CapacityLimiter(_THREADS)
        _threads.set(threads)
    # What a thread has begun is waited for: a key that it accepts is counted.
    with move_on_after(_PATIENCE):
        return await to_thread.run_sync(ask, limiter=threads)
    raise StoreUnavailable(f"{_THREADS} requests wait for the store of the API keys already")
