"""Real proxies with the configurations of `deploy/`, of which only addresses are replaced."""

import os
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import raw
from servers import TESTS, wait_until

DEPLOY = TESTS.parents[1] / "deploy"
# `make` installs them there, from PyPI; tests/proxies.txt has their versions.
INSTALLED = TESTS.parent / ".venv-proxies"
DEADLINE = 30.0

# What nginx needs around a file of /etc/nginx/conf.d. One process, so that it is ended by its id.
NGINX = """
daemon off; master_process off; pid nginx.pid; error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    include nginx.conf;
}
"""


@dataclass(frozen=True)
class Kind:
    """A proxy: the files that are shipped for it, and how it is started in their folder."""

    name: str
    files: tuple[str, ...]
    command: Callable[[], list[str]]


def installed(name: str, variable: str) -> str:
    """The program of a proxy: that of the variable, or the one that make has installed."""
    found = os.environ.get(variable) or next(
        (
            str(path)
            for path in INSTALLED.rglob(name)
            if path.is_file() and os.access(path, os.X_OK)
        ),
        None,
    )
    assert found, f"no {name}: `make python/.venv-proxies/synced`, or name one in {variable}"
    return found


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "nginx",
            ("nginx.conf",),
            lambda: [installed("nginx", "NGINX"), "-p", ".", "-e", "stderr", "-c", "around.conf"],
        ),
        Kind(
            "Caddy",
            ("Caddyfile",),
            lambda: [installed("caddy", "CADDY"), "run", "--config", "Caddyfile"],
        ),
        Kind(
            "HAProxy",
            ("haproxy.cfg", "haproxy.lua"),
            lambda: [installed("haproxy", "HAPROXY"), "-db", "-f", "haproxy.cfg"],
        ),
        Kind(
            "Traefik",
            ("traefik.yaml", "traefik-routes.yaml"),
            lambda: [installed("traefik", "TRAEFIK"), "--configFile=traefik.yaml"],
        ),
        Kind(
            "Envoy",
            ("envoy.yaml",),
            lambda: [
                *(installed("envoy", "ENVOY"), "-c", "envoy.yaml"),
                *("--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warning"),
            ],
        ),
    )
}


@dataclass(frozen=True)
class Proxy:
    name: str
    port: int


def unchanged(text: str) -> str:
    return text


@contextmanager
def start(
    name: str,
    folder: Path,
    auth_server: int,
    application: int,
    changed: Callable[[str], str] = unchanged,
) -> Iterator[Proxy]:
    """A proxy in an empty folder, between clients, the auth server's port and the application's.

    `changed` is what a reader of the files does to their text, beside replacing the addresses.
    """
    kind, port = KINDS[name], free_port()
    for file in kind.files:
        text = changed((DEPLOY / file).read_text())
        (folder / file).write_text(addressed(text, port, auth_server, application))
    (folder / "around.conf").write_text(NGINX)
    log_file = folder / "proxy.log"
    with log_file.open("xb") as log:
        process = subprocess.Popen(
            kind.command(),
            cwd=folder,
            env={**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )

    def answers() -> bool:
        written = log_file.read_text(errors="backslashreplace")
        assert process.poll() is None, f"{name} ended before it answered: {written}"
        try:
            # Traefik listens before it knows its routes.
            return raw.get(port, b"/").status not in (None, 404)
        except ConnectionRefusedError:
            return False

    try:
        wait_until(answers, DEADLINE, f"start of {name}")
        yield Proxy(name, port)
        assert process.poll() is None, f"{name} ended: {log_file.read_text()}"
    finally:
        process.kill()
        process.wait(DEADLINE)


def addressed(text: str, port: int, auth_server: int, application: int) -> str:
    """The three addresses that every configuration says to change."""
    ports = {"8080": port, "8081": auth_server, "8000": application}
    return re.sub(r"\b(8080|8081|8000)\b", lambda found: str(ports[found[1]]), text)


def nginx_version() -> tuple[int, ...]:
    command = [installed("nginx", "NGINX"), "-v"]
    written = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    found = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", written)
    assert found, written
    return tuple(map(int, found.groups()))


def with_snippet(start: str) -> Callable[[str], str]:
    """Turns a snippet in a file's comments, which starts so, into configuration."""

    def changed(text: str) -> str:
        lines, depth = text.splitlines(), 0
        first = next(at for at, line in enumerate(lines) if line.strip(" #").startswith(start))
        for at in range(first, len(lines)):
            assert lines[at].lstrip().startswith("#"), f"no end of the snippet {start}"
            lines[at] = lines[at].replace("#", " ", 1)
            depth += lines[at].count("{") - lines[at].count("}")
            if depth == 0:
                break
        return "\n".join(lines)

    return changed


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        assert isinstance(port, int)
        return port
