"""Changes of keys, as the routes make them and the log shows them."""

import logging
from collections.abc import Callable

import anyio
from starlette.concurrency import run_in_threadpool

from fastapi_simple_security._core import LegacyChange

_logger = logging.getLogger("fastapi_simple_security")


async def make(verb: str, change: Callable[[], LegacyChange], *, wait: bool = True) -> LegacyChange:
    """Makes a change on a thread, because it may take long.

    Args:
        verb: what is done to the key, in the past tense, for the log.
        change: calls the engine.
        wait: until the change holds everywhere. That can take seconds, and holds no thread: the
            pool of an app has few.
    """

    def make_and_log() -> LegacyChange:
        # On the thread: a change is logged even if its request is cancelled by then.
        changed = change()
        # Without the name: an administrator may paste anything into it, even a key.
        _logger.info("%s key %s", verb, changed.id)
        return changed

    changed = await run_in_threadpool(make_and_log)
    if wait and changed.remaining > 0:
        await anyio.sleep(changed.remaining)
    return changed
