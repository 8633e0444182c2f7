"""The security of an app: a dependency for its routes, and a router for its administrator."""

import atexit
import logging
import os
import sys
import weakref
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from fastapi_simple_security import _answers
from fastapi_simple_security._api_key import ApiKey
from fastapi_simple_security._core import (
    Engine,
    Question,
    Refusal,
    after_fork_in_child,
    after_fork_in_parent,
    before_fork,
)
from fastapi_simple_security._core import hide_docs as hide_docs_is_set
from fastapi_simple_security._dependency.misuse import (
    NeedsDepends,
    NotADependency,
    not_a_dependency,
)
from fastapi_simple_security._dependency.openapi import KeyScheme
from fastapi_simple_security._dependency.route_check import check_routes
from fastapi_simple_security._errors import SecurityError
from fastapi_simple_security._made_once import made_once
from fastapi_simple_security._waiting import refuse_to_block, run_for_code, wait_for_store

if TYPE_CHECKING:
    from fastapi_simple_security._keys import Keys

os.register_at_fork(
    before=before_fork,
    after_in_parent=after_fork_in_parent,
    after_in_child=after_fork_in_child,
)


_instances: "weakref.WeakSet[SimpleSecurity]" = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Writes what is still counted when the interpreter ends and no lifespan has done so."""
    for security in list(_instances):
        security.close()


class SimpleSecurity(KeyScheme, NeedsDepends, metaclass=NotADependency):
    """API keys for one app.

    It is a dependency: `Depends(security)` accepts a request with a good key, and yields the key as
    an `ApiKey`. `admin_router` has the resource API, `legacy_router` the four routes of 1.x. `keys`
    manages keys from Python code.

    A key is read from the query parameter `api-key`, then from the header `api-key`. If both are
    sent, one good key is enough. Only if both are absent or empty, the header `X-API-Key` is read,
    then `Authorization: Bearer`; the first that is not empty decides alone. A JWT after `Bearer`
    counts as not sent. A parameter or header that is read must not be sent twice.

    FastAPI reads the whole body of a request before it calls a dependency, so a client without a
    key can make it hold a large one in memory. `ApiKeyMiddleware` and the routes of `route_class`
    reject such a request before any of its body is read.

    Nothing is opened before the first use, or before the lifespan of the router begins.

    Args:
        secret: what administrators send in the header `secret-key`.
        db_location: where the keys are: a path, or a URL such as `sqlite:///keys.db`,
            `postgres://user:password@host/keys` or `redis://host/0`.
        automatic_expiration: days until a new key expires, 1 to 36500.
        hide_docs: leave the routes of the administrator out of the documentation.
        key_prefix: what new keys start with, such as `acme` or `acme_live`.
        refusal_status: the status of a request without a good key, 403 or 401.
        key_headers: the headers that a key is read from, of `api-key`, `x-api-key` and
            `authorization`; `()` for the query parameter alone. Their order changes nothing.

    What is not given is read from the environment, at first use; `hide_docs` is read now.
    """

    _instead = "write `security = SimpleSecurity()` once, and `Depends(security)` in the routes"

    def __init__(
        self,
        *,
        secret: str | None = None,
        db_location: str | os.PathLike[str] | None = None,
        automatic_expiration: int | None = None,
        hide_docs: bool | None = None,
        key_prefix: str | None = None,
        refusal_status: Literal[401, 403] | None = None,
        key_headers: tuple[str, ...] | list[str] | set[str] | frozenset[str] = (
            "api-key",
            "x-api-key",
            "authorization",
        ),
    ) -> None:
        self._engine = Engine(
            _print_generated_secret,
            ApiKey,
            secret=secret,
            db_location=None if db_location is None else os.fspath(db_location),
            automatic_expiration=_text(automatic_expiration),
            key_prefix=key_prefix,
            refusal_status=_text(refusal_status),
            key_headers=key_headers,
        )
        super().__init__(self._engine.key_headers)
        _instances.add(self)
        self._hide_docs = hide_docs_is_set() if hide_docs is None else hide_docs

    @made_once
    def legacy_router(self) -> APIRouter:
        """The four routes of 1.x: `/new`, `/revoke`, `/renew` and `/logs`."""
        # Imported at first use, as below: its models cost some milliseconds.
        from fastapi_simple_security._legacy.router import legacy_router

        return legacy_router(
            self._engine, lifespan=self._lifespan, include_in_schema=not self._hide_docs
        )

    @made_once
    def admin_router(self) -> APIRouter:
        """The resource API: `/keys`."""
        from fastapi_simple_security._admin.router import admin_router

        return admin_router(
            self._engine, lifespan=self._lifespan, include_in_schema=not self._hide_docs
        )

    @made_once
    def route_class(self) -> type[APIRoute]:
        """A class of routes that check the key before FastAPI reads the body.

        >>> router = APIRouter(route_class=security.route_class, dependencies=[Depends(security)])

        Each HTTP route of the router needs a key. `Depends` on the same instance returns that key,
        and does not check or count it again. A router's WebSockets have no route class: the
        dependency protects them.
        """
        from fastapi_simple_security._dependency.key_route import key_route

        return key_route(self)

    async def __call__(self, connection: HTTPConnection, _query: None = None) -> ApiKey:
        """Lets a request in, or refuses it.

        Raises:
            HTTPException: 403 (or 401, if set so) without a good key; 503 when it cannot be told.
            WebSocketException: the same for a WebSocket, before it is accepted: 1008 and 1013.
        """
        scope = connection.scope
        try:
            found = self._engine.verify(scope)
            # At once, but for a store that is on a network, or is not open yet.
            while not isinstance(found, ApiKey):
                if isinstance(found, Refusal):
                    status = self._engine.refusal_status
                    raise _answers.key_refused(scope["type"], found, status)
                found = await self._wait(scope, found)
        except SecurityError as error:
            raise _answers.unavailable(scope["type"], error) from error
        return found

    async def _wait(
        self, scope: MutableMapping[str, Any], question: Question | None
    ) -> ApiKey | Refusal | Question | None:
        if question is None:
            await wait_for_store(self.open)
            return self._engine.verify(scope)
        found = await wait_for_store(question.ask)
        if isinstance(found, ApiKey):
            scope[self._engine.mark] = found
        return found

    @made_once
    def keys(self) -> "Keys":
        """Manages keys from Python code: issue, list, edit, renew, revoke and delete them.

        >>> issued = security.keys.issue("alice")
        >>> security.keys.revoke(issued.id)
        """
        # Imported at first use: an app may never need it.
        from fastapi_simple_security._keys import Keys

        return Keys(self._engine)

    @not_a_dependency
    def verify(self, text: str) -> ApiKey:
        """Verifies a key outside of a request, such as one from a queue, and counts it.

        On PostgreSQL and Redis it raises `RuntimeError` under a running event loop: use
        `verify_async` there.

        Raises:
            KeyRejected: the key is rejected; `reason` is for logs.
            StoreUnavailable: the store is unavailable; the key may be valid.
            ConfigurationError: a setting is wrong.
            SystemFailure: the operating system gave no random bytes or no thread.
            TypeError: the key is not a `str`.
        """
        refuse_to_block(self._engine, "security.verify", "await security.verify_async(...)")
        return self._engine.verify_key(text)

    @not_a_dependency
    async def verify_async(self, text: str) -> ApiKey:
        """Verifies a key and counts it, as `verify` does."""
        found = self._engine.try_verify_key(text)
        if found is None:
            found = await wait_for_store(lambda: self._engine.verify_key(text))
        return found

    @not_a_dependency
    def flush(self) -> None:
        """Writes the usage counted before the call. A thread does so once a second anyway.

        On PostgreSQL and Redis it raises `RuntimeError` under a running event loop: use
        `flush_async` there.

        Raises:
            StoreUnavailable: the store cannot be written. The counts are kept and written later.
        """
        refuse_to_block(self._engine, "security.flush", "await security.flush_async()")
        self._engine.flush()

    @not_a_dependency
    async def flush_async(self) -> None:
        """Writes the usage counted before the call, as `flush` does."""
        await run_for_code(self._engine.flush)

    @not_a_dependency
    def open(self) -> None:
        """Opens the database, if it is not open.

        Raises:
            ConfigurationError: a setting is wrong, or the location has no usable store; the text
                names the setting and says what to do.
            StoreUnavailable: the store cannot be opened now; try again later.
            SystemFailure: the operating system gave no random bytes or no thread.
        """
        self._engine.open()

    @not_a_dependency
    def close(self) -> None:
        """Writes what is counted and closes the database. The next use opens it again."""
        self._engine.close()

    @asynccontextmanager
    async def _lifespan(self, app: object) -> AsyncIterator[None]:
        """Opens at the start of an app, so that wrong settings stop it, and closes at its end.

        A dependency that is not one stops it too: see `_dependency/misuse.py`. FastAPI comes to
        some of them only here: it collects those of an included route at its first use.

        A router that is included twice runs it twice: opening twice is opening once.
        """
        check_routes(getattr(app, "routes", ()))
        await run_in_threadpool(self.open)
        try:
            yield
        finally:
            await run_in_threadpool(self.close)


def _print_generated_secret(secret: str) -> None:
    try:
        print(
            "FASTAPI_SIMPLE_SECURITY_SECRET is not set. Until the last process has ended, "
            f"the admin secret is {secret}",
            file=sys.stderr,
            flush=True,
        )
    except OSError:
        logging.getLogger("fastapi_simple_security").exception(
            "the generated admin secret could not be printed; set FASTAPI_SIMPLE_SECURITY_SECRET"
        )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
