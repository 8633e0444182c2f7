"""The middleware that asks for a key at every door of an app but the open ones."""

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable, Collection, Iterable, MutableMapping
from contextlib import suppress
from typing import Any

from fastapi import FastAPI
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Send

from fastapi_simple_security import _answers
from fastapi_simple_security._api_key import ApiKey
from fastapi_simple_security._core import Engine, Question, Refusal
from fastapi_simple_security._default import api_key_security
from fastapi_simple_security._dependency.misuse import NotADependency
from fastapi_simple_security._errors import ConfigurationError, SecurityError
from fastapi_simple_security._middleware import docs
from fastapi_simple_security._middleware.chosen_route import admin_secret_of
from fastapi_simple_security._middleware.lifespan import run_lifespan
from fastapi_simple_security._middleware.open_paths import OpenPaths
from fastapi_simple_security._security import SimpleSecurity
from fastapi_simple_security._waiting import wait_for_store

Scope = MutableMapping[str, Any]
Found = ApiKey | Refusal | Question | None


class ApiKeyMiddleware(metaclass=NotADependency):
    """Asks for a key at every door of an app of FastAPI, Starlette or Litestar.

    >>> app.add_middleware(ApiKeyMiddleware, open_paths=["/health"])

    Guarded is all that comes through it: routes, mounted apps, static files, the documentation,
    what is not found, every method, and WebSockets, which are refused before they are accepted.
    A key is read as the dependency reads it, and refused with the same answers, before anything of
    a body is read. The key of a request that was let in is `request.state.api_key`, an `ApiKey`.
    `Depends` on the same instance inside does not ask or count again.

    Two things need no key:

    - An open path, if it is sent just as it is listed. `/health/`, `//health` and `/%68ealth` are
      other paths. A good key that is sent all the same is counted.
    - The routes of this instance's administrator, where the app has them. They ask for the admin
      secret, and the middleware does so too.

    The middleware that is added last is outermost. Add `CORSMiddleware` after this one: browsers
    send no key when they ask for permission, and it answers them before the key is asked for.
    Middleware inside must not lead a request elsewhere, by another path: an open path is compared
    with what arrives here.

    Args:
        app: the app, or the next middleware; the framework gives it.
        security: whose keys are good; the default instance, if none is given.
        open_paths: the paths that need no key, as the app's routes have them: exact ones, no
            patterns.

    A wrong open path is told when the app starts, as a wrong setting is: Starlette makes its
    middleware while it starts, and servers take an error then for an app that has no start. Where
    no lifespan reaches it, as in Litestar, requests are answered 503 and the log says why.
    """

    _instead = "write `app.add_middleware(ApiKeyMiddleware)`"

    def __init__(
        self,
        app: ASGIApp,
        *,
        security: SimpleSecurity | None = None,
        open_paths: Collection[str] = (),
    ) -> None:
        self.app = app
        self.security = api_key_security
        self._admit: Callable[..., Found] = _undecided
        self._wrong: ConfigurationError | None = None
        try:
            self.security = _chosen(security)
            self._engine = self.security._engine
            self._open_paths = OpenPaths(open_paths)
        except ConfigurationError as error:
            self._wrong = error

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Lets a request in, or refuses it.

        This is the hot path: no coroutine stands between the server and the app. What is called has
        a name first, because Python 3.11 looks for `self.app(...)` among the methods of the class,
        each time and in vain.
        """
        admit, app = self._admit, self.app
        try:
            admitted = admit(scope)
        except SecurityError as error:
            return self._decide(scope, receive, send, error)
        if isinstance(admitted, ApiKey):
            return app(scope, receive, send)
        return self._decide(scope, receive, send, admitted)

    async def _decide(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        found: Found | SecurityError,
    ) -> None:
        """All that is not let in by its key at once."""
        if self._admit is _undecided:
            self._begin(scope)
        if scope["type"] == "lifespan":
            await run_lifespan(self.app, self._open, self.security.close, scope, receive, send)
            return
        refusal: Exception | Response | None
        try:
            refusal = await self._refusal(scope, found)
        except SecurityError as error:
            refusal = _answers.unavailable(scope["type"], error)
        if refusal is None:
            await self.app(scope, receive, send)
        else:
            await _answers.send_answer(refusal, scope, receive, send)

    async def _refusal(
        self, scope: Scope, found: Found | SecurityError
    ) -> Exception | Response | None:
        """Why a request may not pass; `None` when it may."""
        self._check()
        if self._open_paths.lets_in(scope):
            if isinstance(found, Question):
                # A good key that is sent all the same is counted, if it can be told.
                with suppress(SecurityError):
                    await self._answer(found, scope)
            return None
        if isinstance(found, SecurityError):
            raise found
        if found is None:
            if not self._engine.is_open:
                await wait_for_store(self._engine.open)
            found = self._engine.admit(scope)
        if isinstance(found, Question):
            found = await self._answer(found, scope)
        if isinstance(found, ApiKey):
            return None
        # Before the key of a request that has an admin secret: what an administrator asks about a
        # key is no use of it.
        secret = admin_secret_of(scope, self._engine)
        if secret is not None:
            admin = self._engine.authenticate_admin(scope["headers"])
            return secret.rejection(scope, admin) if isinstance(admin, Refusal) else None
        if found is None:
            found = await self._admit_beside_secret(scope)
        if isinstance(found, ApiKey):
            return None
        status = self._engine.refusal_status
        return _answers.key_refused(scope["type"], found or Refusal.NotPresented, status)

    async def _admit_beside_secret(self, scope: Scope) -> ApiKey | Refusal | None:
        """Admits a request by its key, whatever it has in `secret-key`."""
        headers = [header for header in scope.get("headers", ()) if not _is_secret(header)]
        found = self._engine.verify({**scope, "headers": headers})
        if isinstance(found, Question):
            return await self._answer(found, scope)
        if isinstance(found, ApiKey):
            self._engine.let_in(scope, found)
        return found

    async def _answer(self, question: Question, scope: Scope) -> ApiKey | Refusal:
        """Asks the store what the engine could not tell at once, and admits a request by that."""
        answer = await wait_for_store(question.ask)
        if isinstance(answer, ApiKey):
            self._engine.let_in(scope, answer)
        return answer

    def _open(self) -> None:
        """What a wrong setting keeps from starting."""
        self._check()
        self.security.open()

    def _check(self) -> None:
        if self._wrong is not None:
            # A new one: an error that is raised again keeps all tracebacks.
            raise ConfigurationError(self._wrong.setting, self._wrong.problem)

    def _begin(self, scope: Scope) -> None:
        """What can only be done when the app is known, and is done once."""
        docs.show_in(scope.get("app"), _guards)
        if self._wrong is None:
            self._admit = self._engine.admit


def _undecided(_scope: Scope) -> None:
    """In place of the engine's `admit` until the first request has come."""


def _is_secret(header: Iterable[bytes]) -> bool:
    name, _ = header
    return name.lower() == b"secret-key"


def _chosen(security: SimpleSecurity | None) -> SimpleSecurity:
    if security is None:
        return api_key_security
    if not isinstance(getattr(security, "_engine", None), Engine):
        # Without its `repr`, which could be a secret that was meant for another argument.
        raise ConfigurationError(
            "security", "it is not an instance of SimpleSecurity: write `security=SimpleSecurity()`"
        )
    return security


def _guards(app: FastAPI) -> list[docs.Guard]:
    """The middleware of this kind that was added to an app, made or not."""
    added: list[tuple[Any, dict[str, Any]]] = [
        (each.cls, each.kwargs) for each in app.user_middleware
    ]
    return [
        (
            OpenPaths(arguments.get("open_paths", ())),
            _chosen(arguments.get("security"))._engine,
        )
        for kind, arguments in added
        if isinstance(kind, type) and issubclass(kind, ApiKeyMiddleware)
    ]


docs.show_in_all_apps(_guards)

# A server that is handed the middleware itself asks whether it is called as a coroutine function
# is. It is; only its code is not one.
if sys.version_info >= (3, 12):
    inspect.markcoroutinefunction(ApiKeyMiddleware.__call__)
else:
    ApiKeyMiddleware.__call__._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]
