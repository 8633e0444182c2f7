"""What the server costs: asked directly, and by nginx for each of its requests.

Directly: `wrk` asks `/verify` with a good key. With nginx: it passes requests on to the least
application there is, once as they are, and once after `auth_request` has asked `/verify/nginx`,
over connections that are kept. nginx, the application and the server have one core together, the
client has the other. What counts is how many requests are answered in a second of their own CPU
time: on a quiet machine that is what their core does in a second, and on any other it says nothing
of who else was at work. Reported are medians over the rounds, and the median of the ratios within
each round. Of the requests that nginx and the application answer alone, they must answer 45 of 100
with the server beside them. The server logs each request, as it does unless told otherwise.

To see what of the cost is nginx's own, it also serves a small file: alone, after the server was
asked, and after nginx itself was asked, which says yes to everybody. These have no bound.

All that was answered must have been counted. When wrk's time is over, it leaves with up to one
request under way on each of its connections: counted, and never answered. So that sum is checked
with this tolerance, and a fixed number of requests after it exactly.
"""

import http.client
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROUNDS = 11
CONNECTIONS = 64
CLOSING = 1000
BOUND = 0.45
# What wrk does not send itself, and most clients do.
HEADERS = ["user-agent: bench", "accept: */*", "accept-encoding: gzip, deflate"]
CLIENT_CORE, SERVER_CORE = "0", "1"
SERVER = Path(__file__).parents[1] / "target" / "release" / "simple-security"
COUNTED = ("direct", "application-guarded", "file-guarded")
SECRET = "only for this measurement"  # noqa: S105

CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx-errors;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    upstream keys {{ server {server}; keepalive 64; keepalive_requests 1000000; }}
    upstream itself {{ server 127.0.0.1:{other}; keepalive 64; keepalive_requests 1000000; }}
    server {{
        listen 127.0.0.1:{other};
        location = /application {{ return 200 "a page"; }}
        location = /yes {{
            add_header X-Api-Key-Id Gh29RPWKBo4;
            add_header X-Api-Key-Name -;
            add_header X-Api-Key-Expires-At -;
            add_header Cache-Control no-store;
            return 200;
        }}
    }}
    server {{
        listen 127.0.0.1:{port};
        root {folder}/files;
        location = /application {{ proxy_pass http://itself/application; }}
        location = /application-guarded {{
            auth_request /verify;
            auth_request_set $api_key_id $upstream_http_x_api_key_id;
            proxy_set_header X-Api-Key-Id $api_key_id;
            proxy_set_header Connection "";
            proxy_pass http://itself/application;
        }}
        location = /file {{ }}
        location = /file-guarded {{
            auth_request /verify;
            auth_request_set $api_key_id $upstream_http_x_api_key_id;
        }}
        location = /file-yes {{
            auth_request /yes;
            auth_request_set $api_key_id $upstream_http_x_api_key_id;
        }}
        location = /verify {{
            internal;
            proxy_pass http://keys/verify/nginx;
            proxy_pass_request_body off;
            proxy_set_header Connection "";
            proxy_set_header Content-Length "";
        }}
        location = /yes {{
            internal;
            proxy_pass http://itself/yes;
            proxy_pass_request_body off;
            proxy_set_header Connection "";
            proxy_set_header Content-Length "";
        }}
    }}
}}
"""


@contextmanager
def running(command: list[str | Path], **options: object) -> Iterator[subprocess.Popen[str]]:
    """A process on the core of the servers. It ends with the block."""
    bound = ["taskset", "-c", SERVER_CORE, *command]
    process = subprocess.Popen(bound, text=True, **options)  # type: ignore[call-overload]  # noqa: S603, all of it is written here
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


def free_port() -> int:
    """A port on which nobody listens."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def cpu_time(process_id: int) -> int:
    """What a process has used up, in nanoseconds: the clock that clock_getcpuclockid(3) names."""
    return time.clock_gettime_ns(~process_id << 3 | 2)


def load(process_ids: list[int], url: str, key: str) -> tuple[float, int]:
    """Requests for a second: how many in a second of their CPU time, and how many at all."""
    headers = [part for each in [*HEADERS, f"x-api-key: {key}"] for part in ("-H", each)]
    wrk = ["wrk", "-t1", f"-c{CONNECTIONS}", "-d1s", *headers, url]
    before = sum(map(cpu_time, process_ids))
    bound = ["taskset", "-c", CLIENT_CORE, *wrk]
    run = subprocess.run(bound, capture_output=True, text=True, check=True)  # noqa: S603, all of it is written here
    used = sum(map(cpu_time, process_ids)) - before
    found = re.search(r"(\d+) requests in", run.stdout)
    if found is None or re.search(r"Non-2xx|Socket errors", run.stdout):
        sys.exit(run.stdout + run.stderr)
    return int(found[1]) / used * 1e9, int(found[1])


def ask(port: int, method: str, path: str, headers: dict[str, str], body: str = "") -> bytes:
    """The body of one answer, on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, body or None, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if answer.status >= 300:
        sys.exit(f"{path} answered {answer.status}")
    return content


def settled(port: int, key_id: str) -> int:
    """What is counted, once nothing is under way any more."""
    counted = -1
    while True:
        shown = json.loads(ask(port, "GET", f"/auth/keys/{key_id}", {"secret-key": SECRET}))
        if counted == shown["usage"]["total"]:
            return int(counted)
        counted = shown["usage"]["total"]
        time.sleep(0.2)


def main() -> None:
    """Measures, prints, and fails when a bound is broken."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "files").mkdir()
        folder.chmod(0o755)
        for name in ("file", "file-guarded", "file-yes"):
            (folder / "files" / name).write_text("x" * 1024)
        (folder / "secret").write_text(SECRET)
        (folder / "secret").chmod(0o600)
        log = stack.enter_context((folder / "log").open("w"))
        command = [SERVER, "serve", "--listen=127.0.0.1:0", f"--db-location={folder}/keys.db"]
        command.append(f"--secret-file={folder}/secret")
        server = stack.enter_context(running(command, stdout=subprocess.PIPE, stderr=log))
        line = server.stdout.readline() if server.stdout else ""
        port = int(line.rsplit(":", 1)[1])
        issued = ask(
            port,
            "POST",
            "/auth/keys",
            {"secret-key": SECRET, "content-type": "application/json"},
            '{"expires_at": null}',
        )
        key, key_id = (json.loads(issued)[name] for name in ("key", "id"))

        nginx_port = free_port()
        configuration = CONFIGURATION.format(
            folder=folder, server=f"127.0.0.1:{port}", other=free_port(), port=nginx_port
        )
        (folder / "nginx.conf").write_text(configuration)
        nginx = stack.enter_context(
            running(["nginx", "-c", f"{folder}/nginx.conf", "-e", f"{folder}/nginx-errors"])
        )
        while not (folder / "nginx.pid").exists():
            if nginx.poll() is not None:
                sys.exit((folder / "nginx-errors").read_text())
            time.sleep(0.05)

        base = f"http://127.0.0.1:{nginx_port}"
        both = [nginx.pid, server.pid]
        measured: dict[str, tuple[str, list[int]]] = {
            "direct": (f"http://127.0.0.1:{port}/verify", [server.pid]),
        }
        for name in ("application", "application-guarded", "file", "file-guarded", "file-yes"):
            measured[name] = (f"{base}/{name}", both)
        names = list(measured)
        answered = 0
        rounds = []
        for number in range(ROUNDS + 1):
            rates = {}
            # Each goes first in turn.
            for step in range(len(names)):
                name = names[(number + step) % len(names)]
                url, process_ids = measured[name]
                rates[name], of_round = load(process_ids, url, key)
                answered += of_round if name in COUNTED else 0
            rounds.append([rates[name] for name in names])
        counted = settled(port, key_id)
        for number in range(CLOSING):
            where = (nginx_port, "/application-guarded") if number % 2 else (port, "/verify")
            ask(where[0], "GET", where[1], {"x-api-key": key})
        closing = settled(port, key_id) - counted
    # The first round is for warming up.
    rounds = rounds[1:]
    rate = {
        name: statistics.median(column)
        for name, column in zip(names, zip(*rounds, strict=True), strict=True)
    }

    def ratio(guarded: str, alone: str) -> float:
        one, other = names.index(guarded), names.index(alone)
        return statistics.median(each[one] / each[other] for each in rounds)

    kept = ratio("application-guarded", "application")
    print("requests in a second of CPU time")
    for name, shown, note in [
        ("direct", "/verify, asked directly", ""),
        ("application", "nginx and an application", ""),
        ("application-guarded", "  after auth_request", f"{kept:.3f} of it (at least {BOUND:g})"),
        ("file", "nginx and a small file", ""),
        ("file-guarded", "  after auth_request", f"{ratio('file-guarded', 'file'):.3f} of it"),
        ("file-yes", "  after asking nginx itself", f"{ratio('file-yes', 'file'):.3f} of it"),
    ]:
        print(f"{shown:27} {rate[name]:7.0f}   {note}".rstrip())
    tolerance = len(COUNTED) * (ROUNDS + 1) * CONNECTIONS
    print(f"counted / answered: {counted} / {answered} (at most {tolerance} more)")
    print(f"counted / answered, a fixed number: {closing} / {CLOSING}")
    exact = 0 <= counted - answered <= tolerance and closing == CLOSING
    if kept < BOUND or not exact:
        sys.exit(1)


main()
