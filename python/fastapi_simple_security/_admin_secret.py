"""The secret that guards the routes of the administrator."""

import logging
from collections.abc import Callable, MutableMapping
from typing import Any

from fastapi import Request, Response
from fastapi.openapi.models import APIKey
from fastapi.security.base import SecurityBase

from fastapi_simple_security import _answers
from fastapi_simple_security._core import Engine, LogThrottle, Refusal
from fastapi_simple_security._errors import SecurityError
from fastapi_simple_security._logs.mask import mask_keys
from fastapi_simple_security._waiting import wait_for_store

_logger = logging.getLogger("fastapi_simple_security")
_rejections = LogThrottle()


class AdminSecret(SecurityBase):
    """Lets a request pass that has the admin secret in its header `secret-key`.

    Args:
        engine: knows the secret.
        refused: makes the exception for a request that may not pass.
    """

    def __init__(
        self,
        engine: Engine,
        refused: Callable[[Refusal], Exception] = _answers.secret_refused,
    ) -> None:
        self.engine = engine
        self.refused = refused
        self._passed = f"fastapi_simple_security.admin.{id(self)}"
        self.model = APIKey.model_validate({"in": "header", "name": "secret-key"})
        self.scheme_name = "Secret header"

    async def __call__(self, request: Request, response: Response) -> None:
        """Passes, or raises what `check` does. No answer to an administrator may be stored."""
        response.headers.update(_answers.NO_STORE)
        await self.check(request)

    def rejection(self, scope: MutableMapping[str, Any], refusal: Refusal) -> Exception:
        """The response to a request without the admin secret, which is logged.

        At most once a second: a client may guess thousands of secrets in one.
        """
        requests = _rejections.record()
        if requests is not None:
            host, *_ = scope.get("client") or ("an unknown address",)
            # A proxy may report any text as the address.
            _logger.warning(
                "%s admin secret from %s (requests rejected since the last such line: %d)",
                "missing" if refusal == Refusal.NotPresented else "wrong",
                mask_keys(host if str(host).isprintable() else repr(host)),
                requests,
            )
        return self.refused(refusal)

    async def check(self, request: Request) -> None:
        """Passes, or raises: by `refused`, or 503 when it cannot be told."""
        if self._passed in request.scope:
            return
        try:
            if not self.engine.is_open:
                await wait_for_store(self.engine.open)
            refusal = self.engine.check_admin(request.scope["headers"])
        except SecurityError as error:
            raise _answers.unavailable("http", error) from error
        if refusal is not None:
            raise self.rejection(request.scope, refusal)
        request.scope[self._passed] = True
