"""The resource API: keys as `/keys`, for tools and programs of the administrator."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Body, Depends, Path, Query, Response
from pydantic import BeforeValidator, WithJsonSchema

from fastapi_simple_security import _answers, _changes
from fastapi_simple_security._admin.models import (
    ChangedKey,
    DeletedKey,
    IssuedKey,
    KeyDetails,
    KeyEdit,
    KeyPage,
    KeyRenewal,
    KeyState,
    NewKey,
    changed,
    details,
)
from fastapi_simple_security._admin.problem_route import problem_route
from fastapi_simple_security._admin.problems import (
    MEDIA_TYPE,
    SCHEMA,
    Problem,
    Wrong,
    invalid,
    secret_refused,
)
from fastapi_simple_security._admin_secret import AdminSecret
from fastapi_simple_security._core import CURSOR_PATTERN, Change, Engine, Keys
from fastapi_simple_security._errors import (
    InvalidInput,
    KeyExists,
    KeyNotFound,
    SecurityError,
)
from fastapi_simple_security._legacy.router import VISIBLE

Answer = TypeVar("Answer")

_Id = Annotated[str, Path(alias="id", description="The id of the key.")]


def _true_or_false(value: object) -> bool:
    # Pydantic would take `1` and `yes` too, and the other faces do not.
    if value in ("true", "false"):
        return value == "true"
    # Older FastAPI checks what counts without it.
    if isinstance(value, bool):
        return value
    raise ValueError("it is true or false")


_Wait = Annotated[
    bool,
    Query(description="Answer only when `effective_by` has passed."),
    BeforeValidator(_true_or_false),
    WithJsonSchema({"type": "boolean"}),
]

_PROBLEMS = {
    400: "The admin secret was sent more than once",
    401: "The admin secret is missing or wrong",
    404: "There is no such key",
    409: "A key of this text exists already",
    422: "Something is wrong with the request; nothing was changed",
    503: "The keys cannot be read or written now",
}


def resource_router(engine: Engine, *, lifespan: Any, include_in_schema: bool) -> APIRouter:
    """The router of the resource API.

    Args:
        engine: whose keys they are.
        lifespan: what opens the engine at the start of an app and closes it at its end.
        include_in_schema: whether the documentation shows the routes.
    """
    keys = Keys(engine)
    secret = AdminSecret(engine, secret_refused)
    router = APIRouter(
        lifespan=lifespan,
        include_in_schema=include_in_schema,
        route_class=problem_route(secret),
        dependencies=[Depends(secret)],
        responses=_problems(400, 401, 422, 503),
    )
    unknown = _problems(404)

    @router.post("/keys", status_code=201, responses=_problems(409))
    async def issue_key(
        response: Response, new: Annotated[NewKey | None, Body()] = None, wait: _Wait = False
    ) -> IssuedKey:
        """Makes a key. It is shown this once, and cannot be read back.

        Every process accepts it from `effective_by` on.
        """
        new = new or NewKey()
        issued = await _change(
            "issued" if new.key is None else "imported",
            "body",
            lambda: keys.issue(new.name, owner=new.owner or "", key=new.key, **new.expiry()),
            wait,
        )
        # Relative to `.../keys`, wherever an app has put that.
        response.headers["Location"] = f"keys/{issued.id}"
        return IssuedKey(**changed(issued), key=issued.plain_key)

    @router.get("/keys")
    def list_keys(
        limit: Annotated[int, Query(ge=1, le=1000, description="At most so many.")] = 100,
        cursor: Annotated[
            str | None,
            Query(description="The `next` of the page before; without it: the first."),
            WithJsonSchema({"type": "string", "pattern": CURSOR_PATTERN}),
        ] = None,
        state: Annotated[KeyState | None, Query(description="Only those.")] = None,
        name: Annotated[
            str | None, Query(description="Only those with this text in their name.")
        ] = None,
        owner: Annotated[
            str | None,
            Query(
                description="Only the keys of this owner, letter for letter; empty: those without"
                " an owner.",
            ),
            WithJsonSchema({"type": "string", "maxLength": 200, "pattern": VISIBLE}),
        ] = None,
    ) -> KeyPage:
        """Shows the keys, the newest first, page by page.

        Who follows `next` to the end meets every key that is there all the time, and none twice,
        whatever is added and deleted meanwhile.
        """
        found, after = _ask(
            "query",
            lambda: keys.page(limit, cursor=cursor, state=state, name=name, owner=owner),
        )
        return KeyPage(keys=[KeyDetails(**details(key)) for key in found], next=after)

    @router.get("/keys/{id}", responses=unknown)
    def show_key(key_id: _Id) -> KeyDetails:
        """Shows a key and how it was used."""
        return KeyDetails(**details(_ask("path", lambda: keys.find(key_id))))

    @router.patch("/keys/{id}", responses=unknown)
    async def edit_key(key_id: _Id, edit: KeyEdit, wait: _Wait = False) -> ChangedKey:
        """Changes the name of a key, its owner, or when it expires. A revoked one stays revoked."""
        sent = edit.model_fields_set
        name = edit.name if "name" in sent else None
        owner = edit.owner or "" if "owner" in sent else None
        edited = await _change(
            "edited",
            "body",
            lambda: keys.edit(key_id, name=name, owner=owner, **edit.expiry()),
            wait,
        )
        return ChangedKey(**changed(edited))

    @router.post("/keys/{id}/revoke", responses=unknown)
    async def revoke_key(key_id: _Id, wait: _Wait = False) -> ChangedKey:
        """Revokes a key. No request that begins after `effective_by` is let in with it."""
        revoked = await _change("revoked", "path", lambda: keys.revoke(key_id), wait)
        return ChangedKey(**changed(revoked))

    @router.post("/keys/{id}/renew", responses=unknown)
    async def renew_key(
        key_id: _Id,
        renewal: Annotated[KeyRenewal | None, Body()] = None,
        wait: _Wait = False,
    ) -> ChangedKey:
        """Gives a key a new date of expiry, and takes it back into use if it was revoked."""
        renewal = renewal or KeyRenewal()
        renewed = await _change(
            "renewed", "body", lambda: keys.renew(key_id, **renewal.expiry()), wait
        )
        return ChangedKey(**changed(renewed))

    @router.delete("/keys/{id}", responses=unknown)
    async def delete_key(key_id: _Id, wait: _Wait = False) -> DeletedKey:
        """Removes a key and its usage, for ever. To keep them, revoke it.

        No request that begins after `effective_by` is let in with it.
        """
        deleted = await _change("deleted", "path", lambda: keys.delete(key_id), wait)
        return DeletedKey(id=deleted.id, effective_by=deleted.effective_by)

    return router


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How the documentation describes refusals. FastAPI would call them `application/json`."""
    content = {MEDIA_TYPE: {"schema": SCHEMA}}
    return {status: {"description": _PROBLEMS[status], "content": content} for status in statuses}


async def _change(verb: str, location: str, change: Callable[[], Change], wait: bool) -> Change:
    """Makes a change, as `_ask` asks."""
    return await _changes.make(verb, lambda: _ask(location, change), wait=wait)


def _ask(location: str, question: Callable[[], Answer]) -> Answer:
    """Asks the engine, and turns what it raises into problems."""
    try:
        return question()
    except UnicodeError as error:
        raise invalid([Wrong(location, None, _answers.NO_UNICODE)]) from error
    except InvalidInput as error:
        raise invalid([Wrong(location, error.parameter, error.message)]) from error
    except KeyNotFound as error:
        raise Problem("not_found", "There is no such key") from error
    except KeyExists as error:
        raise Problem("exists", "A key of this text exists already") from error
    except SecurityError as error:
        raise _answers.unavailable("http", error) from error
