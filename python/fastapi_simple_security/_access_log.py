"""Keeps keys out of uvicorn's logs.

A key in the query is part of the URL. `uvicorn.access` writes the URLs of requests, and
`uvicorn.error` those of WebSockets.
"""

import logging
from urllib.parse import unquote_plus


def mask_keys_in_access_log() -> None:
    """Masks the parameter `api-key` in all that uvicorn logs from now on."""
    for name in ("uvicorn.access", "uvicorn.error"):
        logging.getLogger(name).addFilter(_mask)


def _mask(record: logging.LogRecord) -> bool:
    if isinstance(record.args, tuple):
        record.args = tuple(
            _masked(argument) if isinstance(argument, str) and "?" in argument else argument
            for argument in record.args
        )
    return True


def _masked(url: str) -> str:
    path, _, query = url.partition("?")
    return f"{path}?{'&'.join(map(_masked_parameter, query.split('&')))}"


def _masked_parameter(parameter: str) -> str:
    name, equals, _ = parameter.partition("=")
    return f"{name}=***" if equals and unquote_plus(name) == "api-key" else parameter
