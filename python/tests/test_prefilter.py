"""The admin routes cost the other routes of an app one search, and answer as without it."""

import asyncio
import re
from collections.abc import Callable, Iterator
from itertools import product
from types import FunctionType
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request, WebSocket, routing
from fastapi.routing import APIRoute
from guarded_app import GuardedApp, raw_scope
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Match, Mount, Route

from fastapi_simple_security import ApiKeyMiddleware, SimpleSecurity, _prefilter
from fastapi_simple_security._prefilter import PrefilteredRoute, PrefilteredRouter

# Before 0.137 each route is copied into the app.
stands_apart = pytest.mark.skipif(
    not hasattr(routing, "iter_route_contexts"),
    reason="FastAPI copies the routes, or does not list them",
)

Make = Callable[..., APIRouter]
Place = Callable[[APIRouter, Make], tuple[Any, str]]


def ask(app: Any, path: str, method: str = "GET", **more: Any) -> tuple[Any, ...]:
    """What an app answers: status, headers and body, or the exception."""
    scope = {**raw_scope("http", path, b"", ()), "method": method, **more}
    said: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    try:
        asyncio.run(app(scope, receive, send))
    except Exception as error:  # noqa: BLE001 (it is compared)
        return (repr(error),)
    headers = sorted(said[0]["headers"])
    return said[0]["status"], headers, b"".join(each.get("body", b"") for each in said)


class Asked:
    """Counts the calls of `matches` on the routes and the routers of the package."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.routes = self.routers = 0
        of_route, of_router = PrefilteredRoute.matches, PrefilteredRouter.matches

        def route_matches(route: PrefilteredRoute, scope: Any) -> Any:
            self.routes += 1
            return of_route(route, scope)

        def router_matches(router: PrefilteredRouter, scope: Any) -> Any:
            self.routers += 1
            return of_router(router, scope)

        monkeypatch.setattr(PrefilteredRoute, "matches", route_matches)
        monkeypatch.setattr(PrefilteredRouter, "matches", router_matches)
        monkeypatch.setattr(
            _prefilter, "_MATCHED_BY_PATH", {*_prefilter._MATCHED_BY_PATH, route_matches}
        )

    def by(self, app: Any, *paths: str, **more: Any) -> tuple[int, int]:
        self.routes = self.routers = 0
        for path in paths:
            assert ask(app, path, **more)[0] == 200, path
        return self.routes, self.routers


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(monkeypatch)


def with_last_route(app: FastAPI) -> FastAPI:
    """Declares routes after all others, as the README does."""

    async def last() -> str:
        return "hello"

    for path in ("/", "/items/{item}", "/auth-of-mine", "/renewals"):
        app.add_api_route(path, last, methods=["GET", "PUT"])
    return app


FOREIGN = ("/", "/items/42", "/items/a b")


def both(security: SimpleSecurity, prefix: str) -> FastAPI:
    app = FastAPI()
    app.include_router(security.legacy_router, prefix=prefix)
    app.include_router(security.admin_router, prefix=prefix)
    return with_last_route(app)


@stands_apart
@pytest.mark.parametrize("prefix", ["/auth", "", "/{tenant}/auth", "/a/b/{c}"])
def test_a_request_for_another_route_reaches_no_admin_route(
    guarded: GuardedApp, asked: Asked, prefix: str
) -> None:
    app = both(guarded.security, prefix)
    ask(app, "/")
    assert asked.by(app, *FOREIGN) == (0, 0)
    assert asked.by(app, *FOREIGN, method="PUT") == (0, 0)
    assert asked.by(app, "/", root_path="/api") == (0, 0)


@stands_apart
def test_nor_where_both_are_in_one_router(guarded: GuardedApp, asked: Asked) -> None:
    app = FastAPI()
    app.include_router(guarded.security.legacy_router, prefix="/auth")
    app.include_router(guarded.security.admin_router, prefix="/auth")
    with_last_route(app)
    ask(app, "/")
    assert asked.by(app, *FOREIGN, "/auth-of-mine") == (0, 0)


@stands_apart
def test_nor_where_they_are_in_a_router_of_the_app(guarded: GuardedApp, asked: Asked) -> None:
    router = APIRouter()
    router.include_router(guarded.security.legacy_router, prefix="/auth")
    router.include_router(guarded.security.admin_router, prefix="/auth")
    app = FastAPI()
    app.include_router(router, prefix="/v1")
    with_last_route(app)
    ask(app, "/")
    assert asked.by(app, *FOREIGN) == (0, 0)


@stands_apart
def test_nor_behind_the_middleware(guarded: GuardedApp, asked: Asked) -> None:
    app = both(guarded.security, "/auth")
    app.add_middleware(ApiKeyMiddleware, security=guarded.security)
    key = [(b"api-key", guarded.new().encode())]
    ask(app, "/", headers=key)
    assert asked.by(app, *FOREIGN, headers=key) == (0, 0)


def sample(router: APIRouter) -> APIRouter:
    """Routes of every kind, which return the request that they got."""

    async def echo(request: Request) -> dict[str, Any]:
        return {"route": request.scope["endpoint"].__name__, **request.path_params}

    for path, methods in [
        ("/new", ["GET"]),
        ("/renew", ["GET", "POST"]),
        ("/keys", ["GET"]),
        ("/keys", ["POST", "OPTIONS"]),
        ("/keys/{id}", ["PATCH", "DELETE"]),
        ("/keys/{id}/renew", ["POST"]),
        ("/k-{id:int}.json", ["GET"]),
        ("/files/{rest:path}", ["GET"]),
        ("/{id}/last", ["GET"]),
    ]:
        router.add_api_route(path, echo, methods=methods)
    return router


def included(router: APIRouter, make: Make) -> tuple[Any, str]:
    app = FastAPI()
    app.include_router(router, prefix="/auth")
    return app, "/auth"


def without_prefix(router: APIRouter, make: Make) -> tuple[Any, str]:
    app = FastAPI()
    app.include_router(router)
    return app, ""


def nested(router: APIRouter, make: Make) -> tuple[Any, str]:
    inner, outer, app = APIRouter(prefix="/in"), APIRouter(), FastAPI()
    inner.include_router(router, prefix="/auth")
    outer.include_router(inner, prefix="/{tenant}")
    app.include_router(outer, prefix="/v1")
    return app, "/v1/acme/in/auth"


def nested_in_its_kind(router: APIRouter, make: Make) -> tuple[Any, str]:
    outer, app = make(), FastAPI()
    outer.add_api_route("/other", lambda: "other")
    outer.include_router(router, prefix="/in")
    outer.include_router(router, prefix="/again")
    app.include_router(outer, prefix="/auth")
    return app, "/auth/again"


def nested_around_another(router: APIRouter, make: Make) -> tuple[Any, str]:
    outer, app = make(), FastAPI()
    between = APIRouter()
    between.include_router(router)
    outer.include_router(between, prefix="/in")
    app.include_router(outer, prefix="/auth")
    return app, "/auth/in"


def behind_a_parameter(router: APIRouter, make: Make) -> tuple[Any, str]:
    app = FastAPI()
    app.include_router(router, prefix="/{tenant}/auth")
    return app, "/acme/auth"


def behind_parameters_alone(router: APIRouter, make: Make) -> tuple[Any, str]:
    app = FastAPI()
    app.include_router(router, prefix="/{tenant}/{other}")
    return app, "/acme/x"


def mounted(router: APIRouter, make: Make) -> tuple[Any, str]:
    inner, prefix = behind_a_parameter(router, make)
    app = FastAPI()
    app.mount("/mounted", inner)
    return app, f"/mounted{prefix}"


def under_a_root_path(router: APIRouter, make: Make) -> tuple[Any, str]:
    app, prefix = included(router, make)
    app.root_path = "/api/new"
    return app, f"/api/new{prefix}"


def as_a_mounted_app(router: APIRouter, make: Make) -> tuple[Any, str]:
    app = FastAPI()
    app.mount("/auth", router)
    return app, "/auth"


def twice(router: APIRouter, make: Make) -> tuple[Any, str]:
    app = FastAPI()
    app.include_router(router, prefix="/first")
    app.include_router(router, prefix="/second")
    return app, "/second"


PLACES = [
    included,
    without_prefix,
    nested,
    nested_in_its_kind,
    nested_around_another,
    behind_a_parameter,
    behind_parameters_alone,
    mounted,
    under_a_root_path,
    as_a_mounted_app,
    twice,
]
PATHS = [
    *("/new", "/renew", "/keys", "/keys/x", "/keys/x/renew", "/k-7.json", "/k-x.json"),
    *("/files/", "/files/a/b", "/files/new", "/x/last", "/keys/last", "/nothing", "", "/"),
    *("/keys/new", "/keys/x/y/renew", "/newer", "/other"),
]
SPELLINGS = [
    *("{}", "{}/", "{}//", "/{}", "{}\n", "{}\n\n", "{} ", "{}\0", "{}/.", "{}/../new", "{}%2f"),
    *("{}\u2028", "{}?x", "{};x", "{}é", "/new{}", "/keys{}", "/auth{}"),
]
METHODS = ["GET", "HEAD", "OPTIONS", "POST", "DELETE", "get", "BREW"]


def spelled(prefix: str) -> Iterator[str]:
    for path, spelling in product(PATHS, SPELLINGS):
        yield prefix + spelling.format(path)
    for path in PATHS:
        yield (prefix + path).upper()
        yield path
        yield prefix.replace("/", "//") + path
        yield prefix + path.replace("e", "%65")


def plain(**settings: Any) -> APIRouter:
    return APIRouter(**settings)


@pytest.mark.parametrize("place", PLACES)
def test_every_spelling_is_answered_as_without_the_search(place: Place) -> None:
    app, prefix = place(sample(PrefilteredRouter()), PrefilteredRouter)
    like, _ = place(sample(plain()), plain)
    for each in (app, like):
        ask(each, "/anything")
    found = set()
    for path in spelled(prefix):
        for method in METHODS if path in {prefix + each for each in PATHS} else ["GET"]:
            answer = ask(app, path, method)
            assert answer == ask(like, path, method), (path, method)
            found.add(answer[0])
    assert {200, 404, 405} <= found
    # In the path after the mount there is no root path, which is how old servers send it.
    for path in PATHS:
        assert ask(app, path, root_path=prefix) == ask(like, path, root_path=prefix), path
        below = prefix + path
        assert ask(app, below, root_path=prefix) == ask(like, below, root_path=prefix), path


@pytest.mark.parametrize("prefix", ["/auth", "", "/{tenant}/auth"])
def test_so_are_the_admin_routes(
    guarded: GuardedApp, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    app = both(guarded.security, prefix)
    with monkeypatch.context() as patch:
        patch.setattr(PrefilteredRoute, "matches", APIRoute.matches)
        patch.setattr(PrefilteredRouter, "matches", getattr(APIRouter, "matches", None))
        answers = list(admin_answers(both(guarded.security, prefix), prefix))
    assert answers == list(admin_answers(app, prefix))
    assert {answer[0] for answer in answers} >= {200, 307, 401, 403, 404, 405}


def admin_answers(app: FastAPI, prefix: str) -> Iterator[tuple[Any, ...]]:
    ask(app, "/")
    paths = ("/new", "/revoke", "/renew", "/logs", "/keys", "/keys/x", "/keys/x/renew", "/keys/x/y")
    start = prefix.format(tenant="acme")
    for path, method in product((*paths, "/nothing", ""), METHODS):
        yield ask(app, start + path, method)
        yield ask(app, f"{start}{path}/", method)
        yield ask(app, f"{start}{path}\n", method)
    for path in FOREIGN:
        yield ask(app, path)


def with_late_routes(router: APIRouter, make: Make) -> Iterator[tuple[Any, ...]]:
    """What is answered while routes are added to a router that has been asked before."""
    app, _ = nested_in_its_kind(router, make)

    async def late() -> str:
        return "late"

    def starlette(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("starlette")

    def everything() -> Iterator[tuple[Any, ...]]:
        for path in ("/late", "/raw", "/mounted/x", "/inner/deep", "/inner/last", "/host", "/any"):
            yield ask(app, f"/auth/again{path}")
            yield ask(app, f"/auth/again{path}", "POST")

    router.add_api_route("/early", late)
    yield from everything()
    router.add_api_route("/late", late)
    yield from everything()
    router.add_route("/raw", starlette)
    yield from everything()
    router.mount("/mounted", Mount("/x", routes=[Route("/", starlette)]))
    router.add_api_route("/late", late, methods=["POST"])
    yield from everything()
    inner = APIRouter()
    inner.add_api_route("/deep", late)
    router.include_router(inner, prefix="/inner")
    yield from everything()
    inner.add_api_route("/last", late)
    yield from everything()
    router.routes.append(Host("testserver", Mount("", routes=[Route("/host", starlette)])))
    router.add_api_route("/{anything}", late, methods=["POST"])
    yield from everything()


def test_routes_that_are_added_later_are_found_as_without_the_search() -> None:
    answers = list(with_late_routes(PrefilteredRouter(), PrefilteredRouter))
    assert answers == list(with_late_routes(plain(), plain))
    # Where FastAPI copies the routes, those that are added later are in no app.
    found = {200, 404, 405} if hasattr(routing, "_IncludedRouter") else {404}
    assert {answer[0] for answer in answers} == found


class IgnoringCase(APIRoute):
    """A route that matches other paths than its own."""

    def matches(self, scope: Any) -> Any:
        return super().matches({**scope, "path": scope["path"].lower()})


def test_a_route_that_matches_in_its_own_way_is_asked() -> None:
    router = PrefilteredRouter(route_class=IgnoringCase)
    app, _ = included(sample(router), PrefilteredRouter)
    assert ask(app, "/nothing")[0] == 404
    assert ask(app, "/AUTH/NEW")[0] == 200


def test_a_pattern_that_an_app_has_replaced_counts() -> None:
    """As apps do to ignore case, where FastAPI copies the routes into the app."""

    def answers(router: APIRouter) -> list[Any]:
        app, _ = included(sample(router), PrefilteredRouter)
        for route in app.routes:
            if isinstance(route, APIRoute):
                route.path_regex = re.compile(route.path_regex.pattern, re.IGNORECASE)
        return [ask(app, path)[0] for path in ("/nothing", "/auth/new", "/AUTH/NEW")]

    assert answers(PrefilteredRouter()) == answers(plain())


def socket_answer(router: APIRouter, path: str) -> Any:
    async def live(socket: WebSocket) -> None:
        await socket.accept()

    sample(router).add_api_websocket_route("/live/{id}", live)
    app, _ = included(router, PrefilteredRouter)
    ask(app, "/anything")
    said: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        said.append(message)

    asyncio.run(app(raw_scope("websocket", path, b"", ()), receive, send))
    return said[0]["type"]


@pytest.mark.parametrize("path", ["/auth/live/1", "/auth/new", "/nothing", "/live/1", ""])
def test_web_sockets_are_answered_as_without_the_search(path: str) -> None:
    answer = socket_answer(PrefilteredRouter(), path)
    assert answer == socket_answer(plain(), path)
    assert (answer == "websocket.accept") == (path == "/auth/live/1")


@pytest.mark.parametrize("kind", ["http", "websocket", "lifespan"])
def test_a_scope_without_a_path_matches_as_without_the_search(kind: str) -> None:
    def outcomes(router: APIRouter) -> list[Any]:
        app, _ = included(sample(router), PrefilteredRouter)
        ask(app, "/anything")
        return [outcome(route, {"type": kind, "method": "GET"}) for route in app.routes]

    assert outcomes(PrefilteredRouter()) == outcomes(plain())


def outcome(route: Any, scope: Any) -> Any:
    try:
        return route.matches(scope)[0]
    except KeyError as error:
        return repr(error)


@stands_apart
def test_an_admin_route_takes_no_new_search_each_time(asked: Asked) -> None:
    app, _ = included(sample(PrefilteredRouter()), PrefilteredRouter)
    ask(app, "/")
    before = vars(app.routes[-1])["matches"]
    ask(app, "/auth/new")
    assert vars(app.routes[-1])["matches"] is before
    assert asked.routers == 2


@stands_apart
def test_in_another_fastapi_there_may_be_no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what it relies on the routes are slower to tell apart, and answer the same."""
    expected = [ask(included(sample(plain()), plain)[0], path) for path in ("/auth/new", "/x")]
    for remove in (
        lambda patch: patch.delattr(APIRouter, "_mark_routes_changed"),
        lambda patch: patch.setattr(_prefilter, "commonprefix", lambda _: 1 / 0),
    ):
        app, _ = included(sample(PrefilteredRouter()), PrefilteredRouter)
        with monkeypatch.context() as patch:
            remove(patch)
            answers = [ask(app, path) for path in ("/auth/new", "/x")]
        assert answers == expected
        assert not has_search(app)


@stands_apart
def test_where_no_search_can_be_made_it_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Any] = []
    monkeypatch.setattr(_prefilter, "_prefilter", lambda *which: tried.append(which))
    app, _ = included(sample(PrefilteredRouter()), PrefilteredRouter)
    assert [ask(app, path)[0] for path in ("/x", "/x", "/auth/new")] == [404, 404, 200]
    assert len(tried) == 1


def has_search(app: FastAPI) -> bool:
    return isinstance(vars(app.routes[-1]).get("matches"), FunctionType)


def test_what_the_search_is_for() -> None:
    """A text in every path that the route matches; empty if no such text is known."""

    def literal(path: str) -> str:
        route = APIRoute(path, lambda: None)
        return _prefilter._first_literal(Known(route))

    assert literal("/auth/keys/{id}/renew") == "/auth/keys/"
    assert literal("/{tenant}/auth/new") == "/auth/new"
    assert literal("/{a}/{b}") == literal("/") == literal("/{a:path}") == ""
    assert literal("/k-{id:int}.json") == "/k-"


class Known:
    """What FastAPI tells of a route in an included router."""

    def __init__(self, route: Any) -> None:
        self.original_route, self.path = route, route.path


@stands_apart
def test_an_included_router_asks_the_router_itself() -> None:
    """Where this fails FastAPI has changed, and the search may be left out in silence."""
    app, _ = included(sample(PrefilteredRouter()), PrefilteredRouter)
    assert not has_search(app)
    assert app.routes[-1].matches(raw_scope("http", "/x", b"", ()))[0] is Match.NONE
    assert has_search(app)
