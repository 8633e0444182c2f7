"""The security scheme of the admin routes."""

from collections.abc import MutableMapping
from typing import Any

from fastapi.openapi.models import APIKey
from fastapi.security.base import SecurityBase
from starlette.responses import Response

from fastapi_simple_security import _answers
from fastapi_simple_security._core import Admin, Engine, Refusal
from fastapi_simple_security._errors import SecurityError
from fastapi_simple_security._waiting import wait_for_store


class AdminSecret(SecurityBase):
    """A dependency for routes that ask for the admin secret in the header `secret-key`.

    Args:
        engine: knows the secret.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.model = APIKey.model_validate({"in": "header", "name": "secret-key"})
        self.scheme_name = "Secret header"

    async def authenticate(self, scope: MutableMapping[str, Any]) -> Admin | Refusal:
        """Checks the secret of a request.

        Raises:
            HTTPException: 503, if it cannot be checked.
        """
        try:
            if not self.engine.is_open:
                await wait_for_store(self.engine.open)
            return self.engine.authenticate_admin(scope["headers"])
        except SecurityError as error:
            raise _answers.unavailable("http", error) from error

    def rejection(self, scope: MutableMapping[str, Any], refusal: Refusal) -> Exception | Response:
        """The response of these routes to a request without the admin secret, which it logs."""
        raise NotImplementedError
