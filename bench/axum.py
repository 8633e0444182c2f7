"""What the layer costs a server of axum, over sockets.

`bench/axum_server.rs` serves one handler three times: alone, behind the layer, and behind the least
that a check by hand does. `wrk` asks them in turn, in rounds, with the same headers. The server has
one core, the client the other. What counts is how many requests the server answers in a second of
its own CPU time: on a quiet machine that is what its core does in a second, and on any other it
says nothing of who else was at work. Reported are medians over the rounds, and the median of the
ratios within each round. The layer must leave 95 of 100 requests.

All that was answered must have been counted. When wrk's time is over, it leaves with up to one
request under way on each of its connections: counted, and never answered. So that sum is checked
with this tolerance, and a fixed number of requests after it exactly.
"""

import http.client
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROUNDS = 15
CONNECTIONS = 64
CLOSING = 1000
BOUND = 0.95
# What wrk does not send itself, and most clients do.
HEADERS = ["user-agent: bench", "accept: */*", "accept-encoding: gzip, deflate"]
CLIENT_CORE, SERVER_CORE = "0", "1"
SERVER = Path(__file__).parents[1] / "target" / "release" / "examples" / "axum_server"


@contextmanager
def server() -> Iterator[tuple[int, int, str]]:
    """The server's process id, port and key. It ends with the block."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["taskset", "-c", SERVER_CORE, SERVER, f"{folder}/keys.db"]
        process = subprocess.Popen(  # noqa: S603, all of it is written here
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            port, key = process.stdout.readline().split()
            yield process.pid, int(port), key
        finally:
            # It ends when its standard input does.
            process.communicate(timeout=10)
        if process.returncode != 0:
            sys.exit("the server has failed")


def cpu_time(process_id: int) -> int:
    """What a process has used up, in nanoseconds: the clock that clock_getcpuclockid(3) names."""
    return time.clock_gettime_ns(~process_id << 3 | 2)


def load(process_id: int, port: int, key: str, route: str) -> tuple[float, int]:
    """Requests for a second: how many in a second of the server's CPU time, and how many at all."""
    headers = [part for each in [*HEADERS, f"x-api-key: {key}"] for part in ("-H", each)]
    wrk = ["wrk", "-t1", f"-c{CONNECTIONS}", "-d1s", *headers, f"http://127.0.0.1:{port}{route}"]
    command = ["taskset", "-c", CLIENT_CORE, *wrk]
    before = cpu_time(process_id)
    run = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603, all of it is written here
    used = cpu_time(process_id) - before
    found = re.search(r"(\d+) requests in", run.stdout)
    if found is None or re.search(r"Non-2xx|Socket errors", run.stdout):
        sys.exit(run.stdout + run.stderr)
    answered = int(found[1])
    return answered / used * 1e9, answered


def ask(connection: http.client.HTTPConnection, route: str, key: str) -> bytes:
    """The body of one answer."""
    connection.request("GET", route, headers={"x-api-key": key})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        sys.exit(f"{route} answered {answer.status}")
    return body


def settled(connection: http.client.HTTPConnection) -> int:
    """What is counted, once nothing is under way any more."""
    counted = -1
    while counted != (counted := int(ask(connection, "/used", ""))):
        time.sleep(0.2)
    return counted


def main() -> None:
    """Measures, prints, and fails when a bound is broken."""
    routes = ["/open", "/ours", "/hash"]
    with server() as (process_id, port, key):
        answered = 0
        rounds = []
        for number in range(ROUNDS + 1):
            rates = {}
            # Each goes first in turn.
            for step in range(len(routes)):
                route = routes[(number + step) % len(routes)]
                rates[route], of_route = load(process_id, port, key, route)
                answered += of_route if route == "/ours" else 0
            rounds.append([rates[route] for route in routes])
        connection = http.client.HTTPConnection("127.0.0.1", port)
        counted = settled(connection)
        for _ in range(CLOSING):
            ask(connection, "/ours", key)
        closing = settled(connection) - counted
        connection.close()
    # The first round is for warming up.
    rounds = rounds[1:]
    alone, ours, by_hand = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(each[1] / each[0] for each in rounds)
    ratio_by_hand = statistics.median(each[2] / each[0] for each in rounds)
    print(f"the handler alone       {alone:7.0f} requests in a second of CPU time")
    print(f"behind the layer        {ours:7.0f}   {ratio:.3f} of it (at least {BOUND:g})")
    print(f"behind a check by hand  {by_hand:7.0f}   {ratio_by_hand:.3f} of it")
    tolerance = (ROUNDS + 1) * CONNECTIONS
    print(f"counted / answered: {counted} / {answered} (at most {tolerance} more)")
    print(f"counted / answered, a fixed number: {closing} / {CLOSING}")
    exact = 0 <= counted - answered <= tolerance and closing == CLOSING
    if ratio < BOUND or not exact:
        sys.exit(1)


main()
