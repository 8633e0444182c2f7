"""HAProxy rejects a request when its script fails, however it fails."""

from __future__ import annotations

import re
import socket
from contextlib import ExitStack
from pathlib import Path

import httpx
import program
import proxies
import pytest
import raw
import recorder

AT_ONCE = 300
REQUEST = b"GET /secure HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def with_little_memory(text: str) -> str:
    """Too little for as many Lua contexts as there are requests at the same time."""
    return text.replace("lua-load", "tune.lua.maxmem 1\n    lua-load")


def test_lua_without_memory(
    tmp_path: Path, auth_server: program.Program, application: recorder.Application
) -> None:
    ports = auth_server.port, application.port
    with (
        proxies.start("HAProxy", tmp_path, *ports, with_little_memory) as proxy,
        ExitStack() as stack,
    ):
        application.taken()
        clients = [
            stack.enter_context(socket.create_connection(("127.0.0.1", proxy.port), 30))
            for _ in range(AT_ONCE)
        ]
        for client in clients:
            client.sendall(REQUEST)
        statuses = {raw.RawReply(b"".join(raw.pieces(client))).status for client in clients}
        assert not application.taken()
        # 401 from those for which there was enough memory.
        assert statuses - {401} == {503}


# Verifies, fails or does nothing, as the client wants.
SCRIPT = """--
core.register_action("verify", { "http-req" }, function(txn)
    local headers = txn.http:req_get_headers()
    local wanted = headers["x-wanted"] and headers["x-wanted"][0]
    if wanted == "a failure" then
        error("a failure")
    elseif wanted == "an identity" then
        for _, name in ipairs({ NAMES }) do
            txn:set_var(name, "-")
        end
    end
end)
"""


def script() -> str:
    """Sets every variable that the configuration sends as a header."""
    configuration = (proxies.DEPLOY / "haproxy.cfg").read_text()
    names = re.findall(r"set-header X-Api-Key-\S+ %\[var\((txn\.\w+)\)\]", configuration)
    assert "txn.key_id" in names
    return SCRIPT.replace("NAMES", ", ".join(f'"{name}"' for name in names))


@pytest.mark.parametrize("http_2", [False, True], ids=["HTTP/1.1", "HTTP/2"])
def test_a_script_that_fails_after_a_good_request(
    tmp_path: Path, application: recorder.Application, http_2: bool
) -> None:
    """The identity of one request is not that of the next one on its connection."""
    nothing = proxies.free_port()
    with (
        proxies.start(
            *("HAProxy", tmp_path, nothing, application.port),
            lambda text: script() if text.startswith("--") else text,
        ) as proxy,
        httpx.Client(
            http1=not http_2, http2=http_2, base_url=f"http://127.0.0.1:{proxy.port}"
        ) as client,
    ):
        application.taken()
        for wanted, status in (
            *(("nothing", 503), ("an identity", 200), ("nothing", 503)),
            *(("an identity", 200), ("a failure", 503)),
        ):
            assert client.get("/secure", headers={"X-Wanted": wanted}).status_code == status
            assert len(application.taken()) == (status == 200), wanted
