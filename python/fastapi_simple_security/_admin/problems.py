"""Answers of the resource API to what it refuses: problem details for HTTP (RFC 9457)."""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.responses import Response

from fastapi_simple_security import _answers
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
