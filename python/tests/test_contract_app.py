"""The contract with the app around: the two names, routers, overrides, lifespan, test client."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI, Security
from fastapi.testclient import TestClient
from guarded_app import ADMIN_SECRET, DENIED, NOT_PRESENTED, GuardedApp

from fastapi_simple_security import ApiKey, SimpleSecurity, api_key_router, api_key_security

SECRET = {"secret-key": ADMIN_SECRET}


def test_the_two_names(default: GuardedApp) -> None:
    assert isinstance(api_key_security, SimpleSecurity)
    assert isinstance(api_key_router, APIRouter)
    assert api_key_router is api_key_security.legacy_router

    answer = default.client.get("/secure")
    assert (answer.status_code, answer.json()) == (403, {"detail": NOT_PRESENTED})
    key = default.new("from the default instance")
    assert default.accepts(key)
    assert default.log_of(key)["total_queries"] == 1


def test_the_default_instance_reads_its_settings_anew_after_a_close(
    default: GuardedApp, environment: pytest.MonkeyPatch
) -> None:
    default.new()
    api_key_security.close()
    environment.setenv("FASTAPI_SIMPLE_SECURITY_KEY_PREFIX", "anew")
    key = default.new()
    assert key.startswith("anew_")
    assert default.accepts(key)


def test_nested_routers_and_prefixes(default: GuardedApp) -> None:
    """A dependency of a whole router; the admin routes two prefixes down."""
    inner = APIRouter(prefix="/inner", dependencies=[Depends(api_key_security)])

    @inner.get("/thing")
    async def thing() -> str:
        return "thing"

    outer = APIRouter(prefix="/outer")
    outer.include_router(inner)
    outer.include_router(api_key_router, prefix="/keys", tags=["keys"])
    app = FastAPI()
    app.include_router(outer, prefix="/v1")
    client = TestClient(app)

    key = default.new()
    assert client.get("/v1/outer/inner/thing").json() == {"detail": NOT_PRESENTED}
    assert client.get("/v1/outer/inner/thing", headers={"api-key": key}).json() == "thing"
    assert client.get("/v1/outer/keys/logs").status_code == 403
    rows = client.get("/v1/outer/keys/logs", headers=SECRET).json()["logs"]
    assert [row["total_queries"] for row in rows] == [1]


def test_dependency_of_the_whole_app(default: GuardedApp) -> None:
    app = FastAPI(dependencies=[Security(api_key_security)])

    @app.get("/thing")
    def thing() -> str:
        return "thing"

    client = TestClient(app)
    key = default.new()
    assert client.get("/thing", headers={"api-key": "x"}).json() == {"detail": DENIED}
    assert client.get("/thing", headers={"api-key": key}).json() == "thing"


def test_used_twice_in_one_request_it_counts_once(default: GuardedApp) -> None:
    app = FastAPI(dependencies=[Depends(api_key_security)])

    def owner(key: Annotated[ApiKey, Security(api_key_security, scopes=["me"])]) -> str | None:
        return key.name

    @app.get("/thing")
    def thing(
        name: Annotated[str, Depends(owner)], key: Annotated[ApiKey, Depends(api_key_security)]
    ) -> list[str | None]:
        return [name, key.name]

    key = default.new("bob")
    assert TestClient(app).get("/thing", params={"api-key": key}).json() == ["bob", "bob"]
    assert default.log_of(key)["total_queries"] == 1


def test_dependency_overrides(environment: pytest.MonkeyPatch) -> None:
    app = FastAPI()

    @app.get("/thing")
    def thing(key: Annotated[str, Depends(api_key_security)]) -> str:
        return key

    app.dependency_overrides[api_key_security] = lambda: "overridden"
    client = TestClient(app)
    assert client.get("/thing").json() == "overridden"
    app.dependency_overrides.clear()
    assert client.get("/thing").status_code == 403


def test_two_instances_in_one_app(guard: Callable[..., GuardedApp], database: str) -> None:
    """Each has its own keys and its own secret."""
    one = guard()
    other = guard(db_location=f"{database}-other", secret="another-secret-of-some-length")
    other.secret = "another-secret-of-some-length"
    other.canaries.add(other.secret)
    key = one.new()
    assert one.accepts(key)
    assert not other.accepts(key)
    assert other.logs() == []
    assert one.client.get("/auth/logs", headers={"secret-key": other.secret}).status_code == 403


@pytest.mark.parametrize("lifespan", [False, True])
def test_with_and_without_lifespan(guard: Callable[..., GuardedApp], lifespan: bool) -> None:
    guarded = guard(lifespan=lifespan)
    key = guarded.new()
    assert guarded.accepts(key)
    assert guarded.log_of(key)["total_queries"] == 1


def test_the_end_of_the_lifespan_keeps_the_counts(guard: Callable[..., GuardedApp]) -> None:
    guarded = guard()
    with guarded.client:
        key = guarded.new()
        assert guarded.accepts(key)
    assert guard().log_of(key)["total_queries"] == 1


def test_the_lifespan_may_run_again(guard: Callable[..., GuardedApp]) -> None:
    guarded = guard()
    with guarded.client:
        key = guarded.new()
    with guarded.client:
        assert guarded.accepts(key)
    assert guarded.accepts(key)


def test_beside_the_apps_own_lifespan(environment: pytest.MonkeyPatch) -> None:
    security = SimpleSecurity()
    steps: list[str] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        steps.append("start")
        yield
        steps.append("end")

    app = FastAPI(lifespan=lifespan)
    app.include_router(security.legacy_router, prefix="/auth")
    app.include_router(security.admin_router, prefix="/auth")
    # Included twice, it starts and stops twice.
    app.include_router(security.legacy_router, prefix="/again")
    app.include_router(security.admin_router, prefix="/again")
    with TestClient(app) as client:
        assert steps == ["start"]
        assert client.get("/auth/logs", headers=SECRET).json() == {"logs": []}
        assert client.get("/again/logs", headers=SECRET).json() == {"logs": []}
    assert steps == ["start", "end"]


def test_in_a_mounted_app_no_lifespan_runs_and_it_works(guard: Callable[..., GuardedApp]) -> None:
    guarded = guard()
    outer = FastAPI()
    outer.mount("/api", guarded.app)
    key = guarded.new()
    with TestClient(outer) as client:
        assert client.get("/api/secure", headers={"api-key": key}).status_code == 200
        assert client.get("/api/secure").status_code == 403


def test_used_from_many_event_loops(guard: Callable[..., GuardedApp]) -> None:
    """Each client runs the app in an event loop of its own."""
    guarded = guard()
    key = guarded.new()
    for _ in range(3):
        with TestClient(guarded.app) as client:
            assert client.get("/secure", headers={"api-key": key}).status_code == 200
    assert guarded.log_of(key)["total_queries"] == 3
