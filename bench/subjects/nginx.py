"""The server, asked directly, and by nginx for each of its requests."""

import json
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from figures import Plan, Section, Table, at_least, exactly_one, in_turn, ratio, shown
from load import ROOT, ask, ask_exactly, free_port, load, require_no_failure, running, wait_for

PROGRAM = ROOT / "target/release/simple-security"
SECRET = "only for this measurement"  # noqa: S105
NAMES = {
    "direct": "`/verify`, asked directly",
    "application": "nginx and an application",
    "application-guarded": "nginx, `auth_request`, an application",
    "file": "nginx and a small file",
    "file-guarded": "nginx, `auth_request`, a small file",
    "file-yes": "nginx asking itself, a small file",
}
EACH, CLIENTS = 250, 8
TEXT = """nginx passes requests on to the least application there is, as they are, and after
`auth_request` has asked the server. nginx, the application and the server have one core together,
`wrk` the other. To see what of the cost is nginx's own, it also serves a small file: alone, after
the server was asked, and after nginx itself was asked, which says yes to everybody. The ratios
are of requests in a second of their CPU time. The server logs each request, as it does unless
told otherwise."""

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
            add_header X-Api-Key-Owner -;
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


def measure(plan: Plan) -> Section:
    """Serves all and asks them in turn."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        server, port = _server(folder, stack)
        issued = ask(
            port,
            "/auth/keys",
            {"secret-key": SECRET, "content-type": "application/json"},
            "POST",
            '{"expires_at": null}',
        )
        key, key_id = (json.loads(issued)[name] for name in ("key", "id"))
        nginx, nginx_port = _nginx(folder, port, stack)
        # Quick: without the files.
        names = list(NAMES) if plan.full else list(NAMES)[:3]
        measures = {}
        for name in names:
            url = f"http://127.0.0.1:{nginx_port}/{name}"
            processes = [nginx, server]
            if name == "direct":
                url, processes = f"http://127.0.0.1:{port}/verify", [server]
            measures[name] = partial(load, url, key, processes, header="x-api-key")
        taken = in_turn(measures, plan.of(5, 21))
        for name, runs in taken.items():
            require_no_failure(runs, name)
        before = _settled(port, key_id)
        headers = {"x-api-key": key}
        answered = ask_exactly(nginx_port, "/application-guarded", headers, EACH, CLIENTS)
        answered += ask_exactly(port, "/verify", headers, EACH, CLIENTS)
        counted = _settled(port, key_id) - before
    rate = {name: [run.per_cpu_second for run in runs] for name, runs in taken.items()}
    rows = []
    for name in names:
        alone = name.partition("-")[0]
        of_it = "" if name == alone else str(ratio(rate[name], rate[alone]))
        runs = taken[name]
        rows.append(
            [
                NAMES[name],
                shown(statistics.median(rate[name])),
                shown(statistics.median(run.cpu_per_request for run in runs)),
                shown(statistics.median(run.p50 for run in runs)),
                shown(statistics.median(run.p99 for run in runs)),
                of_it,
            ]
        )
    headings = ["", "requests / s of CPU time", "CPU / request, µs", "p50, ms", "p99, ms"]
    kept = ratio(rate["application-guarded"], rate["application"])
    aims = [
        at_least("nginx with auth_request to ours / nginx alone, one core", 0.5, kept),
        exactly_one("counted / answered, the server and nginx", counted, answered),
    ]
    return Section("The server and nginx", TEXT, [Table([*headings, "of it alone"], rows)], aims)


def _server(folder: Path, stack: ExitStack) -> tuple[int, int]:
    """The server's process id and port."""
    (folder / "secret").write_text(SECRET)
    (folder / "secret").chmod(0o600)
    log = stack.enter_context((folder / "log").open("w"))
    command = [str(PROGRAM), "serve", "--listen=127.0.0.1:0", f"--db-location={folder}/keys.db"]
    command.append(f"--secret-file={folder}/secret")
    server = stack.enter_context(running(command, log=log))
    line = server.stdout.readline() if server.stdout else ""
    if not line:
        sys.exit((folder / "log").read_text())
    return server.pid, int(line.rsplit(":", 1)[1])


def _nginx(folder: Path, server: int, stack: ExitStack) -> tuple[int, int]:
    """The process id and port of nginx."""
    (folder / "files").mkdir()
    for name in ("file", "file-guarded", "file-yes"):
        (folder / "files" / name).write_text("x" * 1024)
    port = free_port()
    configuration = CONFIGURATION.format(
        folder=folder, server=f"127.0.0.1:{server}", other=free_port(), port=port
    )
    (folder / "nginx.conf").write_text(configuration)
    errors = folder / "nginx-errors"
    command = ["nginx", "-c", f"{folder}/nginx.conf", "-e", str(errors)]
    nginx = stack.enter_context(running(command))
    wait_for(port, nginx, errors)
    return nginx.pid, port


def _settled(port: int, key_id: str) -> int:
    """What is counted, once nothing is under way any more."""
    counted = -1
    while True:
        shown = json.loads(ask(port, f"/auth/keys/{key_id}", {"secret-key": SECRET}))
        if counted == shown["usage"]["total"]:
            return int(counted)
        counted = shown["usage"]["total"]
        time.sleep(0.2)
