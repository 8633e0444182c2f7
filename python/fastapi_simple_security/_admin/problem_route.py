"""The routes of the resource API: what they refuse, they answer with problem details."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from fastapi_simple_security import _answers
from fastapi_simple_security._admin.problems import Problem, Wrong, invalid
from fastapi_simple_security._admin_secret import AdminSecret

# What FastAPI raises for a body that is no UTF-8, or nested too deeply.
_UNREADABLE = (400, "There was an error parsing the body")

_NO_OBJECT = "send a JSON object, with Content-Type: application/json"

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


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
            reads_body = self.body_field is not None

            async def answer(request: Request) -> Response:
                try:
                    await secret.check(request)
                    _refuse_parameters(request, known)
                    # Older FastAPI takes a body without a media type for JSON.
                    if reads_body and "content-type" not in request.headers:
                        await _refuse_body(request)
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


async def _refuse_body(request: Request) -> None:
    if await request.body():
        raise invalid([Wrong("body", None, _NO_OBJECT)])


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
            return Wrong(location, name, _NO_OBJECT)
        case _:
            return Wrong(location, name, str(error["msg"]).removeprefix("Value error, "))


def _problem(error: HTTPException) -> Problem | None:
    """From what `_answers` or FastAPI raises; `None` for what an app's own dependency raises."""
    if error.status_code == 503:
        return Problem("unavailable", error.detail)
    if (error.status_code, error.detail) == _UNREADABLE:
        return invalid([Wrong("body", None, "the body is no JSON")])
    return None
