"""Keeps keys out of the traces that FastAPI makes where an app has set a tracer.

They carry the query of a request. FastAPI redacts the parameters on a list, which is not a setting
but a name inside of it: another version may have it elsewhere, and then shows keys.
"""

import logging
from typing import Any

from fastapi_simple_security._logs.mask import NAMES

_logger = logging.getLogger("fastapi_simple_security")


def redact_keys_in_traces() -> None:
    """Adds the names of keys and admin secrets to FastAPI's list; warns if there is none."""
    try:
        from fastapi import telemetry
    except ImportError:
        # Older FastAPI makes no traces.
        return
    module: Any = getattr(telemetry, "_asgi", None)
    listed = getattr(module, "_SENSITIVE_QUERY_PARAMETERS", None)
    if isinstance(listed, frozenset):
        module._SENSITIVE_QUERY_PARAMETERS = listed | NAMES
        return
    _logger.warning(
        "traces of FastAPI may show keys that are sent in the query: this version redacts no list "
        "of parameters that is known here; see docs/what-sees-your-keys.md"
    )
