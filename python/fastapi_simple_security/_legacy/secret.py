"""The admin secret on the routes of 1.x."""

import logging
from collections.abc import MutableMapping
from typing import Any

from fastapi import HTTPException, Request, Response

from fastapi_simple_security import _answers
from fastapi_simple_security._admin_secret import AdminSecret
from fastapi_simple_security._core import LegacyKeys, LogThrottle, Refusal
from fastapi_simple_security._logs.mask import client_address

_logger = logging.getLogger("fastapi_simple_security")
_rejections = LogThrottle()

_WRONG = (
    "Wrong secret key. If not set through environment variable 'FASTAPI_SIMPLE_SECURITY_SECRET', "
    "it was generated automatically at startup and appears in the server logs."
)
_DETAILS = {
    Refusal.NotPresented: "secret_key must be passed as a header field",
    Refusal.Repeated: _WRONG,
    Refusal.Denied: _WRONG,
}


class LegacySecret(AdminSecret):
    """Rejects a request without the admin secret: 403."""

    async def __call__(self, request: Request, response: Response) -> LegacyKeys:
        """Returns the keys. Raises 403 without the admin secret, or 503 if it cannot be checked."""
        response.headers.update(_answers.NO_STORE)
        admin = await self.authenticate(request.scope)
        if isinstance(admin, Refusal):
            raise self.rejection(request.scope, admin)
        return LegacyKeys(self.engine, admin)

    def rejection(self, scope: MutableMapping[str, Any], refusal: Refusal) -> Exception:
        """Logs at most once a second: a client may guess thousands of secrets in one."""
        requests = _rejections.record()
        if requests is not None:
            _logger.warning(
                "%s admin secret from %s (requests rejected since the last such line: %d)",
                "missing" if refusal == Refusal.NotPresented else "wrong",
                client_address(scope),
                requests,
            )
        return HTTPException(403, _DETAILS[refusal], _answers.NO_STORE)
