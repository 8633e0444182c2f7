"""The places of a key: all combinations of what each carries, and which headers are read."""

import asyncio
import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import middleware_app
import pytest
from fastapi import Depends, FastAPI, WebSocket
from fastapi.testclient import TestClient
from guarded_app import DENIED, NOT_PRESENTED, REPEATED, GuardedApp, raw_scope, request_raw

from fastapi_simple_security import ApiKey, ApiKeyMiddleware, ConfigurationError, SimpleSecurity

VECTORS = Path(__file__).parents[2] / "tests" / "vectors"
TABLE = json.loads((VECTORS / "places.json").read_text(encoding="utf-8"))
PLACES = TABLE["columns"][:4]
DETAILS = {"denied": DENIED, "not_presented": NOT_PRESENTED, "repeated": REPEATED}
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"

Headers = list[tuple[bytes, bytes]]


@dataclass
class Keys:
    """A good key for each place, which shows where a key was read."""

    good: dict[str, str]
    revoked: str

    def values(self, place: str, state: str) -> list[str]:
        """What is sent in one place."""
        good = self.good[place]
        return {
            "absent": [],
            "empty": [""],
            "good": [good],
            "bad": [self.revoked],
            "twice": [good, good],
        }[state]

    def request(self, states: list[str]) -> tuple[bytes, Headers]:
        """The query and the headers of a row."""
        query, *headers = map(self.values, PLACES, states)
        lines = [
            (name, f"Bearer {value}".rstrip() if name == "authorization" else value)
            for name, values in zip(["api-key", "x-api-key", "authorization"], headers, strict=True)
            for value in values
        ]
        return (
            "&".join(f"api-key={value}" for value in query).encode(),
            [(name.encode(), value.encode()) for name, value in lines],
        )


@pytest.fixture
def keys(guarded: GuardedApp) -> Keys:
    return Keys({place: guarded.new(place) for place in PLACES}, guarded.new_revoked())


def ask_http(app: FastAPI, query: bytes, headers: Headers) -> tuple[str | None, str | None]:
    """The key that was accepted, or else the detail."""
    answer = request_raw(app, "/secure", query=query, headers=headers)
    assert answer.status in (200, 403)
    body = json.loads(answer.body)
    return body.get("key"), body.get("detail")


def ask_socket(app: FastAPI, query: bytes, headers: Headers) -> tuple[str | None, str | None]:
    """The same for a WebSocket."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(raw_scope("websocket", "/socket", query, headers), receive, send))
    if sent[0]["type"] == "websocket.accept":
        return json.loads(sent[1]["text"])["key"], None
    assert (sent[0]["type"], sent[0]["code"]) == ("websocket.close", 1008)
    return None, sent[0]["reason"]


def with_socket(guarded: GuardedApp) -> FastAPI:
    @guarded.app.websocket("/socket")
    async def socket(
        websocket: WebSocket, key: Annotated[ApiKey, Depends(guarded.security)]
    ) -> None:
        await websocket.accept()
        await websocket.send_json({"key": key})
        await websocket.close()

    return guarded.app


def behind_middleware(guarded: GuardedApp) -> FastAPI:
    return middleware_app.build_app(guarded.security)


def test_the_table_is_what_the_rules_make() -> None:
    spec = importlib.util.spec_from_file_location("places", VECTORS / "places.py")
    assert spec is not None
    assert spec.loader is not None
    places = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(places)
    assert places.FILE.read_text(encoding="utf-8") == places.file(), "run `make docs`"
    assert len(TABLE["rows"]) == 5**4


@pytest.mark.parametrize("adapter", [with_socket, behind_middleware])
@pytest.mark.parametrize("ask", [ask_http, ask_socket])
def test_each_combination(guarded: GuardedApp, keys: Keys, adapter: Any, ask: Any) -> None:
    """The key that decided is counted once, all others not at all."""
    app = adapter(guarded)
    expected, found = [], []
    counts = dict.fromkeys(PLACES, 0)
    for *states, decided, _ in TABLE["rows"]:
        found.append((*states, *ask(app, *keys.request(states))))
        expected.append((*states, keys.good.get(decided), DETAILS.get(decided)))
        if decided in counts:
            counts[decided] += 1
    assert found == expected
    assert all(counts.values())
    used = {row["name"]: row["total_queries"] for row in guarded.logs()}
    assert {place: used[place] for place in PLACES} == counts
    assert guarded.log_of(keys.revoked)["total_queries"] == 0


@pytest.mark.parametrize("name", ["Authorization", "AUTHORIZATION", "authorization"])
def test_the_dependency_yields_the_key_without_the_scheme(guarded: GuardedApp, name: str) -> None:
    key = guarded.new("alice")
    answer = guarded.client.get("/secure", headers={name: f"bEARER   {key}"})
    assert (answer.status_code, answer.json()["key"], answer.json()["name"]) == (200, key, "alice")


def test_a_jwt_is_not_looked_up(guarded: GuardedApp) -> None:
    """Not even one that is a key: where it is looked up, it is good."""
    guarded.app.include_router(guarded.security.admin_router, prefix="/auth")
    imported = guarded.client.post(
        "/auth/keys",
        json={"name": "a JWT", "key": JWT},
        headers={"secret-key": guarded.secret},
    )
    assert imported.status_code == 201, imported.text
    guarded.canaries.add(JWT)
    answer = guarded.client.get("/secure", headers={"Authorization": f"Bearer {JWT}"})
    assert (answer.status_code, answer.json()) == (403, {"detail": NOT_PRESENTED})
    for header in ("api-key", "X-API-Key"):
        assert guarded.client.get("/secure", headers={header: JWT}).json()["key"] == JWT
    [row] = [row for row in guarded.logs() if row["name"] == "a JWT"]
    assert row["total_queries"] == 2


def test_other_headers_are_not_read(guarded: GuardedApp) -> None:
    for header in ("x_api_key", "apikey", "x-api-key-id", "proxy-authorization"):
        answer = guarded.client.get("/secure", headers={header: f"Bearer {guarded.new()}"})
        assert (answer.status_code, answer.json()) == (403, {"detail": NOT_PRESENTED}), header


def test_the_status_of_a_refusal_holds_for_every_place(guard: Callable[..., GuardedApp]) -> None:
    guarded = guard(refusal_status=401)
    for headers in ({"X-API-Key": "x"}, {"Authorization": "Bearer x"}):
        answer = guarded.client.get("/secure", headers=headers)
        assert (answer.status_code, answer.json()) == (401, {"detail": DENIED})


@pytest.mark.parametrize("place", ["x-api-key", "authorization"])
def test_beside_an_admin_secret(guarded: GuardedApp, place: str) -> None:
    """The middleware accepts the key for the routes, and the secret for the admin routes."""
    app = TestClient(behind_middleware(guarded))
    key = guarded.new()
    headers = {place: f"Bearer {key}" if place == "authorization" else key}
    assert app.get("/secure", headers={**headers, "secret-key": "wrong"}).json()["key"] == key
    assert app.get("/auth/logs", headers={**headers, "secret-key": "wrong"}).status_code == 403
    assert app.get("/auth/logs", headers={**headers, "secret-key": guarded.secret}).is_success
    assert guarded.log_of(key)["total_queries"] == 1


# --- The headers that are read.

ALL = ("api-key", "x-api-key", "authorization")


@pytest.mark.parametrize(
    "chosen",
    [
        ALL,
        ("api-key",),
        ["X-API-Key"],
        {"AUTHORIZATION"},
        frozenset({"x-api-key", "authorization"}),
        ("authorization", "api-key", "API-KEY"),
        (),
    ],
    ids=str,
)
@pytest.mark.parametrize("adapter", [with_socket, behind_middleware])
def test_only_the_chosen_headers_are_read(
    guard: Callable[..., GuardedApp], chosen: Any, adapter: Any
) -> None:
    guarded = guard(key_headers=chosen)
    app, key = TestClient(adapter(guarded)), guarded.new()
    read = {name.lower() for name in chosen}
    for name in ALL:
        value = f"Bearer {key}" if name == "authorization" else key
        expected = 200 if name in read else 403
        assert app.get("/secure", headers={name: value}).status_code == expected, name
        if name not in read:
            # Neither a wrong key in it nor a second one is noticed.
            twice = [(name, "x"), (name, "y")]
            assert app.get("/secure", headers=twice).json() == {"detail": NOT_PRESENTED}
            assert app.get("/secure", params={"api-key": key}, headers=twice).status_code == 200
    assert app.get("/secure", params={"api-key": key}).json()["key"] == key


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("api-key", "it is one name, not several"),
        (b"api-key", "it is one name, not several"),
        (5, "it is not a collection of names"),
        (("api-key", 5), "it holds something other than a str"),
        ((b"api-key",), "it holds something other than a str"),
        (
            ("api-key", "x_api_key"),
            '"x_api_key" is not one of the headers api-key, x-api-key, authorization',
        ),
        (("",), '"" is not one of the headers api-key, x-api-key, authorization'),
        (("cookie",), '"cookie" is not one of'),
    ],
    ids=str,
)
def test_wrong_headers_stop_the_start(
    guard: Callable[..., GuardedApp], database: Path, wrong: Any, says: str
) -> None:
    """When it is opened, as every wrong setting does."""
    guarded = guard(key_headers=wrong)
    with pytest.raises(ConfigurationError) as caught:
        guarded.start()
    assert caught.value.setting == "key_headers"
    assert says in caught.value.problem
    answer = guarded.client.get("/secure", headers={"api-key": "x"})
    assert (answer.status_code, "key_headers" in answer.json()["detail"]) == (503, True)
    assert not list(database.parent.iterdir())


# --- What OpenAPI shows.


def shown(app: FastAPI) -> tuple[Any, Any]:
    document = app.openapi()
    return (
        document["components"]["securitySchemes"],
        document["paths"]["/secure"]["get"]["security"],
    )


def app_of(*instances: SimpleSecurity) -> FastAPI:
    app = FastAPI()
    for number, security in enumerate(instances):
        path = "/secure" if number == 0 else f"/secure-{number}"

        @app.get(path, dependencies=[Depends(security)])
        async def secure() -> None: ...

    return app


def app_behind(*instances: SimpleSecurity) -> FastAPI:
    app = FastAPI()
    for security in instances:
        app.add_middleware(ApiKeyMiddleware, security=security)

    @app.get("/secure")
    async def secure() -> None: ...

    return app


FIRST = (
    "A key is read from the query parameter `api-key` and from the header `api-key`: one good key "
    "is enough."
)


@pytest.mark.parametrize("make", [app_of, app_behind])
@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        (
            ALL,
            f"{FIRST} If both are absent or empty, it is read from the header `X-API-Key`, then "
            "from `Authorization: Bearer`.",
        ),
        (
            ("authorization", "api-key"),
            f"{FIRST} If both are absent or empty, it is read from `Authorization: Bearer`.",
        ),
        (("api-key",), FIRST),
    ],
    ids=str,
)
def test_the_schemes_tell_the_other_places(make: Any, chosen: Any, says: str) -> None:
    schemes, security = shown(make(SimpleSecurity(key_headers=chosen)))
    assert schemes == {
        f"API key {place}": {"type": "apiKey", "in": place, "name": "api-key", "description": says}
        for place in ("header", "query")
    }
    assert security == [{"API key header": []}, {"API key query": []}]


@pytest.mark.parametrize("make", [app_of, app_behind])
@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ((), "A key is read from the query parameter `api-key`."),
        (
            ("x-api-key",),
            "A key is read from the query parameter `api-key`. If it is absent or empty, it is "
            "read from the header `X-API-Key`.",
        ),
    ],
    ids=str,
)
def test_a_header_that_is_not_read_is_not_shown(make: Any, chosen: Any, says: str) -> None:
    schemes, security = shown(make(SimpleSecurity(key_headers=chosen)))
    assert schemes == {
        "API key query": {"type": "apiKey", "in": "query", "name": "api-key", "description": says}
    }
    assert security == [{"API key query": []}]


@pytest.mark.parametrize("make", [app_of, app_behind])
def test_two_instances_share_the_schemes(make: Any) -> None:
    """Each name is there once, whatever its description."""
    schemes, security = shown(make(SimpleSecurity(), SimpleSecurity(key_headers=("api-key",))))
    assert sorted(schemes) == ["API key header", "API key query"]
    assert security == [{"API key header": []}, {"API key query": []}]


def test_an_app_behind_one_instance_with_a_route_of_another() -> None:
    app = FastAPI()
    app.add_middleware(ApiKeyMiddleware, security=SimpleSecurity())
    other = SimpleSecurity(key_headers=("api-key",))

    @app.get("/other", dependencies=[Depends(other)])
    async def of_other() -> None: ...

    @app.get("/secure")
    async def secure() -> None: ...

    schemes, security = shown(app)
    assert sorted(schemes) == ["API key header", "API key query"]
    assert security == [{"API key header": []}, {"API key query": []}]
