"""Answers of the resource API to what it refuses: problem details for HTTP (RFC 9457)."""

import json
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, NamedTuple

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from fastapi_simple_security import _answers
from fastapi_simple_security._admin_secret import AdminSecret
from fastapi_simple_security._core import Refusal

MEDIA_TYPE = "application/problem+json"

_TEXT = {"type": "string"}
_WRONG = {
    "type": "object",
    "required": ["location", "name", "detail"],
    "properties": {
        "location": {"type": "string", "enum": ["body", "path", "query"]},
        "name": {"type": ["string", "null"], "description": "`null`: all of it."},
        "detail": _TEXT,
    },
}
# For the documentation. A model would do, if FastAPI let one have this media type.
SCHEMA = {
    "title": "KeyProblem",
    "description": "Why a request was refused (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "examples": ["about:blank"]},
        "title": {"type": "string", "examples": ["Not Found"]},
        "status": {"type": "integer", "examples": [404]},
        "detail": {"type": "string", "description": "For a person."},
        "code": {"type": "string", "description": "For a program.", "examples": ["not_found"]},
        "errors": {"type": "array", "items": _WRONG, "description": "Only with `invalid`."},
    },
}


class _Kind(NamedTuple):
    status: int
    title: str
    headers: dict[str, str]


# Each code with its status, the phrase for it (RFC 9110, section 15), and what goes with it.
_CHALLENGE = {"WWW-Authenticate": 'APIKey realm="admin"'}
_KINDS = {
    "not_presented": _Kind(401, "Unauthorized", _CHALLENGE),
    "denied": _Kind(401, "Unauthorized", _CHALLENGE),
    "repeated": _Kind(400, "Bad Request", {}),
    "not_found": _Kind(404, "Not Found", {}),
    "method_not_allowed": _Kind(405, "Method Not Allowed", {}),
    "exists": _Kind(409, "Conflict", {}),
    "invalid": _Kind(422, "Unprocessable Content", {}),
    "unavailable": _Kind(503, "Service Unavailable", {"Retry-After": "1"}),
}

_SECRET_REFUSED = {
    Refusal.NotPresented: (
        "not_presented",
        "The header secret-key with the admin secret is missing",
    ),
    Refusal.Denied: ("denied", "The admin secret is wrong"),
    Refusal.Repeated: ("repeated", "The header secret-key was sent more than once"),
}

# What FastAPI raises for a body that is no UTF-8, or nested too deeply.
_UNREADABLE = (400, "There was an error parsing the body")

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Wrong(NamedTuple):
    """One thing that is wrong with a request: where, by which name, and what."""

    location: str
    name: str | None
    detail: str


class Problem(HTTPException):
    """A request of the resource API that is refused.

    Args:
        code: the word for the kind of problem, which tells the status.
        detail: what is wrong, for a person.
        errors: each thing that is wrong with the request, for a program.
    """

    def __init__(self, code: str, detail: str, errors: Iterable[Wrong] = ()) -> None:
        kind = _KINDS[code]
        super().__init__(kind.status, detail, {**kind.headers, **_answers.NO_STORE})
        self.code = code
        self.errors = list(errors)

    def response(self) -> Response:
        """The answer to the client."""
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": _KINDS[self.code].title,
            "status": self.status_code,
            "detail": self.detail,
            "code": self.code,
        }
        if self.errors:
            body["errors"] = [wrong._asdict() for wrong in self.errors]
        return Response(json.dumps(body), self.status_code, self.headers, MEDIA_TYPE)


def secret_refused(refusal: Refusal) -> Problem:
    """The answer to a request without the admin secret."""
    return Problem(*_SECRET_REFUSED[refusal])


def invalid(wrong: Iterable[Wrong]) -> Problem:
    """The answer to a request in which something is wrong."""
    errors = list(wrong)
    texts = (f"{one.name}: {one.detail}" if one.name else one.detail for one in errors)
    return Problem("invalid", "; ".join(texts), errors)


def problem_route(secret: AdminSecret) -> type[APIRoute]:
    """The class of routes that answer with problem details.

    It asks for the secret before FastAPI reads the body, so that nobody without it can make us
    parse anything.
    """
    # What a path allows is spread over its routes; FastAPI would name those of one route alone.
    allowed: dict[str, set[str]] = {}

    class ProblemRoute(APIRoute):
        def __init__(self, path: str, endpoint: Callable[..., Any], **settings: Any) -> None:
            super().__init__(path, endpoint, **settings)
            allowed.setdefault(self.path_format, set()).update(self.methods or ())

        async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
            methods = allowed[self.path_format]
            if scope["method"] in methods:
                await super().handle(scope, receive, send)
            else:
                problem = Problem("method_not_allowed", f"There are {', '.join(sorted(methods))}")
                response = problem.response()
                response.headers["Allow"] = ", ".join(sorted(methods))
                await response(scope, receive, send)

        def get_route_handler(self) -> Handler:
            handle = super().get_route_handler()
            known = [parameter.alias for parameter in self.dependant.query_params]

            async def answer(request: Request) -> Response:
                try:
                    await secret.check(request)
                    _refuse_parameters(request, known)
                    return await handle(request)
                except RequestValidationError as error:
                    return invalid(_wrong(one) for one in error.errors()).response()
                except HTTPException as error:
                    problem = error if isinstance(error, Problem) else _problem(error)
                    if problem is None:
                        raise
                    return problem.response()

            return answer

    return ProblemRoute


def _refuse_parameters(request: Request, known: list[str]) -> None:
    """Refuses a parameter that is unknown or sent twice: a mistyped filter would let all pass."""
    there_are = f"there are {', '.join(known)}" if known else "there are none"
    wrong = [
        Wrong("query", name, f"there is no such parameter; {there_are}")
        for name in request.query_params
        if name not in known
    ]
    wrong += [
        Wrong("query", name, "the parameter was sent more than once")
        for name in _answers.repeated(request)
    ]
    if wrong:
        raise invalid(wrong)


def _wrong(error: dict[str, Any]) -> Wrong:
    """From what FastAPI says of a mistake; `loc` is such as `("body", "expires_at")`."""
    location, *names = error["loc"]
    name = str(names[0]) if names else None
    match error["type"]:
        case "json_invalid":
            return Wrong(location, None, f"the body is no JSON ({error['ctx']['error']})")
        case "extra_forbidden":
            return Wrong(location, name, "there is no such member")
        case "missing" | "model_attributes_type" if name is None:
            return Wrong(location, name, "send a JSON object, with Content-Type: application/json")
        case _:
            return Wrong(location, name, str(error["msg"]).removeprefix("Value error, "))


def _problem(error: HTTPException) -> Problem | None:
    """From what `_answers` or FastAPI raises; `None` for what an app's own dependency raises."""
    if error.status_code == 503:
        return Problem("unavailable", error.detail)
    if (error.status_code, error.detail) == _UNREADABLE:
        return invalid([Wrong("body", None, "the body is no JSON")])
    return None
