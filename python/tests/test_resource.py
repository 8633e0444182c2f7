"""The resource API through HTTP: the steps that every face shares, and what is FastAPI's own.

The form of the steps: `tests/vectors/README.md`.
"""

import json
import re
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from fastapi import Depends, FastAPI, HTTPException
from fastapi.testclient import TestClient
from guarded_app import ADMIN_SECRET, GuardedApp, request_raw
from servers import wait_until

from fastapi_simple_security import SimpleSecurity, api_key_admin_router, api_key_security

VECTORS = json.loads(
    (Path(__file__).parents[2] / "tests/vectors/admin.json").read_text(encoding="utf-8")
)
PROBLEMS = VECTORS["problems"]
SECRETS = {
    "good": [ADMIN_SECRET],
    "wrong": ["a wrong secret"],
    "empty": [""],
    "none": [],
    "twice": [ADMIN_SECRET] * 2,
}
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


@pytest.fixture
def resource(guarded: GuardedApp) -> GuardedApp:
    return with_resource(guarded)


def with_resource(guarded: GuardedApp) -> GuardedApp:
    guarded.app.include_router(guarded.security.resource_router, prefix="/auth")
    return guarded


def test_the_steps_that_every_face_shares(resource: GuardedApp) -> None:
    saved = {"unknown": "00000000000", "secret": ADMIN_SECRET}
    for step in VECTORS["steps"]:
        make(step, resource, saved)


def make(step: dict[str, Any], resource: GuardedApp, saved: dict[str, str]) -> None:
    name = step["step"]
    query = f"?{fill(step['query'], saved)}" if "query" in step else ""
    answer = resource.client.request(
        step["method"],
        f"/auth{fill(step['path'], saved)}{query}",
        headers=[("secret-key", secret) for secret in SECRETS[step.get("secret", "good")]]
        + content_type(step),
        content=content(step),
    )
    assert (name, answer.status_code) == (name, step["status"]), answer.text
    assert answer.headers["cache-control"] == "no-store", name
    if "code" in step and step["method"] != "HEAD":
        compare_problem(name, step, answer)
    if "answer" in step:
        compare(name, answer.json(), json.loads(fill(json.dumps(step["answer"]), saved)))
    has_moment = bool(re.fullmatch(MOMENT, str(told_in(answer).get("effective_by"))))
    assert (name, has_moment) == (name, answer.is_success and step["method"] != "GET")
    if step["status"] == 201:
        told = answer.json()
        assert answer.headers["location"] == f"keys/{told['id']}", name
        resource.canaries.add(told["key"] or step["body"]["key"])
    if "save" in step:
        saved[step["save"]] = answer.json()["id"]


def told_in(answer: Any) -> dict[str, Any]:
    told: dict[str, Any] = answer.json() if answer.content else {}
    return told


def content(step: dict[str, Any]) -> bytes | None:
    if "raw" in step:
        return str(step["raw"]).encode()
    if "padded" in step:
        return b"{}".ljust(step["padded"])
    return json.dumps(step["body"]).encode() if "body" in step else None


def content_type(step: dict[str, Any]) -> list[tuple[str, str]]:
    if content(step) is None:
        return []
    kind = step.get("content_type", "application/json")
    return [] if kind is None else [("content-type", kind)]


def fill(text: str, saved: dict[str, str]) -> str:
    return re.sub(r"{(\w+)}", lambda found: saved[found[1]], text)


def compare_problem(name: str, step: dict[str, Any], answer: Any) -> None:
    problem, expected = answer.json(), PROBLEMS[step["code"]]
    assert answer.headers.get("allow") == step.get("allow"), name
    assert answer.headers["content-type"] == "application/problem+json", name
    assert answer.headers.get("www-authenticate") == expected["challenge"], name
    told = [problem[member] for member in ("type", "title", "status", "code")]
    assert told == ["about:blank", expected["title"], expected["status"], step["code"]], name
    assert problem["detail"] == step.get("detail", expected["detail"] or problem["detail"]), name
    assert problem["detail"], name
    if "errors" in step:
        found = [[one["location"], one["name"]] for one in problem["errors"]]
        assert (name, sorted(found, key=str)) == (name, sorted(step["errors"], key=str))
    assert ("errors" in problem) == (step["code"] == "invalid"), name


def compare(name: str, found: Any, expected: Any) -> None:
    """What is expected is there; an object may have more."""
    if isinstance(expected, dict):
        for member, value in expected.items():
            compare(f"{name}, {member}", found[member], value)
    elif isinstance(expected, list):
        assert len(found) == len(expected), f"{name}: {found}"
        for one, value in zip(found, expected, strict=True):
            compare(name, one, value)
    else:
        assert (name, found) == (name, expected)


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
    assert api_key_admin_router is api_key_security.resource_router
    app = FastAPI()
    app.include_router(api_key_admin_router, prefix="/auth")
    assert default.client.get("/auth/keys").status_code == 404
    answer = TestClient(app).get("/auth/keys", headers={"secret-key": default.secret})
    assert answer.status_code == 200
    assert TestClient(app).get("/auth/logs").status_code == 404


def test_an_instance_has_both_on_one_router(guarded: GuardedApp) -> None:
    app = FastAPI()
    app.include_router(guarded.security.router, prefix="/all")
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
        compare_problem(f"{method} {path}", {"code": "unavailable"}, answer)
        assert str(database) not in answer.text


def test_what_an_apps_own_dependency_raises_stays_as_it_is(guarded: GuardedApp) -> None:
    def refuse() -> None:
        raise HTTPException(418, "short and stout")

    app = FastAPI()
    router = guarded.security.resource_router
    app.include_router(router, prefix="/auth", dependencies=[Depends(refuse)])
    client = TestClient(app)
    # The app's own come first, as on any router; they see no body.
    for headers in ({}, {"secret-key": guarded.secret}):
        for method, path in (("GET", "/keys"), ("PUT", "/keys"), ("GET", "/keys/x/y")):
            answer = client.request(method, f"/auth{path}", headers=headers)
            assert (answer.status_code, answer.json()) == (418, {"detail": "short and stout"})


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
    for route in guarded.security.resource_router.routes:
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
