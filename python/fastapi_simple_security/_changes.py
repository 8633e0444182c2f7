"""Changes of keys, as the routes make them and the log shows them."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import anyio
from starlette.concurrency import run_in_threadpool

if TYPE_CHECKING:
    from fastapi_simple_security import _core

Outcome = TypeVar("Outcome")

_logger = logging.getLogger("fastapi_simple_security")


async def make(
    verb: str,
    change: "Callable[[], _core._Changed[Outcome]]",
    identity: Callable[[Outcome], str],
    *,
    wait: bool = True,
) -> tuple[Outcome, str]:
    """Makes a change on a thread, because it may take long. Returns the outcome and `effective_by`.

    Args:
        verb: what is done to the key, in the past tense, for the log.
        change: calls the engine.
        identity: the id of the key, from the outcome.
        wait: until the change holds everywhere. That can take seconds, and holds no thread: the
            pool of an app has few.
    """

    def make_and_log() -> "_core._Changed[Outcome]":
        # On the thread: a change is logged even if its request is cancelled by then.
        changed = change()
        # Without the name: an administrator may paste anything into it, even a key.
        _logger.info("%s key %s", verb, identity(changed[0]))
        return changed

    outcome, effective_by, left = await run_in_threadpool(make_and_log)
    if wait and left > 0:
        await anyio.sleep(left)
    return outcome, effective_by
