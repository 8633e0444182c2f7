"""Where an app may put the resource API: the shared steps have the same responses everywhere."""

from collections.abc import Callable
from typing import Any

import pytest
from admin_vectors import run
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient
from guarded_app import ADMIN_SECRET, GuardedApp
from starlette.applications import Starlette
from starlette.routing import Mount

from fastapi_simple_security import SimpleSecurity

SECRET = {"secret-key": ADMIN_SECRET}
# An app, the prefix of the routes as a client sees it, and what the server says is before the app.
Placed = tuple[Any, str, str]


def at_the_root(security: SimpleSecurity) -> Placed:
    app = FastAPI()
    app.include_router(security.admin_router)
    return app, "", ""


def below_a_parameter(security: SimpleSecurity) -> Placed:
    app = FastAPI()
    app.include_router(security.admin_router, prefix="/{tenant}/auth")
    return app, "/acme%20%C3%A9/auth", ""


def in_nested_routers(security: SimpleSecurity) -> Placed:
    inner, outer = APIRouter(prefix="/{region}"), APIRouter(prefix="/v1/{tenant}")
    inner.include_router(security.admin_router, prefix="/auth")
    outer.include_router(inner)
    app = FastAPI()
    app.include_router(outer, prefix="/api")
    return app, "/api/v1/acme/eu/auth", ""


def in_a_mounted_app(security: SimpleSecurity) -> Placed:
    mounted = FastAPI()
    mounted.include_router(security.admin_router, prefix="/auth")
    app = FastAPI()
    app.mount("/mounted/{tenant}", mounted)
    return app, "/mounted/keys/auth", ""


def in_an_app_mounted_at_the_same_name(security: SimpleSecurity) -> Placed:
    """The prefix of the app is also the beginning of the paths in it."""
    mounted = FastAPI()
    mounted.include_router(security.admin_router)
    return Starlette(routes=[Mount("/keys", mounted)]), "/keys", ""


def below_a_root_path(security: SimpleSecurity) -> Placed:
    """As behind a proxy that keeps the path: the server passes all of it (ASGI, `root_path`)."""
    app = FastAPI()
    app.include_router(security.admin_router, prefix="/auth")
    return app, "/proxied/auth", "/proxied"


def below_a_root_path_that_a_proxy_strips(security: SimpleSecurity) -> Placed:
    app = FastAPI()
    app.include_router(security.admin_router, prefix="/auth")
    return app, "/auth", "/proxied"


@pytest.mark.parametrize(
    "place",
    [
        at_the_root,
        below_a_parameter,
        in_nested_routers,
        in_a_mounted_app,
        in_an_app_mounted_at_the_same_name,
        below_a_root_path,
        below_a_root_path_that_a_proxy_strips,
    ],
)
def test_the_steps_that_every_adapter_shares(
    guarded: GuardedApp, place: Callable[[SimpleSecurity], Placed]
) -> None:
    app, prefix, root_path = place(guarded.security)
    client = TestClient(app, root_path=root_path)
    if "mounted" not in place.__name__:
        guarded.canaries |= run(client, prefix)
        return
    # Starlette's `Mount` loses a newline at the end of a path, and then the path of the app in it.
    guarded.canaries |= run(client, prefix, without=ends_in_newline)
    for method in ("GET", "POST", "DELETE"):
        for path in ("/keys%0A", "/keys/00000000000%0A", "/keys/00000000000/revoke%0A"):
            for headers in ({}, SECRET):
                response = client.request(method, f"{prefix}{path}", headers=headers)
                assert response.status_code in (401, 404, 405)


def ends_in_newline(path: str) -> bool:
    return path.lower().endswith("%0a")


@pytest.fixture
def resource(guarded: GuardedApp) -> TestClient:
    guarded.app.include_router(guarded.security.admin_router, prefix="/auth")
    return guarded.client


def issue(resource: TestClient, guarded: GuardedApp) -> str:
    issued = resource.post("/auth/keys", headers=SECRET).json()
    guarded.canaries.add(issued["key"])
    key_id: str = issued["id"]
    return key_id


def test_an_encoded_slash_separates(resource: TestClient, guarded: GuardedApp) -> None:
    """A server decodes the path before any app sees it (ASGI, `path`), unlike that of axum."""
    key_id = issue(resource, guarded)
    for path in ("a%2Fb", "%2F", f"{key_id}%2F", f"{key_id}%2Fother"):
        for method in ("GET", "POST", "DELETE", "PATCH"):
            response = resource.request(method, f"/auth/keys/{path}", headers=SECRET)
            assert response.status_code == 404, (method, path)
            assert response.json()["detail"] == "There is no such path", (method, path)
            assert resource.request(method, f"/auth/keys/{path}").status_code == 401
    assert resource.get(f"/auth/keys/{key_id}", headers=SECRET).json()["state"] == "active"
    # It is the same path to every route of the app, and needs the same secret.
    revoke = f"/auth/keys/{key_id}%2Frevoke"
    assert resource.post(revoke).status_code == 401
    assert resource.post(revoke, headers=SECRET).json()["state"] == "revoked"


@pytest.mark.parametrize("path", ["/auth//keys", "//auth/keys", "/auth/KEYS", "/auth/keyss"])
def test_a_path_of_no_resource_is_the_apps_own(resource: TestClient, path: str) -> None:
    """A router of FastAPI has no fallback: the app rejects what no route has."""
    for headers in ({}, SECRET):
        for method in ("GET", "POST", "DELETE"):
            response = resource.request(method, f"http://testserver{path}", headers=headers)
            assert (response.status_code, response.json()) == (404, {"detail": "Not Found"})


@pytest.mark.parametrize("path", ["keys//", "keys//x", "keys/%2e%2e/keys"])
def test_a_path_below_a_resource_is_not_normalized(resource: TestClient, path: str) -> None:
    response = resource.get(f"/auth/{path}", headers=SECRET)
    assert response.status_code == 404
    assert response.json()["code"] == "not_found"
    assert resource.get(f"/auth/{path}").status_code == 401


def test_a_query_of_60000_characters(resource: TestClient) -> None:
    long = "x" * 60_000
    assert resource.get(f"/auth/keys?name={long}", headers=SECRET).json()["keys"] == []
    for parameter in ("limit", "cursor", "state", "owner"):
        response = resource.get(f"/auth/keys?{parameter}={long}", headers=SECRET)
        assert response.status_code == 422
        [error] = response.json()["errors"]
        assert (error["location"], error["name"]) == ("query", parameter)
        assert long not in response.text


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "TRACE"])
def test_other_methods_are_not_those_of_the_app(
    resource: TestClient, guarded: GuardedApp, method: str
) -> None:
    key_id = issue(resource, guarded)
    for path in ("", f"/{key_id}", f"/{key_id}/revoke", f"/{key_id}/renew", f"/{key_id}/other"):
        without = resource.request(method, f"/auth/keys{path}")
        assert without.status_code == 401, path
        assert "allow" not in without.headers, path
        response = resource.request(method, f"/auth/keys{path}", headers=SECRET)
        assert response.status_code == (404 if path.endswith("other") else 405), path
        assert ("allow" in response.headers) == (response.status_code == 405), path
        assert bool(response.content) == (method != "HEAD"), path
    assert resource.get(f"/auth/keys/{key_id}", headers=SECRET).json()["state"] == "active"
