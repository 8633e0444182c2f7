"""The contract of the schema: what `/docs` needs for Authorize, and generated clients for names."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from guarded_app import GuardedApp

from fastapi_simple_security import api_key_router

HIDE_DOCS = "FASTAPI_SIMPLE_SECURITY_HIDE_DOCS"
FUNCTIONS = {
    "/auth/new": "get_new_api_key",
    "/auth/revoke": "revoke_api_key",
    "/auth/renew": "renew_api_key",
    "/auth/logs": "get_api_key_usage_logs",
}


@pytest.fixture
def schema(default: GuardedApp) -> dict[str, Any]:
    answer = default.client.get("/openapi.json")
    assert answer.status_code == 200
    document: dict[str, Any] = answer.json()
    return document


def test_security_schemes(schema: dict[str, Any]) -> None:
    schemes = schema["components"]["securitySchemes"]
    assert {
        name: (scheme["type"], scheme["in"], scheme["name"]) for name, scheme in schemes.items()
    } == {
        "API key query": ("apiKey", "query", "api-key"),
        "API key header": ("apiKey", "header", "api-key"),
        "Secret header": ("apiKey", "header", "secret-key"),
    }


@pytest.mark.parametrize("path", ["/secure", "/secure-sync"])
def test_secured_routes_take_either_key(schema: dict[str, Any], path: str) -> None:
    """A list: one of them is enough."""
    security = schema["paths"][path]["get"]["security"]
    assert sorted(security, key=str) == [{"API key header": []}, {"API key query": []}]


def test_the_unsecured_route_needs_nothing(schema: dict[str, Any]) -> None:
    assert "security" not in schema["paths"]["/unsecured"]["get"]


@pytest.mark.parametrize("path", FUNCTIONS)
def test_admin_routes_need_the_secret(schema: dict[str, Any], path: str) -> None:
    operations = schema["paths"][path]
    assert list(operations) == ["get"]
    assert operations["get"]["security"] == [{"Secret header": []}]
    assert operations["get"]["tags"] == ["_auth"]


@pytest.mark.parametrize("path", FUNCTIONS)
def test_operation_ids(schema: dict[str, Any], path: str) -> None:
    name = FUNCTIONS[path]
    operation = schema["paths"][path]["get"]
    assert operation["operationId"] == f"{name}_{path.strip('/').replace('/', '_')}_get"
    assert operation["summary"] == name.replace("_", " ").title()


def test_parameters(schema: dict[str, Any]) -> None:
    parameters = {
        path: {
            (parameter["in"], parameter["name"], parameter["required"])
            for parameter in schema["paths"][path]["get"].get("parameters", [])
        }
        for path in FUNCTIONS
    }
    assert parameters == {
        "/auth/new": {("query", "name", False), ("query", "never_expires", False)},
        "/auth/revoke": {("query", "api-key", True)},
        "/auth/renew": {("query", "api-key", True), ("query", "expiration-date", False)},
        "/auth/logs": set(),
    }


@pytest.mark.parametrize("path", ["/secure", "/secure-sync"])
def test_the_key_is_a_scheme_and_not_a_parameter_too(schema: dict[str, Any], path: str) -> None:
    assert "parameters" not in schema["paths"][path]["get"]


def test_models(schema: dict[str, Any]) -> None:
    models = schema["components"]["schemas"]
    assert models["UsageLogs"]["required"] == ["logs"]
    items = models["UsageLogs"]["properties"]["logs"]["items"]
    assert items == {"$ref": "#/components/schemas/UsageLog"}

    log = models["UsageLog"]
    assert {name: kinds(field) for name, field in log["properties"].items()} == {
        "api_key": ["string"],
        "name": ["string", "null"],
        "is_active": ["boolean"],
        "never_expire": ["boolean"],
        "expiration_date": ["string"],
        "latest_query_date": ["string", "null"],
        "total_queries": ["integer"],
    }
    assert log["required"] == list(log["properties"])


def kinds(schema: dict[str, Any]) -> list[str]:
    return [choice["type"] for choice in schema.get("anyOf", [schema])]


def test_answers(schema: dict[str, Any]) -> None:
    def answer(path: str) -> dict[str, Any]:
        content = schema["paths"][path]["get"]["responses"]["200"]["content"]
        model: dict[str, Any] = content["application/json"]["schema"]
        return model

    assert answer("/auth/new")["type"] == "string"
    assert answer("/auth/logs") == {"$ref": "#/components/schemas/UsageLogs"}


def test_two_instances_do_not_rename_the_models(guard: Callable[..., GuardedApp]) -> None:
    one, other = guard().security, guard().security
    app = FastAPI()
    app.include_router(one.legacy_router, prefix="/one")
    app.include_router(one.admin_router, prefix="/one")
    app.include_router(other.legacy_router, prefix="/other")
    app.include_router(other.admin_router, prefix="/other")
    assert {"UsageLog", "UsageLogs"} <= set(app.openapi()["components"]["schemas"])


def test_the_schema_opens_no_database(default: GuardedApp, database: Any) -> None:
    assert default.client.get("/openapi.json").status_code == 200
    assert default.client.get("/docs").status_code == 200
    assert not database.exists()


@pytest.mark.parametrize("value", ["1", "", "false"])
def test_hide_docs_hides_by_its_presence(
    guard: Callable[..., GuardedApp], monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(HIDE_DOCS, value)
    assert_hidden(guard())


def assert_hidden(guarded: GuardedApp) -> None:
    schema = guarded.client.get("/openapi.json").json()
    assert sorted(schema["paths"]) == ["/secure", "/secure-sync", "/unsecured"]
    assert "Secret header" not in schema["components"]["securitySchemes"]
    # Hidden, and still there.
    assert guarded.accepts(guarded.new())


def test_hide_docs_by_argument(
    guard: Callable[..., GuardedApp], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_hidden(guard(hide_docs=True))
    monkeypatch.setenv(HIDE_DOCS, "1")
    shown = guard(hide_docs=False).client.get("/openapi.json").json()
    assert set(FUNCTIONS) <= set(shown["paths"])


READ_AT_IMPORT = """
import os, sys
from fastapi import FastAPI
from fastapi.routing import APIRoute
if sys.argv[-1] == "before":
    os.environ["FASTAPI_SIMPLE_SECURITY_HIDE_DOCS"] = ""
from fastapi_simple_security import api_key_router
os.environ.pop("FASTAPI_SIMPLE_SECURITY_HIDE_DOCS", None)
if sys.argv[-1] == "after":
    os.environ["FASTAPI_SIMPLE_SECURITY_HIDE_DOCS"] = ""
app = FastAPI()
app.include_router(api_key_router)
print(sorted(app.openapi()["paths"]))
"""


@pytest.mark.parametrize(
    ("when", "paths"), [("before", []), ("after", ["/logs", "/new", "/renew", "/revoke"])]
)
def test_hide_docs_is_read_at_import(run_script: Any, when: str, paths: list[str]) -> None:
    finished = run_script(READ_AT_IMPORT, when)
    assert finished.stdout.strip() == str(paths), finished.stderr


def test_the_route_functions_have_their_names() -> None:
    routes = [route for route in api_key_router.routes if isinstance(route, APIRoute)]
    names = {route.path: route.endpoint.__name__ for route in routes}
    assert names == {path.removeprefix("/auth"): name for path, name in FUNCTIONS.items()}
