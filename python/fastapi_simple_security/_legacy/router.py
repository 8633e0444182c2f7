"""The four routes of the old package: make, revoke, renew and count keys."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, WithJsonSchema
from starlette.exceptions import HTTPException

from fastapi_simple_security import _answers
from fastapi_simple_security._core import Engine, LegacyKey, LegacyKeys
from fastapi_simple_security._errors import InvalidInput, KeyNotFound, SecurityError
from fastapi_simple_security._legacy import changes, dates
from fastapi_simple_security._legacy.secret import LegacySecret
from fastapi_simple_security._prefilter import PrefilteredRouter
from fastapi_simple_security._waiting import run_for_route

Answer = TypeVar("Answer")

# Neither control characters nor direction marks: the engine refuses the same.
VISIBLE = r"^[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]*$"


# For half of a surrogate pair, which some servers let through: the engine raises UnicodeError.
_NO_UNICODE = "it has a character that is none in Unicode"

# What `expiration-date` may be; the empty text stands for none.
_DATE = {
    "anyOf": [
        {"type": "string", "format": "date-time"},
        {"type": "string", "format": "date"},
        {"type": "string", "maxLength": 0},
        {"type": "null"},
    ]
}


class UsageLog(BaseModel):
    """One key, and how it was used. Dates are in UTC, without a zone."""

    api_key: str
    name: str | None
    is_active: bool
    never_expire: bool
    expiration_date: str
    latest_query_date: str | None
    total_queries: int


class UsageLogs(BaseModel):
    """All keys, last used first."""

    logs: list[UsageLog]


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str


def legacy_router(engine: Engine, *, lifespan: Any, include_in_schema: bool) -> APIRouter:
    """The router with the routes of 1.x.

    Args:
        engine: whose keys they are.
        lifespan: what opens the engine at the start of an app and closes it at its end.
        include_in_schema: whether the documentation shows the routes.
    """
    secret = LegacySecret(engine)
    router = PrefilteredRouter(
        lifespan=lifespan,
        include_in_schema=include_in_schema,
        dependencies=[Depends(secret), Depends(_refuse_repeated)],
        responses={
            403: {"model": Problem, "description": "The admin secret is missing or wrong"},
            503: {"model": Problem, "description": "The keys cannot be read or written now"},
        },
    )
    unknown: dict[int | str, dict[str, Any]] = {
        404: {"model": Problem, "description": "There is no such key"}
    }

    @router.get("/new")
    async def get_new_api_key(
        keys: Annotated[LegacyKeys, Depends(secret)],
        name: Annotated[
            str | None,
            Query(description="set API key name", max_length=200, pattern=VISIBLE),
        ] = None,
        never_expires: Annotated[
            bool,
            Query(description="if set, the created API key will never be considered expired"),
        ] = False,
    ) -> str:
        """Issues a key and returns it. It is shown only once and cannot be read back."""
        issued = await changes.make(
            "issued", lambda: _ask(lambda: keys.issue(name or "", never_expires))
        )
        return str(issued.plain_key)

    @router.get("/revoke", responses=unknown)
    async def revoke_api_key(
        keys: Annotated[LegacyKeys, Depends(secret)],
        api_key: Annotated[
            str, Query(alias="api-key", description="the key to revoke: its id, or all of it")
        ],
    ) -> None:
        """Revokes a key. No request that begins after the response is accepted with it."""
        await changes.make("revoked", lambda: _ask(lambda: keys.revoke(api_key)))

    @router.get("/renew", responses=unknown)
    async def renew_api_key(
        keys: Annotated[LegacyKeys, Depends(secret)],
        api_key: Annotated[
            str, Query(alias="api-key", description="the key to renew: its id, or all of it")
        ],
        expiration_date: Annotated[
            str | None,
            Query(
                alias="expiration-date",
                description="the new expiration date in ISO format, in UTC if it names no zone",
            ),
            AfterValidator(_check_date),
            WithJsonSchema(_DATE),
        ] = None,
    ) -> str:
        """Sets a new expiration date, and reactivates the key if it was revoked."""
        expires_at = dates.parse_expiration_date(expiration_date) if expiration_date else None
        renewed = await changes.make(
            "renewed", lambda: _ask(lambda: keys.renew(api_key, expires_at))
        )
        reactivated = "This API key was revoked and has been reactivated. "
        reactivated = reactivated if renewed.was_revoked else ""
        date = dates.show(renewed.expiration_date)
        return f"{reactivated}The new expiration date for the API key is {date}"

    @router.get("/logs")
    async def get_api_key_usage_logs(
        keys: Annotated[LegacyKeys, Depends(secret)],
    ) -> UsageLogs:
        """Returns all keys, by their ids, and how they were used."""
        return await run_for_route(
            lambda: UsageLogs(logs=[_usage_log(key) for key in _ask(keys.logs)])
        )

    return router


def _ask(question: Callable[[], Answer]) -> Answer:
    """Asks the engine, and turns what it raises into answers."""
    try:
        return question()
    except UnicodeError as error:
        raise _invalid("api-key", "value_error", _NO_UNICODE) from error
    except InvalidInput as error:
        raise _invalid(error.parameter, "value_error", error.message) from error
    except KeyNotFound as error:
        raise HTTPException(404, str(error), _answers.NO_STORE) from error
    except SecurityError as error:
        raise _answers.unavailable("http", error) from error


async def _refuse_repeated(request: Request) -> None:
    """Refuses a parameter that was sent twice: which of them is meant cannot be known."""
    seen = set()
    for name, _ in request.query_params.multi_items():
        if name in seen:
            raise _invalid(name, "repeated", "The parameter was sent more than once")
        seen.add(name)


def _invalid(parameter: str, kind: str, message: str) -> RequestValidationError:
    """A 422, in the form that FastAPI gives it."""
    loc = ("query", parameter)
    return RequestValidationError([{"type": kind, "loc": loc, "msg": message, "input": None}])


def _check_date(text: str | None) -> str | None:
    if text:
        dates.parse_expiration_date(text)
    return text


def _usage_log(key: LegacyKey) -> UsageLog:
    return UsageLog(
        api_key=key.id,
        name=key.name or None,
        is_active=not key.is_revoked,
        never_expire=key.never_expires,
        expiration_date=dates.show(key.expiration_date),
        latest_query_date=None if key.last_used_at is None else dates.show(key.last_used_at),
        total_queries=key.total,
    )
