"""The resource API through HTTP: the steps that every adapter shares, and what is FastAPI's own."""

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from admin_vectors import check_problem, run
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.testclient import TestClient
from guarded_app import GuardedApp, request_raw
from servers import wait_until

from fastapi_simple_security import ApiKeyMiddleware, SimpleSecurity, api_key_security

NO_ADMIN_SECRET = "The header secret-key with the admin secret is missing"


@pytest.fixture
def resource(guarded: GuardedApp) -> GuardedApp:
    return with_resource(guarded)


def with_resource(guarded: GuardedApp) -> GuardedApp:
    guarded.app.include_router(guarded.security.admin_router, prefix="/auth")
    return guarded


def test_the_steps_that_every_adapter_shares(resource: GuardedApp) -> None:
    resource.canaries |= run(resource.client, "/auth")


def test_an_issued_key_is_a_key(resource: GuardedApp) -> None:
    made = ask(resource, "POST", "/keys", {"name": "shop"}).json()
    resource.canaries.add(made["key"])
    assert resource.accepts(made["key"])
    shown = ask(resource, "GET", f"/keys/{made['id']}").json()
    assert shown["usage"]["total"] == 1
    assert shown["usage"]["last_used_at"] is not None
    assert "key" not in shown
    ask(resource, "POST", f"/keys/{made['id']}/revoke")
    assert not resource.accepts(made["key"])
    ask(resource, "POST", f"/keys/{made['id']}/renew")
    assert resource.accepts(made["key"])
    assert ask(resource, "DELETE", f"/keys/{made['id']}").json()["id"] == made["id"]
    assert not resource.accepts(made["key"])


@pytest.mark.parametrize("query", ["", "?wait=false", "?wait=true"])
def test_on_one_machine_a_change_holds_when_it_is_answered(
    resource: GuardedApp, query: str
) -> None:
    def changed(method: str, path: str, body: Any = None) -> Any:
        answer = ask(resource, method, f"{path}{query}", body).json()
        effective_by = datetime.strptime(answer["effective_by"], "%Y-%m-%dT%H:%M:%S.%f%z")
        assert effective_by <= datetime.now(timezone.utc)
        return answer

    made = changed("POST", "/keys")
    resource.canaries.add(made["key"])
    assert resource.accepts(made["key"])
    changed("POST", f"/keys/{made['id']}/revoke")
    assert not resource.accepts(made["key"])
    changed("POST", f"/keys/{made['id']}/renew")
    assert resource.accepts(made["key"])
    changed("PATCH", f"/keys/{made['id']}", {"expires_at": "2000-01-01T00:00:00Z"})
    assert not resource.accepts(made["key"])
    changed("DELETE", f"/keys/{made['id']}")


def test_a_key_of_ones_own_is_a_key(resource: GuardedApp) -> None:
    own = "canary-~!@#$%^&*()_+{}|:<>?,./;'[]=-0123456789"
    resource.canaries.add(own)
    assert ask(resource, "POST", "/keys", {"key": own}).json()["key"] is None
    assert resource.accepts(own)


def ask(guarded: GuardedApp, method: str, path: str, body: Any = None) -> Any:
    answer = guarded.client.request(
        method, f"/auth{path}", headers={"secret-key": guarded.secret}, json=body
    )
    assert answer.status_code < 300, answer.text
    return answer


def test_the_routers_of_the_default_instance(default: GuardedApp) -> None:
    """An upgrade shadows no route of an app: `/keys` is on a router of its own."""
    app = FastAPI()
    app.include_router(api_key_security.admin_router, prefix="/auth")
    assert default.client.get("/auth/keys").status_code == 404
    answer = TestClient(app).get("/auth/keys", headers={"secret-key": default.secret})
    assert answer.status_code == 200
    assert TestClient(app).get("/auth/logs").status_code == 404


def test_both_routers_on_one_prefix(guarded: GuardedApp) -> None:
    app = FastAPI()
    app.include_router(guarded.security.legacy_router, prefix="/all")
    app.include_router(guarded.security.admin_router, prefix="/all")
    client = TestClient(app)
    for path in ("/all/keys", "/all/logs"):
        assert client.get(path, headers={"secret-key": guarded.secret}).status_code == 200


@pytest.mark.parametrize("hidden", [False, True])
def test_hide_docs(guard: Callable[..., GuardedApp], hidden: bool) -> None:
    resource = with_resource(guard(hide_docs=hidden))
    paths = resource.client.get("/openapi.json").json()["paths"]
    assert ("/auth/keys" in paths) is not hidden
    assert ask(resource, "GET", "/keys").status_code == 200


def test_the_store_is_gone(resource: GuardedApp, database: Path) -> None:
    key_id = ask(resource, "POST", "/keys").json()["id"]
    database.rename(database.with_name("moved-away.db"))
    wait_until(lambda: resource.use("x" * 36).status_code == 503, 5, "the end of the lease")
    for method, path, body in (
        ("POST", "/keys", {}),
        ("GET", "/keys", None),
        ("GET", f"/keys/{key_id}", None),
        ("PATCH", f"/keys/{key_id}", {}),
        ("DELETE", f"/keys/{key_id}", None),
        ("POST", f"/keys/{key_id}/revoke", None),
        ("POST", f"/keys/{key_id}/renew", None),
    ):
        answer = resource.client.request(
            method, f"/auth{path}", headers={"secret-key": resource.secret}, json=body
        )
        assert answer.status_code == 503, (method, path)
        assert answer.headers["retry-after"] == "1"
        assert answer.headers["cache-control"] == "no-store"
        check_problem(f"{method} {path}", {"code": "unavailable"}, answer)
        assert str(database) not in answer.text


def test_what_an_apps_own_dependency_raises_stays_as_it_is(guarded: GuardedApp) -> None:
    def refuse() -> None:
        raise HTTPException(418, "short and stout")

    app = FastAPI()
    router = guarded.security.admin_router
    app.include_router(router, prefix="/auth", dependencies=[Depends(refuse)])
    client = TestClient(app)
    # The app's own come first, as on any router; they see no body.
    for headers in ({}, {"secret-key": guarded.secret}):
        for method, path in (("GET", "/keys"), ("PUT", "/keys"), ("GET", "/keys/x/y")):
            answer = client.request(method, f"/auth{path}", headers=headers)
            assert (answer.status_code, answer.json()) == (418, {"detail": "short and stout"})


def test_a_route_that_an_app_adds_to_the_router_asks_for_the_secret(guarded: GuardedApp) -> None:
    router = guarded.security.admin_router
    inner = APIRouter()

    async def report() -> str:
        return "for administrators"

    router.add_api_route("/added", report)
    inner.add_api_route("/included", report)
    router.include_router(inner)
    app = FastAPI()
    app.include_router(router, prefix="/auth")
    router.add_api_route("/later", report)
    client = TestClient(app)
    paths = ["/auth/added", "/auth/included"]
    if client.get("/auth/later").status_code != 404:
        # Older FastAPI copies the routes of a router when it is included.
        paths.append("/auth/later")
    for path in paths:
        answer = client.get(path)
        assert (answer.status_code, answer.json()) == (401, {"detail": NO_ADMIN_SECRET}), path
        assert answer.headers["www-authenticate"] == 'APIKey realm="admin"'
        assert answer.headers["cache-control"] == "no-store"
        assert client.get(path, headers={"secret-key": "wrong"}).status_code == 401
        assert (
            client.get(path, headers={"secret-key": guarded.secret}).text == '"for administrators"'
        )


@pytest.mark.parametrize("is_guarded", [False, True])
def test_what_is_too_long_or_no_http_is_rejected(resource: GuardedApp, is_guarded: bool) -> None:
    if is_guarded:
        resource.app.add_middleware(ApiKeyMiddleware, security=resource.security)
    secret = (b"secret-key", resource.secret.encode())
    many = [(f"x-{number}".encode(), b"") for number in range(33_000)]

    def status(path: str, headers: Any, query: bytes = b"", **scope: Any) -> int:
        return request_raw(
            resource.app, f"/auth{path}", query=query, headers=headers, **scope
        ).status

    for path, query in (
        ("/keys", b"!" * 30_000),
        ("/keys", b"x" * 70_000),
        ("/keys/" + "!" * 22_000, b""),
    ):
        assert status(path, [], query) == 401
        assert status(path, [secret], query) == 414
    assert status("/keys", many) == 401
    assert status("/keys", [*many, secret]) == 200
    for invalid in (b"a\x01b", b"a\x7fb", b"\n"):
        assert status("/keys", [(b"secret-key", invalid)]) == 401
        assert status("/keys", [secret, (b"secret-key", invalid)]) == 400
    # Headers as the adapters of some function services pass them; a client without an address.
    assert status("/keys", [list(secret)]) == 200
    for client in (None, (None, 0), ("", 0)):
        assert status("/keys", [], client=client) == 401


def test_a_body_that_was_read_before(guarded: GuardedApp) -> None:
    """By a dependency of the app, or by a tracer as that of Sentry."""

    async def read(request: Request) -> None:
        await request.body()

    app = FastAPI()
    app.include_router(guarded.security.admin_router, dependencies=[Depends(read)])
    headers = {"secret-key": guarded.secret}
    answer = TestClient(app).post("/keys", json={"name": "shop"}, headers=headers)
    assert (answer.status_code, answer.json()["name"]) == (201, "shop")
    guarded.canaries.add(answer.json()["key"])


def test_half_a_surrogate_pair_in_a_path(resource: GuardedApp) -> None:
    answer = request_raw(
        resource.app, "/auth/keys/\udc80", headers=[(b"secret-key", resource.secret.encode())]
    )
    assert answer.status in (404, 422)


def test_a_route_that_lost_its_class_asks_for_the_secret_all_the_same(
    guarded: GuardedApp,
) -> None:
    """The guard is a dependency too: whoever copies routes one by one copies it with them."""
    app = FastAPI()
    for route in guarded.security.admin_router.routes:
        app.add_api_route(
            route.path,  # type: ignore[attr-defined]
            route.endpoint,  # type: ignore[attr-defined]
            methods=route.methods,  # type: ignore[attr-defined]
            dependencies=route.dependencies,  # type: ignore[attr-defined]
            response_model=None,
            status_code=route.status_code,  # type: ignore[attr-defined]
        )
    assert TestClient(app).get("/keys").status_code == 401


def test_settings_that_are_wrong(guard: Callable[..., GuardedApp]) -> None:
    resource = with_resource(guard(SimpleSecurity(automatic_expiration=0)))
    answer = resource.client.get("/auth/keys", headers={"secret-key": resource.secret})
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "automatic_expiration" in answer.json()["detail"]
