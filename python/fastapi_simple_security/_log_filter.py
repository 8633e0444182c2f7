"""Keeps keys and admin secrets out of logs."""

import logging

from fastapi_simple_security._mask import mask_keys

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
        _mask_arguments(record)
        # Its formatter takes the arguments apart, and each is a whole value.
        if record.name != "uvicorn.access":
            _mask_message(record)
        _mask_traceback(record)
        return True


def filter_server_logs() -> None:
    """Masks what uvicorn logs from now on."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(KeyFilter())


def _mask_arguments(record: logging.LogRecord) -> None:
    if isinstance(record.args, tuple):
        masked = tuple(
            mask_keys(argument) if isinstance(argument, str) else argument
            for argument in record.args
        )
        if masked != record.args:
            record.args = masked


def _mask_message(record: logging.LogRecord) -> None:
    """Masks what only the whole line shows: a name and its value apart, or within an object."""
    try:
        message = record.getMessage()
    except Exception:  # noqa: BLE001 (the arguments do not fit; logging would print them)
        message = f"{record.msg} {record.args!r}"
    else:
        if mask_keys(message) == message:
            return
    record.msg, record.args = mask_keys(message), ()
    # uvicorn's formatter prefers this one, and fills in the arguments.
    record.__dict__.pop("color_message", None)


def _mask_traceback(record: logging.LogRecord) -> None:
    if record.exc_info:
        text = record.exc_text or _formatter.formatException(record.exc_info)
        masked = mask_keys(text)
        if masked != text:
            # Formatters print the text where there is no exception.
            record.exc_info, record.exc_text = None, masked
