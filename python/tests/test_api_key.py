"""What the dependency yields: the key as a `str` that knows its record and hides in a `repr`."""

import copy
import dataclasses
import json
import logging
import multiprocessing
import pickle
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI
from fastapi.encoders import jsonable_encoder
from fastapi.testclient import TestClient
from guarded_app import GuardedApp
from old_package import OldRow, write_old_file
from pydantic import BaseModel, ConfigDict

from fastapi_simple_security import ApiKey, SimpleSecurity


def yielded(security: SimpleSecurity, key: str) -> ApiKey:
    """The very object that a route gets."""
    caught: list[ApiKey] = []
    app = FastAPI()

    @app.get("/")
    async def catch(api_key: Annotated[ApiKey, Depends(security)]) -> None:
        caught.append(api_key)

    assert TestClient(app).get("/", headers={"api-key": key}).status_code == 200
    return caught[0]


def test_it_is_the_key(guarded: GuardedApp) -> None:
    key = guarded.new()
    api_key = yielded(guarded.security, key)
    assert isinstance(api_key, ApiKey)
    assert isinstance(api_key, str)
    assert api_key == key
    assert hash(api_key) == hash(key)
    assert key in {api_key}
    assert json.dumps(api_key) == json.dumps(key)
    assert f"{api_key}" == str(api_key) == key


def test_it_knows_its_record(guarded: GuardedApp) -> None:
    before = datetime.now(timezone.utc).replace(microsecond=0)
    key = guarded.new("bob")
    api_key = yielded(guarded.security, key)
    assert api_key.id == key[4:15] == guarded.logs()[0]["api_key"]
    assert api_key.name == "bob"
    assert api_key.expires_at is not None
    assert api_key.expires_at.utcoffset() == timedelta(0)
    shown = api_key.expires_at.replace(tzinfo=None).isoformat()
    assert shown == guarded.log_of(key)["expiration_date"]
    assert timedelta(days=15) <= api_key.expires_at - before <= timedelta(days=15, minutes=1)


def test_without_a_name(guarded: GuardedApp) -> None:
    assert yielded(guarded.security, guarded.new()).name == ""


def test_one_that_never_expires(guarded: GuardedApp) -> None:
    key = guarded.new(never_expires=True)
    assert yielded(guarded.security, key).expires_at is None


def test_a_renewal_is_seen_at_once(guarded: GuardedApp) -> None:
    key = guarded.new()
    yielded(guarded.security, key)
    guarded.renew(key, "2222-01-01T10:20:30+02:00")
    expected = datetime(2222, 1, 1, 8, 20, 30, tzinfo=timezone.utc)
    assert yielded(guarded.security, key).expires_at == expected


def test_the_end_of_time(guarded: GuardedApp) -> None:
    key = guarded.new()
    guarded.renew(key, "9999-12-31T23:59:59")
    expected = datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone.utc)
    assert yielded(guarded.security, key).expires_at == expected


def test_a_key_of_the_old_package(
    guard: Callable[..., GuardedApp], database: Path, canaries: set[str]
) -> None:
    key = "8d0f5c3a-1b7e-4f29-a6d4-2e9c7b5a3f10"
    canaries.add(key)
    write_old_file(database, [OldRow(key, name="from before")])
    guarded = guard()
    api_key = yielded(guarded.security, key)
    assert api_key == key
    assert api_key.id == guarded.logs()[0]["api_key"]
    assert len(api_key.id) == 11
    assert api_key.id not in key
    assert api_key.name == "from before"


def test_repr_shows_the_id_and_not_the_key(
    guarded: GuardedApp, caplog: pytest.LogCaptureFixture
) -> None:
    key = guarded.new()
    api_key = yielded(guarded.security, key)
    logging.getLogger("an.app").warning("asked with %r, one of %s", api_key, [api_key])
    shown = [repr(api_key), ascii(api_key), f"{api_key!r}", repr({"key": api_key}), caplog.text]
    for text in shown:
        assert api_key.id in text
        assert key not in text
        # Nor a part of its secret.
        assert key[16:26] not in text


def test_the_security_object_shows_no_secret(guarded: GuardedApp) -> None:
    guarded.new()
    for security in (guarded.security, SimpleSecurity(secret=guarded.secret)):
        assert guarded.secret not in repr(security) + str(security)


def test_copies_are_the_object_itself(guarded: GuardedApp) -> None:
    """A plain `str` would show the key wherever a copy is printed."""

    @dataclasses.dataclass
    class Holder:
        key: ApiKey

    class Model(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        key: ApiKey

    api_key = yielded(guarded.security, guarded.new())
    model = Model(key=api_key)
    copies = [
        copy.copy(api_key),
        copy.deepcopy(api_key),
        copy.deepcopy({"nested": [api_key]})["nested"][0],
        dataclasses.asdict(Holder(api_key))["key"],
        dataclasses.replace(Holder(api_key)).key,
        model.key,
        model.model_copy(deep=True).key,
        model.model_dump()["key"],
        jsonable_encoder({"key": api_key})["key"],
    ]
    assert all(each is api_key for each in copies)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_cannot_be_pickled(guarded: GuardedApp, protocol: int) -> None:
    """A queue, a cache or a process pool would store the key as plain text."""
    key = guarded.new()
    api_key = yielded(guarded.security, key)
    with pytest.raises(TypeError, match=r"pass on `key\.id`, or `str\(key\)` if") as raised:
        pickle.dumps({"key": api_key}, protocol)
    assert key not in str(raised.value)
    assert pickle.loads(pickle.dumps([api_key.id, str(api_key)], protocol)) == [key[4:15], key]
    assert type(str(api_key)) is str


def test_nor_passed_to_another_process(guarded: GuardedApp) -> None:
    api_key = yielded(guarded.security, guarded.new())
    queue = multiprocessing.get_context("spawn").SimpleQueue()
    with pytest.raises(TypeError, match="cannot be pickled"):
        queue.put(api_key)
    queue.put(api_key.id)
    assert queue.get() == api_key.id
    queue.close()
