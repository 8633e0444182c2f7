"""FastAPI's document has the resource API as `docs/openapi.json` has it."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from fastapi_simple_security import SimpleSecurity

FILE = json.loads((Path(__file__).parents[2] / "docs/openapi.json").read_text(encoding="utf-8"))


def document_of(*prefixes: str) -> dict[str, Any]:
    app = FastAPI()
    for prefix in prefixes:
        app.include_router(SimpleSecurity(secret="unused").admin_router, prefix=prefix)
    with warnings.catch_warnings():
        # FastAPI warns of an operation id that is there twice.
        warnings.simplefilter("error")
        return app.openapi()


@pytest.mark.parametrize("prefix", ["", "/auth", "/{tenant}/auth"])
def test_each_operation_is_the_same(prefix: str) -> None:
    ours, expected = operations(document_of(prefix), prefix), operations(FILE, "")
    assert len(expected) >= 7
    assert ours.keys() == expected.keys()
    for name, operation in expected.items():
        # FastAPI makes ids that are unique in an app, from this one and the path.
        ours_id, expected_id = ours[name].pop("operationId"), operation.pop("operationId")
        assert ours_id.startswith(f"{expected_id}_"), name
        assert ours[name] == operation, name


def test_the_secret_is_a_scheme() -> None:
    schemes = document_of("/auth")["components"]["securitySchemes"]
    assert schemes == FILE["components"]["securitySchemes"]
    for name, operation in operations(document_of("/auth"), "/auth").items():
        assert operation["security"] == [{"Secret header": []}], name


def test_two_instances_in_one_app_have_operations_of_their_own() -> None:
    document = document_of("/auth", "/partners/auth")
    ids = [
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
    ]
    assert len(ids) == len(set(ids)) == 2 * len(operations(FILE, ""))


def test_the_ids_are_those_of_before() -> None:
    ids = {one["operationId"] for one in operations(document_of("/auth"), "/auth").values()}
    assert ids == {
        "delete_key_auth_keys__id__delete",
        "edit_key_auth_keys__id__patch",
        "issue_key_auth_keys_post",
        "list_keys_auth_keys_get",
        "renew_key_auth_keys__id__renew_post",
        "revoke_key_auth_keys__id__revoke_post",
        "show_key_auth_keys__id__get",
    }


def test_every_object_has_an_example() -> None:
    for name, schema in FILE["components"]["schemas"].items():
        properties = schema.get("properties", {}).values()
        assert not properties or any("examples" in each for each in properties), name


def operations(document: dict[str, Any], prefix: str) -> dict[str, dict[str, Any]]:
    """Each by its method and its path without the prefix, with all references resolved."""
    return {
        f"{method} {path.removeprefix(prefix)}": resolved(document, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


def resolved(document: dict[str, Any], part: Any) -> Any:
    if isinstance(part, list):
        return [resolved(document, each) for each in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        found: Any = document
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return resolved(document, found)
    return {name: resolved(document, each) for name, each in part.items()}
