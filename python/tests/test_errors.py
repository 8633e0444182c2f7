"""One exception class per cause, with what a program needs as attributes."""

import copy
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fastapi_simple_security import (
    ConfigurationError,
    SecurityError,
    SimpleSecurity,
    StoreUnavailable,
    SystemFailure,
    _core,
)
from fastapi_simple_security._errors import InvalidInput, KeyExists, KeyNotFound

OWN_KEY = "an-imported-key-of-32-characters"
UNKNOWN = "00000000000"

Call = Callable[[_core.Keys], object]


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[_core.Keys]:
    security = SimpleSecurity(secret="a secret of a test", db_location=tmp_path / "keys.db")
    yield _core.Keys(security._engine)
    security.close()


@pytest.mark.parametrize(
    ("parameter", "call"),
    [
        ("name", lambda keys: keys.issue("a\nb")),
        ("key", lambda keys: keys.issue("", key="short")),
        ("name", lambda keys: keys.edit(UNKNOWN, name="x" * 201)),
        ("cursor", lambda keys: keys.page(1, cursor="x")),
        ("state", lambda keys: keys.page(1, state="x")),
    ],
)
def test_invalid_input_names_the_parameter(keys: _core.Keys, parameter: str, call: Call) -> None:
    with pytest.raises(InvalidInput) as caught:
        call(keys)
    assert caught.value.parameter == parameter
    assert str(caught.value) == f"{parameter}: {caught.value.message}"
    assert keys.logs() == []


@pytest.mark.parametrize(
    "call",
    [
        lambda keys: keys.find(UNKNOWN),
        lambda keys: keys.edit(UNKNOWN, name=""),
        lambda keys: keys.revoke(UNKNOWN),
        lambda keys: keys.renew(UNKNOWN),
        lambda keys: keys.delete("no id"),
        lambda keys: keys.revoke_named(UNKNOWN),
        lambda keys: keys.renew_named(UNKNOWN, None),
    ],
)
def test_an_unknown_key(keys: _core.Keys, call: Call) -> None:
    with pytest.raises(KeyNotFound, match=r"^API key not found$"):
        call(keys)


def test_a_key_that_exists(keys: _core.Keys, canaries: set[str]) -> None:
    canaries.add(OWN_KEY)
    keys.issue("", key=OWN_KEY)
    with pytest.raises(KeyExists) as caught:
        keys.issue("", key=OWN_KEY)
    assert OWN_KEY not in str(caught.value)


def test_a_store_that_is_no_file_of_keys(tmp_path: Path) -> None:
    security = SimpleSecurity(secret="a secret of a test", db_location=tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        _core.Keys(security._engine).logs()
    assert caught.value.setting == "db_location"
    assert str(caught.value) == f"db_location: {caught.value.problem}"


@pytest.mark.parametrize(
    "error",
    [
        ConfigurationError("secret", "it is empty"),
        InvalidInput("name", "it is too long"),
        KeyExists("a key of this text exists already"),
        KeyNotFound("API key not found"),
        StoreUnavailable("the disk is full"),
        SystemFailure("the operating system gives no random bytes"),
    ],
)
def test_an_error_survives_a_copy_and_a_pickle(error: SecurityError) -> None:
    """A pool of processes passes an exception on by `pickle`."""
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (type(other), str(other), vars(other)) == (type(error), str(error), vars(error))
