"""One exception class per cause, with what a program needs as attributes."""

import copy
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fastapi_simple_security import (
    ConfigurationError,
    InvalidInput,
    KeyExists,
    KeyNotFound,
    KeyRejected,
    SecurityError,
    SimpleSecurity,
    StoreUnavailable,
    SystemFailure,
    _core,
)

UNKNOWN = "00000000000"

# The verbs of the routes of 1.x; those of `security.keys` have tests of their own.
Call = Callable[[_core.LegacyKeys], object]


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[_core.LegacyKeys]:
    security = SimpleSecurity(secret="a secret of a test", db_location=tmp_path / "keys.db")
    admin = security._engine.authenticate_admin([(b"secret-key", b"a secret of a test")])
    assert isinstance(admin, _core.Admin)
    yield _core.LegacyKeys(security._engine, admin)
    security.close()


def test_invalid_input_names_the_parameter(keys: _core.LegacyKeys) -> None:
    with pytest.raises(InvalidInput) as caught:
        keys.issue("a\nb", False)
    assert caught.value.parameter == "name"
    assert str(caught.value) == f"name: {caught.value.message}"
    assert keys.logs() == []


@pytest.mark.parametrize(
    "call",
    [
        lambda keys: keys.revoke(UNKNOWN),
        lambda keys: keys.renew(UNKNOWN, None),
    ],
)
def test_an_unknown_key(keys: _core.LegacyKeys, call: Call) -> None:
    with pytest.raises(KeyNotFound, match=r"^API key not found$"):
        call(keys)


def test_a_store_that_is_no_file_of_keys(tmp_path: Path) -> None:
    security = SimpleSecurity(secret="a secret of a test", db_location=tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        security.keys.get(UNKNOWN)
    assert caught.value.setting == "db_location"
    assert str(caught.value) == f"db_location: {caught.value.problem}"


@pytest.mark.parametrize(
    "error",
    [
        ConfigurationError("secret", "it is empty"),
        InvalidInput("name", "it is too long"),
        KeyExists("a key of this text exists already"),
        KeyNotFound("API key not found"),
        KeyRejected("unknown"),
        KeyRejected("revoked", "Gh29RPWKBo4"),
        StoreUnavailable("the disk is full"),
        SystemFailure("the operating system gives no random bytes"),
    ],
)
def test_an_error_survives_a_copy_and_a_pickle(error: SecurityError) -> None:
    """A pool of processes passes an exception on by `pickle`."""
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (type(other), str(other), vars(other)) == (type(error), str(error), vars(error))
