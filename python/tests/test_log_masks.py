"""No key and no admin secret reaches uvicorn's log, at any level and by any of its protocols."""

import logging
import re
import site
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
import servers
import websockets.exceptions
import websockets.sync.client
from old_package import OldRow, write_old_file
from uvicorn.logging import AccessFormatter, DefaultFormatter

from fastapi_simple_security import KeyFilter, mask_keys

SECRET = "the-admin-secret-of-the-log-masks"
# Of 1.x: nothing in its form says that it is a key.
OLD_KEY = "4be3b0d0-2f2d-4c83-9fd8-6a34a5f3a1c7"
KEY = "fss_Id123456789_" + "S" * 33 + "c" * 6


def encoded(text: str) -> str:
    """Percent-encoded, each character of it."""
    return "".join(f"%{ord(char):02X}" for char in text)


@pytest.mark.parametrize(
    "options",
    [
        ("--http=h11", "--ws=websockets"),
        ("--http=httptools", "--ws=websockets-sansio"),
        ("--http=httptools", "--ws=wsproto"),
    ],
    ids=" ".join,
)
def test_a_server_that_logs_all_logs_no_secret(
    database: Path, canaries: set[str], options: tuple[str, ...]
) -> None:
    """At `trace`, which is `debug` and more: handshakes, scopes, messages."""
    write_old_file(database, [OldRow(OLD_KEY, name="from before")])
    with servers.uvicorn(
        database, secret=SECRET, options=(*options, "--log-level=trace")
    ) as server:
        admin = server.admin(SECRET, canaries)
        secrets = {SECRET, OLD_KEY, admin.new()}
        canaries.add(OLD_KEY)
        for key in secrets - {SECRET}:
            connection = server.connect()
            for target in (
                f"/secure?api-key={key}&other=shown",
                f"/secure?api%2Dkey={encoded(key)}",
                f"/unsecured?secret-key={SECRET}&API-KEY={key}",
            ):
                assert connection.get(target).status == 200
            for name, text in {"X-API-Key": key, "Authorization": f"Bearer {key}"}.items():
                headers = {name: text, "secret-key": SECRET}
                assert connection.get("/secure", headers).status == 200
            # The app that raises shows its traceback, where uvicorn closes the connection.
            assert server.connect().get("/broken", api_key=key).status == 500
            shake_hands(server.port, key)
        key = (secrets - {SECRET, OLD_KEY}).pop()
        for path in (key, encoded(key)):
            assert server.connect().get(f"/auth/keys/{path}", {"secret-key": SECRET}).status == 404
        server.stop()
        log = server.log()
    assert_shows_none(log, secrets)
    # It is the log that it should be.
    assert "other=shown" in log
    assert "Traceback" in log
    assert "/ws?api-key=***" in log
    assert "ASGI [1] Started scope={'type': 'lifespan'" in log
    assert "'query_string': b'api-key=***" in log
    if "--ws=wsproto" not in options:
        for header in ("api-key", "x-api-key", "secret-key", "authorization"):
            assert re.search(rf"< {header}: \*\*\*", log, re.IGNORECASE), header
        assert re.search(r"< upgrade: websocket", log, re.IGNORECASE)


def shake_hands(port: int, key: str) -> None:
    url = f"ws://127.0.0.1:{port}/ws"
    for target, headers in [
        (url, {"api-key": key, "secret-key": SECRET}),
        (f"{url}?api-key={key}", {"X-API-Key": key, "Authorization": f"Bearer {key}"}),
        (f"{url}?api%2Dkey={encoded(key)}", {}),
    ]:
        with websockets.sync.client.connect(target, additional_headers=headers) as socket:
            assert socket.recv()
    with pytest.raises(websockets.exceptions.InvalidStatus):
        websockets.sync.client.connect(
            f"{url}?api-key={key[:-1]}", additional_headers={"api-key": f"{key}x"}
        )


def assert_shows_none(log: str, secrets: set[str]) -> None:
    for text in (log, unquote(log), unquote(log).lower()):
        for secret in secrets:
            # The id of a key is public. So is what is left of a key of which much is missing.
            part = secret[16:40] if secret.startswith("fss_") else secret[:-1]
            for form in (part, part.lower(), quote(part)):
                # Not `form not in text`, of which pytest would print both.
                leaked = form in text
                assert not leaked


def test_every_logger_of_uvicorn_has_the_filter() -> None:
    """A logger with a new name would have no filter: filters do not see records of children."""
    [package] = [Path(place) / "uvicorn" for place in site.getsitepackages()]
    sources = "".join(path.read_text() for path in package.rglob("*.py"))
    names = set(re.findall(r"getLogger\(\"([\w.]+)\"\)", sources))
    assert names >= {"uvicorn.error", "uvicorn.access", "uvicorn.asgi"}
    for name in names | {"uvicorn"}:
        assert any(isinstance(each, KeyFilter) for each in logging.getLogger(name).filters), name


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What uvicorn's formatters make of the records of two of its loggers."""
    written: list[str] = []

    class Writer(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(self.format(record))

        def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
            written.append(f"cannot be formatted: {record.msg} {record.args}")

    added: list[tuple[logging.Logger, logging.Handler, int]] = []
    for name, formatter in {
        "uvicorn.error": DefaultFormatter("%(levelprefix)s %(message)s", use_colors=False),
        "uvicorn.access": AccessFormatter('%(client_addr)s - "%(request_line)s"', use_colors=True),
    }.items():
        logger, handler = logging.getLogger(name), Writer()
        handler.setFormatter(formatter)
        added.append((logger, handler, logger.level))
        logger.addHandler(handler)
        logger.setLevel(1)
    yield written
    for logger, handler, level in added:
        logger.removeHandler(handler)
        logger.setLevel(level)


error = logging.getLogger("uvicorn.error")
access = logging.getLogger("uvicorn.access")


class Shown:
    """An argument that only its text shows."""

    def __str__(self) -> str:
        return f"a frame with {KEY}"


@pytest.mark.parametrize(
    ("message", "arguments", "shown"),
    [
        ("< %s: %s", ("api-key", OLD_KEY), "< api-key: ***"),
        ("< %s: %s", ("X-Api-Key", OLD_KEY), "< X-Api-Key: ***"),
        ("< %s: %s", ("Authorization", f"Bearer {OLD_KEY}"), "< Authorization: ***"),
        ("< %s: %s", ("secret-key", SECRET), "< secret-key: ***"),
        ("< %s: %s", ("host", "127.0.0.1:8000"), "< host: 127.0.0.1:8000"),
        ("%(name)s: %(value)s", ({"name": "api-key", "value": OLD_KEY},), "api-key: ***"),
        ("%s", ({"headers": [(b"api-key", OLD_KEY.encode())]},), None),
        ("%s", ({"query_string": f"api-key={OLD_KEY}&a=1".encode()},), None),
        ("%s", (f"api-key={OLD_KEY}&a=1".encode(),), "b'api-key=***"),
        ("%s", (ValueError(f"wrong: {KEY}"),), "wrong: fss_Id123456789_***"),
        ("%s and %d", (Shown(), 7), "a frame with fss_Id123456789_*** and 7"),
        (f"no arguments, 100 % of {KEY}", (), "no arguments, 100 % of fss_Id123456789_***"),
        (f"%s%% of {KEY}", (100,), "100% of fss_Id123456789_***"),
        ("%s %s", (f"too few for {KEY}",), "too few for fss_Id123456789_***"),
        (Shown(), (), "a frame with fss_Id123456789_***"),
    ],
)
def test_arguments_of_every_kind_are_masked(
    lines: list[str], message: Any, arguments: tuple[Any, ...], shown: str | None
) -> None:
    error.debug(message, *arguments, extra={"color_message": message})
    [line] = lines
    assert not line.startswith("cannot be formatted")
    assert "***" in line or "host" in line
    assert shown is None or shown in line
    assert_shows_none(line, {OLD_KEY, SECRET, KEY})


class Broken:
    def __str__(self) -> str:
        raise ValueError("broken on purpose")

    __repr__ = __str__


class Unnamed(Broken):
    """Which logging could still print by its `repr`."""

    def __repr__(self) -> str:
        return f"api-key={OLD_KEY}"


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("%s", (Broken(),)),
        (Broken(), ()),
        ("%d %s", (Broken(), f"api-key={OLD_KEY}")),
        (f"api-key={OLD_KEY} %s", (Broken(),)),
        ("%s", (Unnamed(),)),
        ("%(a)s", ({"a": Unnamed()},)),
    ],
)
def test_a_record_that_cannot_be_formatted_is_left_to_logging(
    message: Any,
    arguments: tuple[Any, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The filter raises nothing, and what logging says about the record shows no secret."""
    # pytest's own handlers raise.
    monkeypatch.setattr(error, "propagate", False)
    handler = logging.StreamHandler(sys.stderr)
    monkeypatch.setattr(error, "handlers", [handler])
    error.error(message, *arguments)
    shown = capsys.readouterr().err
    assert "broken on purpose" in shown or "not Broken" in shown or "api-key=***" in shown
    assert_shows_none(shown, {OLD_KEY})


def test_a_traceback_is_masked(lines: list[str]) -> None:
    try:
        try:
            raise ValueError(f"a key: {KEY}")  # noqa: TRY301 (it is caught on purpose)
        except ValueError as cause:
            raise RuntimeError(f"api-key={OLD_KEY}") from cause
    except RuntimeError:
        error.exception("Exception in ASGI application")
    assert "Traceback" in lines[0]
    assert "ValueError: a key: fss_Id123456789_***" in lines[0]
    assert "RuntimeError: api-key=***" in lines[0]
    assert_shows_none(lines[0].replace(f"'{KEY}'", ""), {KEY, OLD_KEY})


def test_lines_without_secrets_stay_as_they_are(lines: list[str]) -> None:
    """Their arguments too, which other handlers may read."""
    records: list[logging.LogRecord] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    keeper = Keeper()
    error.addHandler(keeper)
    arguments = ("http", "127.0.0.1", 8000)
    problem = ValueError("without a secret")
    try:
        error.info("Started on %s://%s:%d", *arguments, extra={"color_message": "%s %s %d"})
        error.error("An error", exc_info=problem)
        error.debug("%(a)s", {"a": b"\xff"})
        error.info("%s too few %s", "one")
        access.info(
            '%s - "%s %s HTTP/%s" %d', "127.0.0.1:1", "GET", "/keys?api-keys=1&a=_b", "1.1", 200
        )
    finally:
        error.removeHandler(keeper)
    assert records[0].args == arguments
    assert records[0].__dict__["color_message"] == "%s %s %d"
    assert records[1].exc_info is not None
    assert records[1].exc_info[1] is problem
    assert records[2].args == {"a": b"\xff"}
    assert lines[0] == "INFO:     Started on http://127.0.0.1:8000"
    assert lines[2] == r"DEBUG:    b'\xff'"
    assert "one" in lines[3]
    assert "GET /keys?api-keys=1&a=_b HTTP/1.1" in lines[4]


def test_masking_twice_is_masking_once() -> None:
    for text in (f"/?api-key={OLD_KEY}&a=1", f"< secret-key: {SECRET}", f"{{'api-key': '{KEY}'}}"):
        once = mask_keys(text)
        assert "***" in once
        assert mask_keys(once) == once
