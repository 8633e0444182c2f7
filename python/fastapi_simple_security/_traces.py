"""Keeps keys out of the traces that FastAPI makes where an app has set a tracer.

They carry the query of a request. FastAPI redacts the parameters on a list, which is not a setting
but a name inside of it: another version may have it elsewhere, and then shows keys.
"""

from fastapi_simple_security._mask import NAMES


def redact_keys_in_traces() -> None:
    """Adds the names of keys and admin secrets to FastAPI's list."""
    try:
        from fastapi.telemetry import _asgi
    except ImportError:
        # Older FastAPI makes no traces.
        return
    listed = getattr(_asgi, "_SENSITIVE_QUERY_PARAMETERS", None)
    if isinstance(listed, frozenset):
        _asgi._SENSITIVE_QUERY_PARAMETERS = listed | NAMES
