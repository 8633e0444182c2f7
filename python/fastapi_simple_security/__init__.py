"""API keys for FastAPI in two lines.

>>> from fastapi import Depends, FastAPI
>>> from fastapi_simple_security import api_key_router, api_key_security
>>> app = FastAPI()
>>> app.include_router(api_key_router, prefix="/auth")
>>> @app.get("/secure", dependencies=[Depends(api_key_security)])
... async def secure() -> str:
...     return "only with a key"

`api_key_security` is an instance of `SimpleSecurity`, and `api_key_router` is its `legacy_router`,
with the four routes of 1.x. Its settings are environment variables, read at first use. Make
instances of your own for settings in code.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fastapi_simple_security._api_key import ApiKey
from fastapi_simple_security._core import IssuedKey, KeyDetails, KeyUsage, __version__
from fastapi_simple_security._default import api_key_security
from fastapi_simple_security._errors import (
    ConfigurationError,
    InvalidInput,
    KeyExists,
    KeyNotFound,
    KeyRejected,
    SecurityError,
    StoreUnavailable,
    SystemFailure,
)
from fastapi_simple_security._logs.key_filter import KeyFilter, filter_server_logs
from fastapi_simple_security._logs.mask import mask_keys
from fastapi_simple_security._logs.traces import redact_keys_in_traces
from fastapi_simple_security._security import SimpleSecurity

__all__ = [
    "ApiKey",
    "ApiKeyMiddleware",
    "ConfigurationError",
    "InvalidInput",
    "IssuedKey",
    "KeyDetails",
    "KeyExists",
    "KeyFilter",
    "KeyNotFound",
    "KeyRejected",
    "KeyUsage",
    "Keys",
    "SecurityError",
    "SimpleSecurity",
    "StoreUnavailable",
    "SystemFailure",
    "__version__",
    "api_key_router",
    "api_key_security",
    "mask_keys",
]

if TYPE_CHECKING:
    from fastapi_simple_security._keys import Keys
    from fastapi_simple_security._middleware.middleware import ApiKeyMiddleware

    api_key_router = api_key_security.legacy_router
else:
    _AT_FIRST_ACCESS = {
        "ApiKeyMiddleware": "fastapi_simple_security._middleware.middleware",
        "Keys": "fastapi_simple_security._keys",
    }

    def __getattr__(name: str) -> Any:
        # Made at first access: for the first parameter of a route FastAPI imports much, which
        # takes far longer than all of this package.
        if name == "api_key_router":
            return api_key_security.legacy_router
        if name in _AT_FIRST_ACCESS:
            return getattr(import_module(_AT_FIRST_ACCESS[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


filter_server_logs()
redact_keys_in_traces()
