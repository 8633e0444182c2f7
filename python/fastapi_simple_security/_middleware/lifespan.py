"""What a middleware does while an app starts and stops."""

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastapi_simple_security._errors import SecurityError

_ENDS = {"lifespan.startup.failed", "lifespan.shutdown.complete", "lifespan.shutdown.failed"}


async def run_lifespan(
    app: ASGIApp,
    opening: Callable[[], None],
    closing: Callable[[], None],
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """Runs an app's lifespan between opening and closing; either may be done by others too.

    Args:
        app: what is inside.
        opening: raises what keeps the app from starting.
        closing: is done when this says that the app has stopped: a server may end the process then.
        scope: of the lifespan.
        receive: of the lifespan.
        send: of the lifespan.

    Raises:
        SecurityError: `opening` did, and the server was told: some take an error alone for an app
            that has no lifespan, and serve it.
    """
    first = await receive()
    try:
        await run_in_threadpool(opening)
    except SecurityError as error:
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        raise
    messages = [first]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    async def send_when_closed(message: Message) -> None:
        if message["type"] in _ENDS:
            await run_in_threadpool(closing)
        await send(message)

    await app(scope, receive_again, send_when_closed)
