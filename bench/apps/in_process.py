"""Calls apps in turn, in process: no server and no socket. Prints JSON.

The arguments are how many rounds, and how many requests of each in a round.
"""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, MutableMapping
from contextlib import closing
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

MODULES = ["plain", "empty", "dependency", "middleware"]
# Those that ask for a key.
GUARDED = ["dependency", "middleware", "middleware, declared before", "middleware, declared after"]
WARMING = 10


def all_apps() -> dict[str, tuple[Any, Callable[[], None]]]:
    """The apps by name, each with what is to be done before it is called."""
    apps: dict[str, tuple[Any, Callable[[], None]]] = {
        name: (import_module(name).app, lambda: None) for name in MODULES
    }
    ordered = import_module("admin_routes").Ordered
    one = ordered(middleware=False)
    apps["declared before"] = one.app, partial(one.put, one.before)
    apps["declared after"] = one.app, partial(one.put, one.after)
    apps["declared after empty"] = one.app, partial(one.put, one.after_empty)
    one = ordered(middleware=True)
    apps["middleware, declared before"] = one.app, partial(one.put, one.before)
    apps["middleware, declared after"] = one.app, partial(one.put, one.after)
    return apps


async def request(app: Any, key: bytes) -> None:
    """One request, as a server would hand it to the app."""
    scope: MutableMapping[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "root_path": "",
        "query_string": b"",
        "headers": [
            (b"host", b"localhost:8080"),
            (b"accept", b"*/*"),
            (b"accept-encoding", b"gzip, deflate"),
            (b"user-agent", b"bench"),
            (b"connection", b"keep-alive"),
            (b"api-key", key),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8080),
        "state": {},
    }

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message.get("status", 200) != 200:
            raise RuntimeError(f"the request was answered {message['status']}")

    await app(scope, receive, send)


async def main(program: str, rounds: int, requests: int) -> None:
    """Measures and prints."""
    database = os.environ["FASTAPI_SIMPLE_SECURITY_DB_LOCATION"]
    issue = [program, "keys", "issue", "--db-location", database]
    key = subprocess.run(issue, capture_output=True, check=True).stdout.split()[0]  # noqa: S603
    apps = all_apps()
    names = list(apps)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds + 1):
        for step in range(len(names)):
            name = names[(number + step) % len(names)]
            app, prepare = apps[name]
            prepare()
            # Each app pushes the one before it out of the caches of the processor.
            for _ in range(WARMING):
                await request(app, key)
            # Of this thread alone: others use the machine too, and nothing here waits.
            begun = time.thread_time()
            for _ in range(requests):
                await request(app, key)
            took = (time.thread_time() - begun) / requests * 1e6
            if number > 0:
                taken[name].append(took)
    from fastapi_simple_security import api_key_security

    api_key_security.close()
    with closing(sqlite3.connect(database)) as connection:
        [(counted,)] = connection.execute("SELECT sum(total) FROM key_usage")
    answered = len(GUARDED) * (rounds + 1) * (WARMING + requests)
    print(json.dumps({"taken": taken, "counted": counted, "answered": answered}))


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
