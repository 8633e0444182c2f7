"""Changes of keys by the routes of 1.x, and their log lines."""

import logging
from collections.abc import Callable

import anyio

from fastapi_simple_security._core import LegacyChange
from fastapi_simple_security._waiting import run_for_route

_logger = logging.getLogger("fastapi_simple_security")


async def make(verb: str, change: Callable[[], LegacyChange]) -> LegacyChange:
    """Makes a change on a thread, and waits until every process honours it.

    Args:
        verb: what is done to the key, in the past tense, for the log.
        change: calls the engine, which may take long.
    """

    def make_and_log() -> LegacyChange:
        # On the thread: a change is logged even if its request is cancelled by then.
        changed = change()
        # Without the name: an administrator may paste anything into it, even a key.
        _logger.info("%s key %s", verb, changed.id)
        return changed

    changed = await run_for_route(make_and_log)
    if changed.remaining > 0:
        # It can take seconds, and holds no thread.
        await anyio.sleep(changed.remaining)
    return changed
