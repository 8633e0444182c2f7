"""The secret that guards the routes of the administrator."""

from collections.abc import Callable

from fastapi import Request, Response
from fastapi.openapi.models import APIKey
from fastapi.security.base import SecurityBase

from fastapi_simple_security import _answers, _core
from fastapi_simple_security._errors import SecurityError
from fastapi_simple_security._waiting import wait_for_store


class AdminSecret(SecurityBase):
    """Lets a request pass that has the admin secret in its header `secret-key`.

    Args:
        engine: knows the secret.
        refused: makes the exception for a request that may not pass.
    """

    def __init__(
        self,
        engine: _core.Engine,
        refused: Callable[[_core.Refusal], Exception] = _answers.secret_refused,
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
            raise self.refused(refusal)
        request.scope[self._passed] = True
