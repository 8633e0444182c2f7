"""What a cached key costs: no thread, no write, no wait."""

import os
import threading
from pathlib import Path
from types import CoroutineType
from typing import Any

from starlette.requests import HTTPConnection

from fastapi_simple_security import ApiKey, SimpleSecurity


def written_by_this_process() -> int:
    """How often it has asked the kernel to write (proc(5), `/proc/pid/io`)."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["syscw"])


def test_a_hit_awaits_nothing_writes_nothing_and_starts_no_thread(tmp_path: Path) -> None:
    security = SimpleSecurity(secret="a secret of a test", db_location=tmp_path / "keys.db")
    security.open()
    # The counts of this test are written once, at the end: the flusher has an interval of 1 s.
    key = str(security.keys.issue(expires_at=None).key)
    scope = {"type": "http", "headers": [(b"api-key", key.encode())], "query_string": b""}

    def verify() -> Any:
        call: CoroutineType[Any, Any, ApiKey] = security(HTTPConnection(scope))
        try:
            call.send(None)
        except StopIteration as done:
            return done.value
        raise AssertionError("the dependency has waited for something")

    assert verify() == key
    threads = (threading.active_count(), len(os.listdir("/proc/self/task")))
    descriptors = os.listdir("/proc/self/fd")
    before = written_by_this_process()
    for _ in range(1000):
        assert verify() == key
    assert written_by_this_process() == before
    assert os.listdir("/proc/self/fd") == descriptors
    assert (threading.active_count(), len(os.listdir("/proc/self/task"))) == threads
    security.close()
