"""The Python API as a typed program uses it: mypy checks this file, and a test runs it."""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta, timezone
from typing import Literal

from typing_extensions import assert_type

from fastapi_simple_security import (
    ApiKey,
    InvalidInput,
    IssuedKey,
    KeyDetails,
    KeyRejected,
    Keys,
    KeyUsage,
    SimpleSecurity,
)

OWN_KEY = "an-imported-key-of-32-characters"


def use(security: SimpleSecurity) -> IssuedKey:
    keys = assert_type(security.keys, Keys)
    month = datetime.now(timezone.utc) + timedelta(days=30)
    issued = assert_type(keys.issue("alice", owner="acme", expires_at=month), IssuedKey)
    details: KeyDetails = issued
    assert_type(issued.key, str)
    assert_type(security.verify(issued.key), ApiKey)
    assert_type(details.id, str)
    assert_type(details.name, str)
    assert_type(details.owner, str)
    assert_type(details.state, Literal["active", "expired", "revoked"])
    assert_type(details.created_at, datetime)
    assert_type(details.expires_at, datetime | None)
    assert_type(details.revoked_at, datetime | None)
    usage = assert_type(details.usage, KeyUsage)
    assert_type(usage.total, int)
    assert_type(usage.last_used_at, datetime | None)
    imported = keys.issue(key=OWN_KEY, expires_at=None)
    assert_type(imported, IssuedKey[None])
    assert_type(imported.key, None)
    assert_type(keys.get(issued.id), KeyDetails)
    assert_type(keys.list(state="active", name="al", owner=""), Iterator[KeyDetails])
    assert_type(keys.edit(issued.id, name="bob", owner="", expires_at=None), KeyDetails)
    assert_type(keys.renew(issued.id, expires_at=month), KeyDetails)
    assert_type(keys.revoke(issued.id), KeyDetails)
    keys.renew(issued.id)
    security.flush()
    try:
        security.verify("not a key")
    except KeyRejected as error:
        assert_type(error.reason, str)
        assert_type(error.key_id, str | None)
    try:
        # What mypy rejects is rejected at run time too.
        keys.issue(5)  # type: ignore[call-overload]
    except InvalidInput as error:
        assert_type(error.parameter, str)
        assert_type(error.message, str)
    try:
        keys.list(state="sleeping")  # type: ignore[arg-type]
    except InvalidInput:
        pass
    else:
        raise AssertionError("a state of another word was accepted")
    return issued


async def use_async(security: SimpleSecurity) -> IssuedKey:
    keys = security.keys
    issued = assert_type(await keys.issue_async("alice", owner="acme"), IssuedKey)
    assert_type(await keys.get_async(issued.id), KeyDetails)
    assert_type(keys.list_async(), AsyncIterator[KeyDetails])
    async for key in keys.list_async(owner="acme"):
        assert_type(key, KeyDetails)
    assert_type(await keys.edit_async(issued.id, name="bob"), KeyDetails)
    assert_type(await keys.renew_async(issued.id, expires_at=None), KeyDetails)
    assert_type(await security.verify_async(issued.key), ApiKey)
    assert_type(await keys.revoke_async(issued.id), KeyDetails)
    await keys.delete_async(issued.id)
    await security.flush_async()
    return issued
