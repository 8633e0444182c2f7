"""`mask_keys` masks a secret in every form in which software writes headers and queries."""

import copy
import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from guarded_app import GuardedApp
from old_package import OldRow, write_old_file
from test_api_key import yielded

from fastapi_simple_security import ApiKey, KeyFilter, mask_keys

# Of 1.x: nothing in its form says that it is a key.
OLD_KEY = "5b0d4f02-77d3-4a3f-9b53-4d1f7f0f6c1e"
KEY = "fss_Id123456789_" + "S" * 33 + "c" * 6


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        # Imported keys and admin secrets may contain quotes, and begin as a mask does.
        (f"/?api-key=abc'){OLD_KEY}", "/?api-key=***"),
        (f"/?api-key=abc',{OLD_KEY}", "/?api-key=***"),
        (f'"/?api-key=abc\\"{OLD_KEY}"', '"/?api-key=***"'),
        (f"/?api-key='{OLD_KEY}'{OLD_KEY}&a=1", "/?api-key=***&a=1"),
        (f"/?api-key=***{OLD_KEY}&a=1", "/?api-key=***&a=1"),
        (f"< secret-key: ***{OLD_KEY}", "< secret-key: ***"),
        (f"< secret-key: *** {OLD_KEY}", "< secret-key: ***"),
        (f"{{'secret-key': '***{OLD_KEY}'}}", "{'secret-key': '***'}"),
        # Several values of one header.
        (f"{{'api-key': ['{OLD_KEY}']}}", "{'api-key': ['***']}"),
        (f'{{"api-key": ["a", "{OLD_KEY}"], "b": []}}', '{"api-key": ["***"], "b": []}'),
        (f'{{"api-key": [\n  "a",\n  "{OLD_KEY}"\n]}}', '{"api-key": [\n  "***"\n]}'),
        (f"(b'api-key', [b'{OLD_KEY}'])", "(b'api-key', [b'***'])"),
        # Lines of `name=value`.
        (f"authorization=Bearer {OLD_KEY} a=1", "authorization=*** a=1"),
        (f"authorization='Bearer {OLD_KEY}' a=1", "authorization=***' a=1"),
        (f'authorization="Bearer {OLD_KEY}", a=1', 'authorization=***", a=1'),
        # A URL in a URL, and again.
        (f"/?next=%2F%3Fapi-key%3D{OLD_KEY}", "/?next=%2F%3Fapi-key%3D***"),
        (f"/?next=%2F%3Fapi%2Dkey%3d{OLD_KEY}", "/?next=%2F%3Fapi%2Dkey%3d***"),
        (f"/?n=%252F%253Fapi%252Dkey%253D{OLD_KEY}", "/?n=%252F%253Fapi%252Dkey%253D***"),
        (KEY.replace("_", "%255F"), f"{KEY[:16].replace('_', '%255F')}***"),
        # JSON in JSON.
        (json.dumps(json.dumps({"api-key": OLD_KEY})), '"{\\"api-key\\": \\"***\\"}"'),
        (
            json.dumps(json.dumps(json.dumps({"api-key": f'a"b{OLD_KEY}'}))),
            json.dumps(json.dumps(json.dumps({"api-key": "***"}))),
        ),
        (json.dumps(f'GET "/?api-key={OLD_KEY}" 200'), '"GET \\"/?api-key=***\\" 200"'),
        # A header by itself, as HAR has it.
        (f"{{'name': 'api-key', 'value': '{OLD_KEY}'}}", "{'name': 'api-key', 'value': '***'}"),
        (f'{{"name":"api-key","value":"{OLD_KEY}"}}', '{"name":"api-key","value":"***"}'),
    ],
)
def test_every_form_is_masked(text: str, masked: str) -> None:
    assert mask_keys(text) == masked
    assert mask_keys(masked) == masked


@pytest.mark.parametrize(
    "after",
    [
        "'",
        '"',
        "')",
        "'}, 'a': 1",
        '","a":1}',
        '"}}',
        '"},{"a":1}',
        "' a",
        "':",
        '\\", 1',
        "'>",
        "'.",
    ],
)
def test_what_follows_a_url_stays(after: str) -> None:
    assert mask_keys(f"/?api-key={OLD_KEY}{after}") == f"/?api-key=***{after}"


@pytest.mark.parametrize(
    "text",
    [
        "GET /keys?api-keys=1&my-api-key-id=_b HTTP/1.1",
        "/?api-key=&a=1",
        "/?api-key",
        "'api-key' is the name",
        '{"in": "header", "name": "api-key"}',
        "{'name': 'host', 'value': 'a'}",
        '{"required": ["api-key"], "values": ["a"]}',
        "next=%2F%3Fa%3D1%2525",
        KEY[:-1],
        KEY.partition("_")[2],
        'it is "***"',
        "fss_Id123456789_***",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert mask_keys(text) is text


def test_headers_of_every_kind_are_masked() -> None:
    event = {
        "asgi": [(b"api-key", OLD_KEY.encode()), [bytearray(b"X-Api-Key"), OLD_KEY]],
        "hpack": [(b"api-key", OLD_KEY.encode(), True), (b"host", b"a", False)],
        "har": [{"name": "Api-Key", "value": OLD_KEY}, {"name": "host", "value": "a"}],
        "attributes": [{"key": "api-key", "value": {"stringValue": OLD_KEY}}],
        "body": bytearray(f"api-key={OLD_KEY}&a=1".encode()),
        "padded": {"api-key ": OLD_KEY},
    }
    before = copy.deepcopy(event)
    assert mask_keys(event) == {
        "asgi": [(b"api-key", "***"), [bytearray(b"X-Api-Key"), "***"]],
        "hpack": [(b"api-key", "***", True), (b"host", b"a", False)],
        "har": [{"name": "Api-Key", "value": "***"}, {"name": "host", "value": "a"}],
        "attributes": [{"key": "api-key", "value": "***"}],
        "body": bytearray(b"api-key=***&a=1"),
        "padded": {"api-key ": "***"},
    }
    assert event == before


@pytest.fixture
def key(guard: Callable[..., GuardedApp], database: Path, canaries: set[str]) -> ApiKey:
    """What a route gets of a key without a form."""
    write_old_file(database, [OldRow(OLD_KEY, name="from before")])
    canaries.add(OLD_KEY)
    return yielded(guard().security, OLD_KEY)


def test_an_api_key_stays_hidden(key: ApiKey) -> None:
    """In JSON too, where its `repr` would not be used."""
    assert mask_keys(key) == repr(key)
    assert mask_keys([key, (key, {key: 1})]) == [repr(key), (repr(key), {repr(key): 1})]
    leaked = OLD_KEY in json.dumps(mask_keys({"key": key}))
    assert not leaked


def test_the_filter_leaves_an_api_key_hidden(key: ApiKey, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("test_mask")
    logger.addFilter(KeyFilter())
    logger.warning("key %r asked %s", key, "/?api-key=zzz")
    logger.warning("key %r asked", key)
    logger.warning("%r: %s", [key], "Authorization: zzz")
    assert caplog.messages == [
        f"key {key!r} asked /?api-key=***",
        f"key {key!r} asked",
        f"[{key!r}]: Authorization: ***",
    ]
    first, second, _ = caplog.records
    assert isinstance(first.args, tuple)
    assert first.args[0] is key
    assert second.args == (key,)
