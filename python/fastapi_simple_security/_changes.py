"""Changes of keys, as the routes make them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import anyio
from starlette.concurrency import run_in_threadpool

if TYPE_CHECKING:
    from fastapi_simple_security import _core

Outcome = TypeVar("Outcome")


async def make(
    change: "Callable[[], _core._Changed[Outcome]]", *, wait: bool = True
) -> tuple[Outcome, str]:
    """Makes a change on a thread, for it may take long; the outcome and `effective_by`.

    Args:
        change: asks the engine.
        wait: until the change holds everywhere. That can take seconds, and holds no thread: the
            pool of an app has few.
    """
    outcome, effective_by, left = await run_in_threadpool(change)
    if wait and left > 0:
        await anyio.sleep(left)
    return outcome, effective_by
