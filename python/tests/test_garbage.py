"""What the garbage collector finds."""

import os
from pathlib import Path

from servers import wait_until

from fastapi_simple_security import ApiKey, _core


def test_an_engine_that_nobody_has_any_more_is_closed(tmp_path: Path) -> None:
    """On a thread of its own: the collector may run anywhere, with any lock held."""
    before = len(os.listdir("/proc/self/task"))
    location = f"{tmp_path}/keys.db"
    engine = _core.Engine(print, ApiKey, secret="a secret of this test", db_location=location)
    engine.open()
    assert len(os.listdir("/proc/self/task")) > before
    del engine
    wait_until(lambda: len(os.listdir("/proc/self/task")) == before, 20, "the end of its threads")
    assert not (tmp_path / "keys.db-wal").exists()
