"""FastAPI's description of the resource API says the same as `docs/openapi.json`."""

import json
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from fastapi_simple_security import SimpleSecurity

KEPT_BY_HAND = json.loads((Path(__file__).parents[2] / "docs/openapi.json").read_text())
METHODS = ("get", "post", "put", "patch", "delete", "head", "options", "trace")


def described() -> dict[str, Any]:
    app = FastAPI()
    app.include_router(SimpleSecurity(secret="unused").resource_router)
    return app.openapi()


def test_it_is_the_same() -> None:
    ours, expected = shape_of(described()), shape_of(KEPT_BY_HAND)
    for operation in sorted(expected.keys() | ours.keys()):
        assert ours.get(operation) == expected.get(operation), operation


def test_every_operation_asks_for_the_secret() -> None:
    for document in (described(), KEPT_BY_HAND):
        scheme = document["components"]["securitySchemes"]["Secret header"]
        assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "header", "secret-key")
        for path in document["paths"].values():
            for method in METHODS:
                if method in path:
                    security = path[method].get("security", document.get("security"))
                    assert security == [{"Secret header": []}]


def test_every_operation_has_examples_or_needs_none() -> None:
    for name in (
        "NewKey",
        "KeyEdit",
        "KeyRenewal",
        "KeyDetails",
        "ChangedKey",
        "IssuedKey",
        "DeletedKey",
        "KeyPage",
    ):
        properties = described()["components"]["schemas"][name]["properties"]
        assert any("examples" in each for each in properties.values()), name


def shape_of(document: dict[str, Any]) -> dict[str, Any]:
    """What a client relies on: for each operation its parameters, its body, and its answers."""
    return {
        f"{method} {path}": {
            "name": operation(document, path, method)["operationId"].split("_keys")[0],
            "parameters": parameters(document, path, method),
            "body": body(document, operation(document, path, method).get("requestBody")),
            "answers": {
                status: content(document, resolved(document, answer))
                for status, answer in operation(document, path, method)["responses"].items()
            },
        }
        for path in document["paths"]
        for method in METHODS
        if method in document["paths"][path]
    }


def operation(document: dict[str, Any], path: str, method: str) -> dict[str, Any]:
    found: dict[str, Any] = document["paths"][path][method]
    return found


def parameters(document: dict[str, Any], path: str, method: str) -> set[tuple[str, str, bool]]:
    all_of_them = [
        resolved(document, each)
        for place in (document["paths"][path], operation(document, path, method))
        for each in place.get("parameters", [])
    ]
    return {(each["in"], each["name"], each["required"]) for each in all_of_them}


def body(document: dict[str, Any], described: dict[str, Any] | None) -> Any:
    if described is None:
        return None
    return described.get("required", False), content(document, described)


def content(document: dict[str, Any], described: dict[str, Any]) -> dict[str, Any]:
    """For each media type the members of the object, each with whether it is always there."""
    return {
        media_type: members(document, each["schema"])
        for media_type, each in described.get("content", {}).items()
    }


def members(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, bool]:
    schema = resolved(document, schema)
    for choice in schema.get("anyOf", []):
        if choice.get("type") != "null":
            return members(document, choice)
    required = schema.get("required", [])
    return {name: name in required for name in schema["properties"]}


def resolved(document: dict[str, Any], described: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in described:
        found: Any = document
        for step in described["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        described = found
    return described
