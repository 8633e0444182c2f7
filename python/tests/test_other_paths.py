"""A database that is known by another path too, or by a path that means something else now."""

import os
from pathlib import Path

import pytest

from fastapi_simple_security import ConfigurationError, SimpleSecurity

SECRET = "a secret of this test"


def test_a_hard_link_is_refused(database: Path) -> None:
    """Its write-ahead log and its locks would lie beside the other name."""
    first = SimpleSecurity(secret=SECRET, db_location=database)
    first.open()
    first.close()
    other = database.with_name("other.db")
    os.link(database, other)
    for path in (database, other):
        with pytest.raises(ConfigurationError, match=r"^db_location: .* hard link"):
            SimpleSecurity(secret=SECRET, db_location=path).open()
    other.unlink()
    first.open()
    first.close()


def test_a_relative_path_means_what_it_meant_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    security = SimpleSecurity(secret=SECRET, db_location="keys.db")
    security.open()
    key = str(security.keys.issue(expires_at=None).key)
    security.close()
    monkeypatch.chdir(tmp_path / "elsewhere")
    security.open()
    scope = {"headers": [(b"api-key", key.encode())]}
    assert security._engine.verify(scope) == key
    security.close()
    assert not list((tmp_path / "elsewhere").iterdir())


def test_an_empty_file_that_others_may_read_is_made_private(database: Path) -> None:
    database.touch(mode=0o644)
    security = SimpleSecurity(secret=SECRET, db_location=database)
    security.open()
    assert {path.stat().st_mode & 0o777 for path in database.parent.iterdir()} == {0o600}
    security.close()
