"""Load from one core on servers that have the other, and what it cost them."""

import http.client
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

BENCH = Path(__file__).parent
ROOT = BENCH.parent
CLIENT_CORE, SERVER_CORE = "0", "1"
CONNECTIONS = 64
# What wrk does not send itself, and most clients do.
HEADERS = ["user-agent: bench", "accept: */*", "accept-encoding: gzip, deflate"]
TICK = 1 / os.sysconf("SC_CLK_TCK")
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


@dataclass(frozen=True)
class Run:
    """One run of wrk. Times in milliseconds, CPU times in microseconds."""

    answered: int
    failed: int
    seconds: float
    p50: float
    p99: float
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        """Requests in a second."""
        return self.answered / self.seconds

    @property
    def per_cpu_second(self) -> float:
        """Requests in a second of the servers' CPU time."""
        return self.answered / max(self.cpu_seconds, TICK)

    @property
    def cpu_per_request(self) -> float:
        """What the servers computed for each request, in microseconds."""
        return self.cpu_seconds / max(self.answered, 1) * 1e6


@contextmanager
def running(
    command: list[str],
    *,
    environment: Mapping[str, str] | None = None,
    log: IO[str] | None = None,
    folder: Path | None = None,
    closes: bool = False,
) -> Iterator[subprocess.Popen[str]]:
    """A process on the core of the servers, which ends with the block.

    It is asked to, or its standard input ends (`closes`).
    """
    process = subprocess.Popen(  # noqa: S603, all of it is written here
        ["taskset", "-c", SERVER_CORE, *command],  # noqa: S607
        env=environment,
        cwd=folder,
        text=True,
        stdin=subprocess.PIPE if closes else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
    )
    try:
        yield process
    finally:
        if closes and process.stdin:
            process.stdin.close()
        else:
            process.terminate()
        process.wait(timeout=60)


def load(
    url: str,
    key: str,
    processes: list[int],
    *,
    header: str = "api-key",
    seconds: int = 1,
    connections: int = CONNECTIONS,
) -> Run:
    """Asks as fast as the servers answer."""
    sent = [part for each in [*HEADERS, f"{header}: {key}"] for part in ("-H", each)]
    wrk = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout=30s"]
    before = cpu_time(processes)
    began = time.monotonic()
    done = subprocess.run(  # noqa: S603, all of it is written here
        ["taskset", "-c", CLIENT_CORE, *wrk, *sent, url],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    )
    took = time.monotonic() - began
    used = cpu_time(processes) - before
    found = re.search(r"(\d+) requests in", done.stdout)
    if found is None:
        sys.exit(done.stdout + done.stderr)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    failed = int(refused[1]) if refused else 0
    answered = int(found[1]) - failed
    return Run(answered, failed, took, _latency(done.stdout, 50), _latency(done.stdout, 99), used)


def require_no_failure(runs: list[Run], what: str) -> None:
    """Ends it all where a request was refused that should not have been."""
    failed = sum(run.failed for run in runs)
    if failed:
        sys.exit(f"{what}: {failed} requests were refused")


def cpu_time(processes: list[int]) -> float:
    """What processes have used up, in seconds: the clocks that clock_getcpuclockid(3) names.

    The same as in /proc/<pid>/stat, in nanoseconds instead of ticks of 10 ms.
    """
    return sum(time.clock_gettime(~process << 3 | 2) for process in processes)


def ask(
    port: int, path: str, headers: dict[str, str], method: str = "GET", body: str | None = None
) -> bytes:
    """The body of one answer, on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if answer.status >= 300:
        sys.exit(f"{path} answered {answer.status}")
    return content


def ask_exactly(port: int, path: str, headers: dict[str, str], each: int, clients: int) -> int:
    """So many requests by each of so many clients at once; how many were answered with 200."""
    answered = []

    def ask_one_by_one() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for _ in range(each):
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                answered.append(1)
        connection.close()

    threads = [threading.Thread(target=ask_one_by_one) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(answered)


def free_port() -> int:
    """A port on which nobody listens."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[str], log: Path) -> None:
    """Waits until somebody listens there."""
    import socket

    for _ in range(1200):
        with socket.socket() as asking:
            if asking.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    sys.exit(f"a server did not start:\n{log.read_text()}")


def _latency(printed: str, percent: int) -> float:
    found = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s|m)\s*$", printed, re.MULTILINE)
    return float(found[1]) * UNITS[found[2]] if found else float("nan")
