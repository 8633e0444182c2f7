"""What a client is told through each proxy: the table of `deploy/README.md`."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import program
import proxies
import pytest
import raw
import recorder
from clients import Connection
from servers import wait_until

SECRET = "secret-of-the-test-of-answers"
QUESTIONS = ("a good key", "a bad key", "two keys", "the store cannot be asked", "no auth server")
# Heads of answers that the table names.
TOLD = ("WWW-Authenticate", "Retry-After")


@pytest.fixture(scope="module", params=proxies.KINDS)
def measured(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    application: recorder.Application,
    database_directories: list[Path],
    canaries: set[str],
) -> Iterator[tuple[str, list[str]]]:
    """A proxy's row: its name, and what it says in each case."""
    directory = tmp_path_factory.mktemp("answers")
    database_directories.append(directory)
    folder = tmp_path_factory.mktemp(request.param)
    with program.serve(directory / "keys.db", SECRET, canaries) as auth_server:
        key = b"X-API-Key: " + auth_server.admin.new().encode()
        ports = auth_server.port, application.port
        with proxies.start(request.param, folder, *ports) as proxy:

            def answer(*lines: bytes) -> str:
                application.taken()
                reply = raw.get(proxy.port, b"/secure", lines)
                # Whatever happens: who is not let in does not reach the application.
                assert (reply.status == 200) == (len(application.taken()) == 1), reply.data
                return described(reply)

            answers = [answer(key), answer(b"X-API-Key: " + b"x" * 36), answer(key, key)]
            auth_server.database.rename(directory / "moved-away.db")
            # What was read before may serve until its lease ends.
            wait_until(lambda: not answer(key).startswith("200"), 5, "the end of the lease")
            answers.append(answer(key))
            auth_server.stop()
            answers.append(answer(key))
            yield request.param, answers


def described(reply: raw.RawReply) -> str:
    """`503, Retry-After`: the status, and which of the telling headers are there."""
    head = reply.data.partition(b"\r\n\r\n")[0].decode("latin-1")
    told = [name for name in TOLD if re.search(rf"^{name}:", head, re.MULTILINE | re.IGNORECASE)]
    problem = ["problem"] if b"application/problem+json" in reply.data else []
    return ", ".join([str(reply.status), *told, *problem])


def test_the_table(measured: tuple[str, list[str]]) -> None:
    name, answers = measured
    assert tabulated()[name] == dict(zip(QUESTIONS, answers, strict=True))


@pytest.mark.parametrize("name", proxies.KINDS)
def test_an_application_that_is_down_is_told_apart(
    name: str, tmp_path: Path, database: Path, canaries: set[str]
) -> None:
    with (
        program.serve(database, SECRET, canaries) as auth_server,
        proxies.start(name, tmp_path, auth_server.port, proxies.free_port()) as proxy,
    ):
        reply = raw.get(proxy.port, b"/", [b"api-key: " + auth_server.admin.new().encode()])
        assert reply.status in (502, 503), reply.data
        assert b'"unavailable"' not in reply.data
        assert raw.get(proxy.port, b"/").status == 401


STRANGE = {
    "a redirection": b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
    "not found": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "a failure": b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nno",
    "too much asked": b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n",
    "no HTTP": b"SSH-2.0-OpenSSH_9.9\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nX-Api-Key-Id",
    "an empty answer": b"",
}
WITHOUT_IDENTITY = {
    "a bare 200": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "another 2xx": b"HTTP/1.1 204 No Content\r\n\r\n",
    "an identity without a date": b"HTTP/1.1 200 OK\r\nX-Api-Key-Id: x\r\nX-Api-Key-Name: x\r\n"
    b"Content-Length: 0\r\n\r\n",
    "an empty identity": b"HTTP/1.1 200 OK\r\nX-Api-Key-Id:\r\nX-Api-Key-Name:\r\n"
    b"X-Api-Key-Expires-At:\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("name", proxies.KINDS)
def test_something_else_answers_for_the_auth_server(
    name: str, tmp_path: Path, application: recorder.Application
) -> None:
    """Only its 200 with an identity is accepted. The connection is closed after each answer."""
    with (
        socket.create_server(("127.0.0.1", 0)) as strange,
        answering(strange) as answers,
        proxies.start(name, tmp_path, strange.getsockname()[1], application.port) as proxy,
    ):

        def ask(said: bytes) -> tuple[int | None, list[recorder.Arrived]]:
            answers[:] = [said]
            application.taken()
            reply = raw.get(proxy.port, b"/", [b"api-key: " + b"x" * 36, b"X-Api-Key-Id: forged"])
            return reply.status, application.taken()

        for case, said in STRANGE.items():
            status, arrived = ask(said)
            assert not arrived, case
            assert status is None or status >= 300, case
        for case, said in WITHOUT_IDENTITY.items():
            status, arrived = ask(said)
            if name == "Traefik":  # It accepts any 2xx, and says so in its file.
                assert all(b"forged" not in one.values(b"X-Api-Key-Id") for one in arrived), case
            else:
                assert (status, arrived) in ((503, []), (204, [])), case


@pytest.mark.parametrize("name", [name for name in proxies.KINDS if name != "Traefik"])
def test_an_auth_server_that_hangs(
    name: str, tmp_path: Path, application: recorder.Application
) -> None:
    """It is not waited for longer than a client waits. (Traefik waits 30 seconds.)"""
    with (
        socket.create_server(("127.0.0.1", 0)) as strange,
        answering(strange) as answers,
        proxies.start(name, tmp_path, strange.getsockname()[1], application.port) as proxy,
    ):
        answers[:] = [None]
        application.taken()
        with closing(Connection(proxy.port)) as connection:
            assert connection.get("/secure", {"api-key": "x" * 36}).status == 503
        assert not application.taken()


@contextmanager
def answering(listener: socket.socket) -> Iterator[list[bytes | None]]:
    """Answers each request on a listening socket with what the list holds; `None`: not at all."""
    answers: list[bytes | None] = [STRANGE["not found"].replace(b"404", b"403")]
    held: list[socket.socket] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                if answers[0] is None:
                    held.append(connection)
                    continue
                with connection, suppress(ConnectionError):
                    if connection.recv(65536):
                        connection.sendall(answers[0])

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield answers
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in held:
            connection.close()


def tabulated() -> dict[str, dict[str, str]]:
    """The table: from proxy and case to what is said."""
    lines = (proxies.DEPLOY / "README.md").read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("| asked with"))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[start:]]
    rows = rows[: next((i for i, row in enumerate(rows) if len(row) == 1), len(rows))]
    head, _, *body = rows
    table: dict[str, dict[str, str]] = {name: {} for name in head[1:]}
    for case, *cells in body:
        for name, cell in zip(table, cells, strict=True):
            table[name][case] = cell
    return table


def test_the_table_names_all_proxies_and_cases() -> None:
    table = tabulated()
    assert list(table) == list(proxies.KINDS)
    assert all(list(column) == list(QUESTIONS) for column in table.values())
