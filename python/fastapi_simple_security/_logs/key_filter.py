"""Keeps keys and admin secrets out of logs."""

import logging
from contextlib import suppress

from fastapi_simple_security._api_key import ApiKey
from fastapi_simple_security._logs.mask import mask_keys

# The loggers of uvicorn, and the one that its WebSockets had in older versions. A filter of a
# logger does not see what its children log, so each has its own.
_LOGGERS = ("uvicorn", "uvicorn.access", "uvicorn.asgi", "uvicorn.error", "websockets.server")

_formatter = logging.Formatter()


class KeyFilter(logging.Filter):
    """A logging filter that masks keys and admin secrets, as `mask_keys` does, and drops no record.

    The loggers of uvicorn have one. Add it to those of another server:
    `logging.getLogger("hypercorn.access").addFilter(KeyFilter())`.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Masks a record in place. It stays as it is where there is nothing to mask."""
        for mask in (_mask_arguments, _mask_message, _mask_traceback):
            # Logging handles a record that cannot be formatted. An error here would reach the code
            # that logs.
            with suppress(Exception):
                mask(record)
        return True


def filter_server_logs() -> None:
    """Masks what uvicorn logs from now on."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(KeyFilter())


def _mask_arguments(record: logging.LogRecord) -> None:
    if isinstance(record.args, tuple):
        masked = tuple(map(_mask_argument, record.args))
        if any(new is not old for new, old in zip(masked, record.args, strict=True)):
            record.args = masked


def _mask_argument(argument: object) -> object:
    # An ApiKey hides itself where it is formatted by `%r`, and the message shows the rest.
    if not isinstance(argument, str) or isinstance(argument, ApiKey):
        return argument
    masked = mask_keys(argument)
    return argument if masked == argument else masked


def _mask_message(record: logging.LogRecord) -> None:
    """Masks what only the whole line shows: a name and its value apart, or within an object."""
    if record.name == "uvicorn.access" and record.args:
        # Its formatter takes the arguments apart, and each is a whole value.
        return
    try:
        message = record.getMessage()
        masked = mask_keys(message)
        if masked == message:
            return
    except Exception:  # noqa: BLE001 (the arguments do not fit; logging would print them)
        masked = mask_keys(f"{record.msg} {record.args!r}")
    record.msg, record.args = masked, ()
    # uvicorn's formatter prefers this one, and fills in the arguments.
    record.__dict__.pop("color_message", None)


def _mask_traceback(record: logging.LogRecord) -> None:
    if record.exc_info:
        text = record.exc_text or _formatter.formatException(record.exc_info)
        masked = mask_keys(text)
        if masked != text:
            # Formatters print the text where there is no exception.
            record.exc_info, record.exc_text = None, masked
