"""Masks keys and admin secrets in what other software writes: log lines, URLs, traces, events."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, cast

from fastapi_simple_security._api_key import ApiKey

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
    copy in which all texts and headers are masked. Of an `ApiKey` it returns the `repr`.
    """
    return cast("Value", _masked(value))


def _masked(value: Any) -> Any:
    if isinstance(value, ApiKey):
        # JSON, which is what becomes of an event, would show the key.
        return repr(value)
    if isinstance(value, str):
        return _secrets().sub(_without_secret, value)
    if isinstance(value, dict):
        # A header by itself, as HAR and OpenTelemetry have it.
        is_header = any(_is_name(value.get(name)) for name in ("name", "key"))
        return {
            _masked(name): _MASK
            if _is_name(name) or (is_header and name == "value")
            else _masked(each)
            for name, each in value.items()
        }
    if isinstance(value, (bytes, bytearray)):
        masked = _masked(value.decode("latin-1")).encode("latin-1")
        return bytearray(masked) if isinstance(value, bytearray) else masked
    if type(value) in (list, tuple) and len(value) in (2, 3) and _is_name(value[0]):
        # A header, as ASGI and HPACK have it.
        return type(value)((value[0], _MASK, *map(_masked, value[2:])))
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(map(_masked, value))
    return value


def _is_name(value: Any) -> bool:
    """Whether a value is a name that carries a secret, or the `repr` of one."""
    text = value.decode("latin-1") if isinstance(value, (bytes, bytearray)) else value
    return isinstance(text, str) and text.lower().removeprefix("b").strip("'\" ") in NAMES


def _without_secret(found: re.Match[str]) -> str:
    return f"{found['name'] or found['id']}{_MASK}"


@cache
def _secrets() -> re.Pattern[str]:
    """What is masked. Compiled at first use, which is a log line and not the import.

    Masking twice is masking once: a match ends where it would if the value were the mask. The time
    is linear in the length of the text: no match can fail once a value has begun.
    """
    names = "|".join("".join(map(_as_sent, name)) for name in sorted(NAMES))
    base62 = "(?:[0-9A-Za-z]|%(?:25)*[3-7][0-9A-Fa-f])"
    # Within JSON within a text, quotes have backslashes.
    quote = r"""\\*['"]"""
    # After a quote: whether it ends a text, such as a URL, and not only a part of a key.
    ends = rf"""[)\]}}>]* (?: [,;:.]? (?: \s | \Z ) | [,;:] (?: b?{quote} | [\[({{] ) )"""
    return re.compile(
        rf"""
        (?P<name> (?:{names}) (?:
            # In a query, or of a value in a line of `name=value`.
            (?: = | %(?:25)*3[Dd] ) (?= [^&\s] )
            # In the repr of headers or in JSON: a name in quotes, and values in quotes.
            | {quote} \s* [:,] \s* (?: {quote} value {quote} \s* : \s* )?
              (?: b? (?P<quote> {quote} ) | (?P<list> [\[(] \s* b? {quote} ) )
            # A header on a line of its own.
            | (?P<header> \s* : \s* )
        ) )
        (?(quote) (?: (?! (?P=quote) ) (?: \\+ ['"]? | . ) )*
        | (?(list) (?s: (?! {quote} \s* [\])] ) . )*
        | (?(header) [^\r\n]+
        | (?: (?i: bearer | basic ) [ ]+ | b? (?P<opening> {quote} ) (?! {ends} )
            (?: (?! (?P=opening) ) (?: \\+ ['"]? | . ) )* )?
          # Without the quotes that may stand around the whole URL.
          (?: [^&\s'"\\] | {quote} (?! {ends} ) | \\+ (?! ['"\\] ) )*
        )))
        # A key, by its form: the prefix and the id stay, which are public.
        | (?P<id> {_as_sent("_")} {base62}{{11}} {_as_sent("_")} ) {base62}{{39}}
        """,
        re.VERBOSE,
    )


def _as_sent(char: str) -> str:
    """A pattern for a character that may be percent-encoded, once or more often, in either case."""
    # Without a flag for the case, `re` skips to the characters that a match can begin with.
    kinds = "".join(sorted({char.lower(), char.upper()}))
    encoded = "|".join(f"{ord(kind):02x}|{ord(kind):02X}" for kind in kinds)
    return f"(?:[{re.escape(kinds)}]|%(?:25)*(?:{encoded}))"


def client_address(scope: Mapping[str, Any]) -> str:
    """The address of a client, for a log. A proxy may report any text as it, even a key."""
    host, *_ = scope.get("client") or (None,)
    if not host:
        return "an unknown address"
    text = str(host)
    return mask_keys(text if text.isprintable() else repr(text))
