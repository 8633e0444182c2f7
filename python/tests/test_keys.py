"""`security.keys`: keys from Python code, without an app."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import pickle
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone, tzinfo
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import anyio
import pytest
import typed_keys
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from guarded_app import ADMIN_SECRET
from pydantic import BaseModel, ConfigDict

from fastapi_simple_security import (
    InvalidInput,
    IssuedKey,
    KeyDetails,
    KeyExists,
    KeyNotFound,
    KeyRejected,
    Keys,
    KeyUsage,
    SimpleSecurity,
    _waiting,
)

UNKNOWN = "00000000000"
OWN_KEY = "an-imported-key-of-32-characters"
NOON = datetime(2222, 1, 31, 12, tzinfo=timezone.utc)
NAIVE = datetime(2222, 1, 31, 12)
SURROGATE = "half a pair \ud800"
PAGE = 100


@pytest.fixture
def security(database: Path) -> Iterator[SimpleSecurity]:
    security = SimpleSecurity(secret=ADMIN_SECRET, db_location=database)
    yield security
    security.close()


@pytest.fixture
def issue(security: SimpleSecurity, canaries: set[str]) -> Callable[..., IssuedKey]:
    def issue(*arguments: Any, **named: Any) -> IssuedKey:
        issued = security.keys.issue(*arguments, **named)
        canaries.add(named.get("key") or plain(issued))
        return issued

    return issue


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> str:
    if request.param == "trio":
        pytest.importorskip("trio")
    return str(request.param)


Issue = Callable[..., IssuedKey]


def plain(issued: IssuedKey) -> str:
    assert issued.key is not None
    return issued.key


def ids(keys: Iterator[KeyDetails]) -> list[str]:
    return [key.id for key in keys]


def now() -> datetime:
    return datetime.now(timezone.utc)


def test_the_life_of_a_key(security: SimpleSecurity, issue: Issue) -> None:
    before = now().replace(microsecond=0)
    issued = issue("alice", owner="acme", expires_at=NOON)
    assert plain(issued).startswith(f"fss_{issued.id}_")
    assert (issued.name, issued.owner, issued.state) == ("alice", "acme", "active")
    assert before <= issued.created_at <= now()
    assert (issued.expires_at, issued.revoked_at) == (NOON, None)
    assert (issued.usage.total, issued.usage.last_used_at) == (0, None)

    security.verify(plain(issued))
    found = security.keys.get(issued.id)
    assert type(found) is KeyDetails
    assert found.usage.total == 1
    assert found.usage.last_used_at is not None
    assert before <= found.usage.last_used_at <= now()
    for moment in (found.created_at, found.expires_at, found.usage.last_used_at):
        assert moment is not None
        assert moment.utcoffset() == timedelta(0)

    edited = security.keys.edit(issued.id, name="bob", owner="", expires_at=None)
    assert (edited.name, edited.owner, edited.expires_at) == ("bob", "", None)
    assert edited == security.keys.get(issued.id)

    revoked = security.keys.revoke(issued.id)
    assert revoked.state == "revoked"
    assert revoked.revoked_at is not None
    assert before <= revoked.revoked_at <= now()
    assert not accepts(security, issued)

    renewed = security.keys.renew(issued.id, expires_at=NOON)
    assert (renewed.state, renewed.revoked_at, renewed.expires_at) == ("active", None, NOON)
    assert accepts(security, issued)

    security.keys.delete(issued.id)
    assert not accepts(security, issued)
    with pytest.raises(KeyNotFound):
        security.keys.get(issued.id)


def accepts(security: SimpleSecurity, issued: IssuedKey) -> bool:
    try:
        security.verify(plain(issued))
    except KeyRejected:
        return False
    return True


def test_the_same_in_async_code(security: SimpleSecurity, canaries: set[str], backend: str) -> None:
    async def live() -> None:
        keys = security.keys
        issued = await keys.issue_async("alice", owner="acme", expires_at=NOON)
        canaries.add(plain(issued))
        assert (issued.name, issued.owner, issued.expires_at) == ("alice", "acme", NOON)
        assert await security.verify_async(plain(issued)) == issued.key
        found = await keys.get_async(issued.id)
        assert (type(found), found.usage.total) == (KeyDetails, 1)
        edited = await keys.edit_async(issued.id, name="bob", owner="", expires_at=None)
        assert (edited.name, edited.owner, edited.expires_at) == ("bob", "", None)
        assert (await keys.revoke_async(issued.id)).state == "revoked"
        renewed = await keys.renew_async(issued.id, expires_at=NOON)
        assert (renewed.state, renewed.expires_at) == ("active", NOON)
        assert [key.id async for key in keys.list_async()] == [issued.id]
        await keys.delete_async(issued.id)
        assert [key async for key in keys.list_async()] == []
        with pytest.raises(KeyNotFound):
            await keys.get_async(issued.id)

    anyio.run(live, backend=backend)


def test_a_typed_program(database: Path, canaries: set[str]) -> None:
    canaries.add(typed_keys.OWN_KEY)
    for number, use in enumerate([typed_keys.use, typed_keys.use_async]):
        place = database.with_name(f"{number}.db")
        security = SimpleSecurity(secret=ADMIN_SECRET, db_location=place)
        issued = anyio.run(use, security) if use is typed_keys.use_async else use(security)
        canaries.add(plain(issued))
        security.close()


def test_a_change_holds_in_another_process_when_the_call_returns(
    database: Path, security: SimpleSecurity, issue: Issue
) -> None:
    """Another instance stands for one: it has a cache and connections of its own."""
    other = SimpleSecurity(secret=ADMIN_SECRET, db_location=database)
    for _ in range(20):
        issued = issue()
        assert accepts(other, issued)
        security.keys.revoke(issued.id)
        assert not accepts(other, issued)
        security.keys.renew(issued.id)
        assert accepts(other, issued)
    other.close()


def test_when_a_key_expires(database: Path, canaries: set[str]) -> None:
    security = SimpleSecurity(secret=ADMIN_SECRET, db_location=database, automatic_expiration=90)
    keys = security.keys
    by_default = keys.issue()
    canaries.add(plain(by_default))
    for details in (by_default, keys.renew(by_default.id)):
        assert details.expires_at is not None
        assert abs(details.expires_at - now() - timedelta(days=90)) < timedelta(minutes=1)
    # What is left out stays.
    assert keys.edit(by_default.id, name="x").expires_at == by_default.expires_at
    assert keys.edit(by_default.id).name == "x"
    never = keys.issue(expires_at=None)
    canaries.add(plain(never))
    for details in (never, keys.renew(never.id), keys.edit(never.id)):
        assert details.expires_at is None
    for given, kept in (
        (NOON.replace(microsecond=999_999), NOON),
        (NOON.astimezone(timezone(timedelta(hours=14))), NOON),
        (NOON.astimezone(timezone(-timedelta(hours=12, minutes=1))), NOON),
        (NOON.replace(year=1), NOON.replace(year=1)),
        (NOON.replace(year=9999), NOON.replace(year=9999)),
        (datetime(1969, 12, 31, 23, 59, 59, 1, timezone.utc), None),
        (datetime.min.replace(tzinfo=timezone.utc), datetime.min.replace(tzinfo=timezone.utc)),
        (datetime.max.replace(tzinfo=timezone.utc), None),
    ):
        expected = kept or given.replace(microsecond=0)
        assert keys.edit(never.id, expires_at=given).expires_at == expected
        assert keys.renew(never.id, expires_at=given).expires_at == expected
    assert keys.edit(never.id, expires_at=now() - timedelta(days=1)).state == "expired"
    security.close()


def test_a_key_of_ones_own(security: SimpleSecurity, issue: Issue) -> None:
    imported = issue("from before", key=OWN_KEY)
    assert imported.key is None
    assert security.verify(OWN_KEY).id == imported.id
    with pytest.raises(KeyExists) as caught:
        security.keys.issue(key=OWN_KEY)
    assert OWN_KEY not in str(caught.value)
    security.keys.revoke(imported.id)
    with pytest.raises(KeyExists):
        security.keys.issue(key=OWN_KEY)


def test_a_list_has_many_pages(security: SimpleSecurity, canaries: set[str], backend: str) -> None:
    issued = issue_many(security, 2 * PAGE + 5, canaries)
    listed = ids(security.keys.list())
    assert len(listed) == len(set(listed))
    assert set(listed) == set(issued)
    assert ids(islice(security.keys.list(), 3)) == listed[:3]

    async def list_async() -> list[str]:
        return [key.id async for key in security.keys.list_async()]

    assert anyio.run(list_async, backend=backend) == listed
    moments = [key.created_at for key in security.keys.list()]
    assert moments == sorted(moments, reverse=True)


def test_keys_that_come_and_go_during_a_list(security: SimpleSecurity, canaries: set[str]) -> None:
    """What exists throughout is visited once."""
    issued = issue_many(security, 2 * PAGE + 5, canaries)
    keys = security.keys
    order = ids(keys.list())
    visited = []
    for number, key in enumerate(keys.list()):
        visited.append(key.id)
        if number == 0:
            # The key that the second page begins after, one of that page, and the last of all.
            for gone in (PAGE - 1, PAGE + 1, -1):
                keys.delete(order[gone])
            canaries.add(plain(keys.issue("new")))
    assert visited[:PAGE] == order[:PAGE], "a page is read at once"
    assert len(visited) == len(set(visited))
    left = set(issued) - {order[PAGE + 1], order[-1]}
    assert left <= set(visited)
    assert not {order[PAGE + 1], order[-1]} & set(visited)


def issue_many(security: SimpleSecurity, number: int, canaries: set[str]) -> list[str]:
    """At once, because each waits until it holds everywhere."""
    issued: list[IssuedKey] = []

    async def issue() -> None:
        issued.append(await security.keys.issue_async())

    async def issue_all() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(number):
                tasks.start_soon(issue)

    anyio.run(issue_all)
    canaries.update(plain(key) for key in issued)
    return [key.id for key in issued]


def test_a_list_of_some_keys(security: SimpleSecurity, issue: Issue, backend: str) -> None:
    shop, cafe = issue("shop", owner="acme"), issue("café", owner="")
    old = issue("old shop", owner="acme", expires_at=now() - timedelta(days=1))
    gone = issue("gone")
    security.keys.revoke(gone.id)
    for filters, expected in (
        ({}, {shop, cafe, old, gone}),
        ({"state": None, "name": None, "owner": None}, {shop, cafe, old, gone}),
        ({"state": "active"}, {shop, cafe}),
        ({"state": "expired"}, {old}),
        ({"state": "revoked"}, {gone}),
        ({"name": "shop"}, {shop, old}),
        ({"name": "SHOP"}, set()),
        ({"name": ""}, {shop, cafe, old, gone}),
        ({"owner": "acme"}, {shop, old}),
        ({"owner": ""}, {cafe, gone}),
        ({"state": "active", "name": "shop", "owner": "acme"}, {shop}),
    ):
        wanted: Any = filters

        async def list_async(wanted: Any = wanted) -> set[str]:
            return {key.id async for key in security.keys.list_async(**wanted)}

        assert set(ids(security.keys.list(**wanted))) == {key.id for key in expected}, wanted
        assert anyio.run(list_async, backend=backend) == {key.id for key in expected}, wanted


class NoDate(datetime):
    """As the NaT of pandas: a `datetime` that is not an instant."""

    def utcoffset(self) -> timedelta | None:
        return timedelta(0)

    def __sub__(self, other: Any) -> Any:
        return self


class NoOffset(tzinfo):
    """A zone that does not know its offset: Python takes the date for a naive one."""

    def utcoffset(self, _moment: datetime | None) -> None:
        return None


TEXTS = [None, b"bytes", 5, True, ["a list"], ..., SURROGATE]
NAMES = ["x" * 201, "line\nbreak", "\x00", "\u202e"]
DATES = [
    NAIVE,
    NOON.date(),
    5,
    5.5,
    "2222-01-31T12:00:00Z",
    True,
    timedelta(days=1),
    NOON.replace(year=1, month=1, day=1, hour=0, tzinfo=timezone(timedelta(seconds=1))),
    datetime.max.replace(tzinfo=timezone(-timedelta(seconds=1))),
    NoDate(2222, 1, 31, tzinfo=timezone.utc),
    NAIVE.replace(tzinfo=NoOffset()),
]
BAD: dict[tuple[str, str], list[Any]] = {
    ("issue", "name"): [*TEXTS, *NAMES],
    ("issue", "owner"): [*TEXTS, *NAMES],
    ("issue", "expires_at"): DATES,
    ("issue", "key"): [
        *TEXTS[1:],
        "",
        "x" * 31,
        "x" * 256,
        "x" * 31 + " ",
        "é" * 32,
        "fss_" + "x" * 40,
    ],
    ("get", "id"): TEXTS,
    ("edit", "id"): TEXTS,
    ("edit", "name"): [text for text in [*TEXTS, *NAMES] if text is not ...],
    ("edit", "owner"): [text for text in [*TEXTS, *NAMES] if text is not ...],
    ("edit", "expires_at"): DATES,
    ("renew", "id"): TEXTS,
    ("renew", "expires_at"): DATES,
    ("revoke", "id"): TEXTS,
    ("delete", "id"): TEXTS,
    ("list", "state"): [*TEXTS[1:], "", "Active", "sleeping"],
    ("list", "name"): TEXTS[1:],
    ("list", "owner"): [*TEXTS[1:], *NAMES],
}


@pytest.mark.parametrize(("verb", "parameter"), BAD)
def test_a_wrong_argument_is_named_and_changes_nothing(
    security: SimpleSecurity, issue: Issue, verb: str, parameter: str, backend: str
) -> None:
    keys = security.keys
    issued = issue("alice", owner="acme", expires_at=NOON)
    before = keys.get(issued.id)
    for value in BAD[verb, parameter]:
        arguments = {parameter: value}
        if verb in ("edit", "renew") and parameter != "id":
            arguments["id"] = issued.id

        async def call_async(arguments: Any = arguments) -> None:
            await getattr(keys, f"{verb}_async")(**arguments)

        def call(arguments: Any = arguments) -> None:
            getattr(keys, verb)(**arguments)

        for attempt in (call, lambda: anyio.run(call_async, backend=backend)):
            with pytest.raises(InvalidInput) as caught:
                attempt()
            error = caught.value
            assert error.parameter == parameter, repr(value)
            assert str(error) == f"{parameter}: {error.message}"
            if isinstance(value, str) and len(value) > 5:
                assert value not in str(error)
    assert list(keys.list()) == [before]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": b"x"}, "it must be a str, not bytes"),
        ({"owner": None}, "it must be a str, not NoneType"),
        ({"owner": SURROGATE}, "it has half of a surrogate pair, which is not a character"),
        (
            {"expires_at": NAIVE},
            "it has no time zone; pass one, such as "
            "datetime.now(timezone.utc) + timedelta(days=30)",
        ),
        ({"expires_at": date(2222, 1, 31)}, "it must be a datetime or None (never), not date"),
    ],
)
def test_the_message_says_what_to_do(
    security: SimpleSecurity, arguments: Any, message: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        security.keys.issue(**arguments)
    assert caught.value.message == message


@pytest.mark.parametrize("unknown", [UNKNOWN, "", "no id", "x" * 10_000, "é"])
def test_an_unknown_key(security: SimpleSecurity, unknown: str) -> None:
    keys = security.keys
    for verb in (keys.get, keys.edit, keys.renew, keys.revoke, keys.delete):
        call: Any = verb
        with pytest.raises(KeyNotFound, match=r"^API key not found$"):
            call(unknown)


def test_an_error_in_code_is_a_type_error(security: SimpleSecurity) -> None:
    """A name of an argument that does not exist, or one too many."""
    keys: Any = security.keys
    for call in (
        lambda: keys.issue(expires="2030"),
        lambda: keys.issue("alice", "acme"),
        lambda: keys.get(),
        lambda: keys.edit(UNKNOWN, "bob"),
    ):
        with pytest.raises(TypeError):
            call()


def test_what_it_returns_cannot_be_changed(issue: Issue) -> None:
    issued = issue("alice")
    for subject, name in (
        (issued, "key"),
        (issued, "id"),
        (issued, "anything"),
        (issued.usage, "total"),
    ):
        with pytest.raises(AttributeError):
            setattr(subject, name, "x")
    for kind in (KeyDetails, IssuedKey, KeyUsage):
        with pytest.raises(TypeError):
            kind()
        assert kind.__module__ == "fastapi_simple_security"


def test_its_repr_hides_the_key(issue: Issue, caplog: pytest.LogCaptureFixture) -> None:
    issued = issue('alice\'s "shop"')
    logging.getLogger("an.app").warning("issued %s, %r of %s", issued, issued, [issued])
    expected = f"IssuedKey(id='{issued.id}', state='active')"
    assert repr(issued) == str(issued) == f"{issued}" == expected
    for text in (repr({"key": issued}), caplog.text):
        assert issued.id in text
        assert plain(issued)[16:26] not in text
    assert repr(issued.usage) == "KeyUsage(total=0, last_used_at=None)"


def test_details_of_one_key_are_equal_while_they_say_the_same(
    security: SimpleSecurity, issue: Issue
) -> None:
    issued, other = issue("alice"), issue("alice")
    found = security.keys.get(issued.id)
    assert found == issued
    assert issued == found
    assert hash(found) == hash(issued)
    assert found == security.keys.get(issued.id)
    assert found != other
    assert found != "alice"
    assert {found, issued, other} == {found, other}
    assert found.usage == other.usage
    security.verify(plain(issued))
    used = security.keys.get(issued.id)
    assert used != found
    assert used.usage != found.usage


def test_copies_are_the_object_itself(security: SimpleSecurity, issue: Issue) -> None:
    issued = issue("alice")

    @dataclasses.dataclass
    class Holder:
        key: KeyDetails | KeyUsage

    for subject in (issued, security.keys.get(issued.id), issued.usage):
        assert copy.copy(subject) is subject
        assert copy.deepcopy([subject])[0] is subject
        assert dataclasses.asdict(Holder(subject))["key"] is subject


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_issued_key_cannot_be_pickled(issue: Issue, protocol: int) -> None:
    issued = issue("alice")
    with pytest.raises(TypeError, match=r"pass on `issued\.id`, or `issued\.key` if") as caught:
        pickle.dumps({"key": issued}, protocol)
    assert plain(issued) not in str(caught.value)


def test_a_response_model_reads_it(security: SimpleSecurity, issue: Issue) -> None:
    """The names are those of the resource API."""

    class Usage(BaseModel):
        model_config = ConfigDict(from_attributes=True)
        total: int
        last_used_at: datetime | None

    class Key(BaseModel):
        model_config = ConfigDict(from_attributes=True)
        id: str
        name: str
        owner: str
        state: str
        created_at: datetime
        expires_at: datetime | None
        revoked_at: datetime | None
        usage: Usage

    issued = issue("alice", expires_at=NOON)
    shown = json.loads(Key.model_validate(issued).model_dump_json())
    assert shown["expires_at"] == "2222-01-31T12:00:00Z"
    assert shown["usage"] == {"total": 0, "last_used_at": None}


def test_after_a_close_the_next_use_opens_again(security: SimpleSecurity, issue: Issue) -> None:
    keys, issued = security.keys, issue("alice")
    security.verify(plain(issued))
    listing = security.keys.list()
    security.close()
    assert not security._engine.is_open
    security.flush()
    assert not security._engine.is_open, "there is nothing to write"
    assert keys.get(issued.id).usage.total == 1
    security.close()
    assert ids(listing) == [issued.id]
    security.close()
    assert security.verify(plain(issued)) == issued.key
    assert security.keys is keys


def test_two_instances_are_apart(database: Path, security: SimpleSecurity, issue: Issue) -> None:
    other = SimpleSecurity(secret=ADMIN_SECRET, db_location=database.with_name("other.db"))
    issued = issue("alice")
    assert ids(security.keys.list()) == [issued.id]
    assert ids(other.keys.list()) == []
    assert not accepts(other, issued)
    with pytest.raises(KeyNotFound):
        other.keys.revoke(issued.id)
    assert accepts(security, issued)
    other.close()


FORK = """
import os, sys, warnings
from fastapi_simple_security import SimpleSecurity

warnings.simplefilter("ignore", DeprecationWarning)  # of a fork with threads
security = SimpleSecurity()
issued = security.keys.issue("parent")
security.verify(issued.key)
listing = security.keys.list()
child = os.fork()
if child == 0:
    security.verify(issued.key)
    security.keys.issue("child")
    security.keys.edit(issued.id, owner="child")
    security.flush()
    assert {key.name for key in listing} == {"parent", "child"}
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
security.verify(issued.key)
key = security.keys.get(issued.id)
assert key.owner == "child"
assert key.usage.total == 3, key.usage
assert {key.name for key in listing} == {"parent", "child"}
"""


def test_after_a_fork_the_child_opens_its_own(
    run_script: Callable[..., subprocess.CompletedProcess[str]], database: Path
) -> None:
    done = run_script(
        FORK,
        FASTAPI_SIMPLE_SECURITY_SECRET=ADMIN_SECRET,
        FASTAPI_SIMPLE_SECURITY_DB_LOCATION=str(database),
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_log_tells_the_changes_and_no_names(
    security: SimpleSecurity, issue: Issue, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "fastapi_simple_security")
    issued, imported = issue("alice", owner="acme"), issue(key=OWN_KEY)
    security.keys.edit(issued.id, name="bob")
    security.keys.revoke(issued.id)
    security.keys.renew(issued.id)
    security.keys.delete(issued.id)
    for verb in (security.keys.get, security.keys.revoke, security.keys.delete):
        call: Any = verb
        with pytest.raises(KeyNotFound):
            call(issued.id)
    assert caplog.messages == [
        f"issued key {issued.id}",
        f"imported key {imported.id}",
        f"edited key {issued.id}",
        f"revoked key {issued.id}",
        f"renewed key {issued.id}",
        f"deleted key {issued.id}",
    ]


def test_routes_use_it(security: SimpleSecurity, canaries: set[str]) -> None:
    """On SQLite the blocking methods may be called in `async` routes too."""
    app = FastAPI()

    @app.post("/sync")
    def issue() -> str:
        return plain(security.keys.issue("sync"))

    @app.post("/blocking")
    async def issue_blocking() -> str:
        return plain(security.keys.issue("blocking"))

    @app.post("/async")
    async def issue_async() -> str:
        return plain(await security.keys.issue_async("async"))

    client = TestClient(app)
    for path in ("/sync", "/blocking", "/async"):
        key = client.post(path).json()
        canaries.add(key)
        assert security.verify(key).name == path[1:]


@pytest.mark.parametrize(
    "name", ["keys", *(name for name in dir(Keys) if not name.startswith("_"))]
)
@pytest.mark.parametrize("depends", [Depends, lambda dependency: dependency])
def test_it_is_not_a_dependency(
    security: SimpleSecurity, name: str, depends: Callable[[Any], Any]
) -> None:
    """FastAPI would take the arguments from the query: `Depends(security.keys.get)`."""
    method = security.keys if name == "keys" else getattr(security.keys, name)
    app = FastAPI()

    def route() -> None: ...

    with pytest.raises((TypeError, AttributeError, AssertionError)) as caught:
        app.get("/", dependencies=[depends(method)])(route)
    if depends is Depends and name != "keys":
        assert f"the method {name} is not a dependency" in str(caught.value)
        assert "write `Depends(security)`" in str(caught.value)


def test_its_class_is_not_a_dependency() -> None:
    app = FastAPI()

    def route() -> None: ...

    with pytest.raises(TypeError, match="Keys is a class and checks no key: write"):
        app.get("/", dependencies=[Depends(Keys)])(route)


def test_changes_and_requests_have_threads_of_their_own(backend: str) -> None:
    """Neither can use up those of the other, nor those of the app's `def` routes."""

    async def use_up(
        mine: Callable[..., Any], kept: Any, threads: int, *others: Callable[..., Any]
    ) -> list[int]:
        limiter = partial(_waiting._limiter, kept, threads)
        release = threading.Event()
        async with anyio.create_task_group() as tasks:
            for _ in range(threads):
                tasks.start_soon(mine, release.wait)
            try:
                with anyio.fail_after(5):
                    while limiter().borrowed_tokens < limiter().total_tokens:
                        await anyio.sleep(0.001)
                    answers = [await other(lambda: 7) for other in others]
            finally:
                release.set()
        return answers

    async def both() -> None:
        code, route, verify = (
            _waiting.run_for_code,
            _waiting.run_for_route,
            _waiting.wait_for_store,
        )
        of_the_app = anyio.to_thread.run_sync
        for pool, others in (
            ((code, _waiting._code_threads, _waiting._CODE_THREADS), (route, verify)),
            ((route, _waiting._route_threads, _waiting._ROUTE_THREADS), (code, verify)),
            ((verify, _waiting._threads, _waiting._THREADS), (code, route)),
        ):
            assert await use_up(*pool, *others, of_the_app) == [7, 7, 7]

    anyio.run(both, backend=backend)


def test_a_cancelled_change_is_made_all_the_same(
    security: SimpleSecurity, issue: Issue, caplog: pytest.LogCaptureFixture, backend: str
) -> None:
    issued = issue("alice")
    caplog.set_level(logging.INFO, "fastapi_simple_security")
    caplog.clear()

    begun, release = threading.Event(), threading.Event()
    keys, verbs = security.keys, security.keys._verbs

    class Late:
        """The verbs, of which this one waits until its caller has been cancelled."""

        def revoke(self, key_id: str) -> Any:
            begun.set()
            assert release.wait(10)
            return verbs.revoke(key_id)

    async def revoke(scope: anyio.CancelScope) -> None:
        with scope:
            await keys.revoke_async(issued.id)

    async def leave() -> None:
        scope = anyio.CancelScope()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(revoke, scope)
            while not begun.is_set():
                await anyio.sleep(0.001)
            scope.cancel()
            release.set()

    keys._verbs = Late()  # type: ignore[assignment]
    anyio.run(leave, backend=backend)
    keys._verbs = verbs
    assert security.keys.get(issued.id).state == "revoked"
    assert caplog.messages == [f"revoked key {issued.id}"]
