"""Keys from Python code, without an app or a request: `security.keys`."""

import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from types import EllipsisType
from typing import Any, Literal, TypeVar, overload

import anyio

from fastapi_simple_security._core import Change, Engine, IssuedKey, KeyDetails, KeyQuery
from fastapi_simple_security._core import Keys as Verbs
from fastapi_simple_security._dependency.misuse import NotADependency, not_a_dependency
from fastapi_simple_security._waiting import refuse_to_block, run_for_code

Key = TypeVar("Key")

_logger = logging.getLogger("fastapi_simple_security")


class Keys(metaclass=NotADependency):
    """The keys of a `SimpleSecurity`: issue, list, edit, renew, revoke and delete them.

    A method that changes a key returns when every process honours the change. On SQLite that takes
    some milliseconds. On PostgreSQL and Redis it takes as long as the store's `max_staleness`.

    Each method has a twin for `async` code, such as `revoke_async`, which runs on another
    thread. On PostgreSQL and Redis the blocking method raises `RuntimeError` under a running event
    loop. Cancelling an `async` method does not undo the change.

    `expires_at` is a `datetime` with a time zone, or `None`: the key never expires.

    Every method raises:
        InvalidInput: an argument is wrong; `parameter` names it. Nothing was changed.
        StoreUnavailable: the store cannot be read or written. A change may have been made.
        ConfigurationError: a setting is wrong.
        SystemFailure: the operating system gave no random bytes or no thread.
    """

    _instead = "write `Depends(security)`, and `security.keys` in the body of a route"

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._verbs = Verbs(engine)

    @overload
    def issue(
        self,
        name: str = "",
        *,
        owner: str = "",
        expires_at: datetime | EllipsisType | None = ...,
        key: None = None,
    ) -> IssuedKey: ...

    @overload
    def issue(
        self,
        name: str = "",
        *,
        owner: str = "",
        expires_at: datetime | EllipsisType | None = ...,
        key: str,
    ) -> IssuedKey[None]: ...

    @not_a_dependency
    def issue(
        self,
        name: str = "",
        *,
        owner: str = "",
        expires_at: datetime | EllipsisType | None = ...,
        key: str | None = None,
    ) -> IssuedKey[Any]:
        """Issues a key. `.key` of the result is the plain key, which cannot be read back later.

        Args:
            name: what people call the key: at most 200 characters, no control characters or
                direction marks.
            owner: whose key it is, such as the id of a customer; the same rule as for the name.
            expires_at: when the key expires; `None`: never; `...`: after the days of the setting
                `automatic_expiration`.
            key: imports this key instead of issuing one: 32 to 255 printable ASCII characters that
                do not start with the prefix of this service. It must be random: anyone with a copy
                of the database can find a guessable key. `.key` of the result is `None`.

        Raises:
            KeyExists: the key to import already exists, active or not.
        """
        return self._now("issue", self._issue(name, owner, expires_at, key))

    @overload
    async def issue_async(
        self,
        name: str = "",
        *,
        owner: str = "",
        expires_at: datetime | EllipsisType | None = ...,
        key: None = None,
    ) -> IssuedKey: ...

    @overload
    async def issue_async(
        self,
        name: str = "",
        *,
        owner: str = "",
        expires_at: datetime | EllipsisType | None = ...,
        key: str,
    ) -> IssuedKey[None]: ...

    @not_a_dependency
    async def issue_async(
        self,
        name: str = "",
        *,
        owner: str = "",
        expires_at: datetime | EllipsisType | None = ...,
        key: str | None = None,
    ) -> IssuedKey[Any]:
        """Issues a key, as `issue` does."""
        return await self._later(self._issue(name, owner, expires_at, key))

    @not_a_dependency
    def get(self, id: str) -> KeyDetails:
        """Returns the key with this id, and its usage.

        Raises:
            KeyNotFound: there is no such key.
        """
        self._refuse_to_block("get")
        return self._verbs.get(id)

    @not_a_dependency
    async def get_async(self, id: str) -> KeyDetails:
        """Returns the key with this id, and its usage, as `get` does."""
        return await run_for_code(lambda: self._verbs.get(id))

    @not_a_dependency
    def list(
        self,
        *,
        state: Literal["active", "expired", "revoked"] | None = None,
        name: str | None = None,
        owner: str | None = None,
    ) -> Iterator[KeyDetails]:
        """Iterates over keys, the newest first. It reads them from the store in pages of 100.

        The iteration visits every key that exists throughout, exactly once, regardless of
        concurrent inserts and deletes.

        Args:
            state: only keys in this state.
            name: only keys with this text in their name, case-sensitive.
            owner: only keys of exactly this owner, case-sensitive; empty: keys without an owner.
        """
        self._refuse_to_block_list()
        return self._pages(self._verbs.query(state, name, owner))

    @not_a_dependency
    def list_async(
        self,
        *,
        state: Literal["active", "expired", "revoked"] | None = None,
        name: str | None = None,
        owner: str | None = None,
    ) -> AsyncIterator[KeyDetails]:
        """Iterates over keys, as `list` does: `async for key in security.keys.list_async():`."""
        return self._pages_async(self._verbs.query(state, name, owner))

    @not_a_dependency
    def edit(
        self,
        id: str,
        *,
        name: str | EllipsisType = ...,
        owner: str | EllipsisType = ...,
        expires_at: datetime | EllipsisType | None = ...,
    ) -> KeyDetails:
        """Changes the given fields of a key. A revoked key stays revoked.

        Raises:
            KeyNotFound: there is no such key.
        """
        return self._now("edit", self._edit(id, name, owner, expires_at))

    @not_a_dependency
    async def edit_async(
        self,
        id: str,
        *,
        name: str | EllipsisType = ...,
        owner: str | EllipsisType = ...,
        expires_at: datetime | EllipsisType | None = ...,
    ) -> KeyDetails:
        """Changes the given fields of a key, as `edit` does."""
        return await self._later(self._edit(id, name, owner, expires_at))

    @not_a_dependency
    def renew(self, id: str, *, expires_at: datetime | EllipsisType | None = ...) -> KeyDetails:
        """Sets a new expiry, and reactivates the key if it was revoked.

        Args:
            id: the id of the key.
            expires_at: when the key expires; `None`: never; `...`: after the days of the setting
                `automatic_expiration`; a key that never expires stays so.

        Raises:
            KeyNotFound: there is no such key.
        """
        return self._now("renew", self._renew(id, expires_at))

    @not_a_dependency
    async def renew_async(
        self, id: str, *, expires_at: datetime | EllipsisType | None = ...
    ) -> KeyDetails:
        """Sets a new expiry, as `renew` does."""
        return await self._later(self._renew(id, expires_at))

    @not_a_dependency
    def revoke(self, id: str) -> KeyDetails:
        """Revokes a key. No process accepts it in a request that begins after this method returns.

        Raises:
            KeyNotFound: there is no such key.
        """
        return self._now("revoke", self._revoke(id))

    @not_a_dependency
    async def revoke_async(self, id: str) -> KeyDetails:
        """Revokes a key, as `revoke` does."""
        return await self._later(self._revoke(id))

    @not_a_dependency
    def delete(self, id: str) -> None:
        """Permanently deletes a key and its usage. To keep the usage, revoke the key.

        Raises:
            KeyNotFound: there is no such key.
        """
        self._now("delete", self._delete(id))

    @not_a_dependency
    async def delete_async(self, id: str) -> None:
        """Permanently deletes a key and its usage, as `delete` does."""
        await self._later(self._delete(id))

    def _issue(
        self,
        name: str,
        owner: str,
        expires_at: datetime | EllipsisType | None,
        key: str | None,
    ) -> Callable[[], Change[IssuedKey[Any]]]:
        verb = "issued" if key is None else "imported"
        return lambda: _logged(verb, self._verbs.issue(name, owner, expires_at, key))

    def _edit(
        self,
        id: str,
        name: str | EllipsisType,
        owner: str | EllipsisType,
        expires_at: datetime | EllipsisType | None,
    ) -> Callable[[], Change[KeyDetails]]:
        return lambda: _logged("edited", self._verbs.edit(id, name, owner, expires_at))

    def _renew(
        self, id: str, expires_at: datetime | EllipsisType | None
    ) -> Callable[[], Change[KeyDetails]]:
        return lambda: _logged("renewed", self._verbs.renew(id, expires_at))

    def _revoke(self, id: str) -> Callable[[], Change[KeyDetails]]:
        return lambda: _logged("revoked", self._verbs.revoke(id))

    def _delete(self, id: str) -> Callable[[], Change[None]]:
        return lambda: _logged("deleted", self._verbs.delete(id))

    def _now(self, verb: str, make: Callable[[], Change[Key]]) -> Key:
        self._refuse_to_block(verb)
        change = make()
        if change.remaining > 0:
            time.sleep(change.remaining)
        return change.key

    async def _later(self, make: Callable[[], Change[Key]]) -> Key:
        change = await run_for_code(make)
        if change.remaining > 0:
            # The wait can take seconds; it holds no thread.
            await anyio.sleep(change.remaining)
        return change.key

    def _pages(self, query: KeyQuery) -> Iterator[KeyDetails]:
        page = query.page(None)
        yield from page.keys
        while not page.is_last:
            # An event loop may have started between two pages.
            self._refuse_to_block_list()
            page = query.page(page)
            yield from page.keys

    async def _pages_async(self, query: KeyQuery) -> AsyncIterator[KeyDetails]:
        page = await run_for_code(lambda: query.page(None))
        while True:
            for key in page.keys:
                yield key
            if page.is_last:
                return
            last = page
            page = await run_for_code(lambda after=last: query.page(after))  # type: ignore[misc]

    def _refuse_to_block(self, verb: str) -> None:
        refuse_to_block(
            self._engine, f"security.keys.{verb}", f"await security.keys.{verb}_async(...)"
        )

    def _refuse_to_block_list(self) -> None:
        refuse_to_block(
            self._engine, "security.keys.list", "async for key in security.keys.list_async(...)"
        )


def _logged(verb: str, change: Change[Key]) -> Change[Key]:
    """Logs a change, on the thread that made it: it is logged even if its caller is cancelled."""
    # Without the name: a person may paste anything into it, even a key.
    _logger.info("%s key %s", verb, change.id)
    return change
