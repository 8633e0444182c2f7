"""Masks keys and admin secrets in what other software writes: log lines, URLs, traces, events."""

import re
from functools import cache
from typing import Any, TypeVar, cast

Value = TypeVar("Value")

# The names that carry a key or the admin secret, in headers and in the query.
NAMES = frozenset({"api-key", "x-api-key", "authorization", "secret-key"})

_MASK = "***"


def mask_keys(value: Value) -> Value:
    """Returns a text without the keys and admin secrets in it.

    A key of this service is recognized by its form, anywhere. A key of another form, such as one
    of version 1.x, and an admin secret are recognized by their name before them: `api-key`,
    `x-api-key`, `authorization` or `secret-key`, as a header or as a parameter of a URL.

    Of a dictionary, a list, a tuple or a set, such as the event of an error tracker, it returns a
    copy in which all texts and headers are masked.
    """
    return cast("Value", _masked(value))


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return _secrets().sub(_without_secret, value)
    if isinstance(value, dict):
        return {
            _masked(name): _MASK if _is_name(name) else _masked(each)
            for name, each in value.items()
        }
    if isinstance(value, bytes):
        return _masked(value.decode("latin-1")).encode("latin-1")
    if type(value) in (list, tuple) and len(value) == 2 and _is_name(value[0]):
        # A header, as ASGI has it.
        return type(value)((value[0], _MASK))
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(map(_masked, value))
    return value


def _is_name(value: Any) -> bool:
    """Whether a value is a name that carries a secret, or the `repr` of one."""
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    return isinstance(text, str) and text.lower().removeprefix("b").strip("'\"") in NAMES


def _without_secret(found: re.Match[str]) -> str:
    return f"{found['name'] or found['id']}{_MASK}"


@cache
def _secrets() -> re.Pattern[str]:
    """What is masked. Compiled at first use, which is a log line and not the import."""
    names = "|".join("".join(map(_as_sent, name)) for name in sorted(NAMES))
    base62 = "(?:[0-9A-Za-z]|%[3-7][0-9A-Fa-f])"
    return re.compile(
        rf"""
        (?P<name> (?:{names}) (?:
            # In a query; not again where the value is masked already.
            = (?! \*\*\* ) (?= [^&\s] )
            # In the repr of headers: a name in quotes, and a value in quotes.
            | ['"] \s* [:,] \s* b? (?P<quote> ['"] )
            # A header on a line of its own.
            | (?P<header> \s* : (?! \s* \*\*\* ) \s* )
        ) )
        (?(quote) (?: \\. | (?! (?P=quote) ) . )*
        | (?(header) [^\r\n]+
        # Without the quotes that may stand around the whole URL.
        | (?: [^&\s'"\\] | \\ (?! ['"] ) | ['"] (?! [\s,)\]}}] | \Z ) )*
        ))
        # A key, by its form: the prefix and the id stay, which are public.
        | (?P<id> {_as_sent("_")} {base62}{{11}} {_as_sent("_")} ) {base62}{{39}}
        """,
        re.VERBOSE,
    )


def _as_sent(char: str) -> str:
    """A pattern for a character that may be percent-encoded, as in a URL, in either case."""
    # Without a flag for the case, `re` skips to the characters that a match can begin with.
    kinds = "".join(sorted({char.lower(), char.upper()}))
    encoded = "|".join(f"%{ord(kind):02x}|%{ord(kind):02X}" for kind in kinds)
    return f"(?:[{re.escape(kinds)}]|{encoded})"
