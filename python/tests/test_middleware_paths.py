"""Open paths: exact, sent plainly, or not open. In process, and as bytes through a real server."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import middleware_app
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from guarded_app import GuardedApp, raw_scope
from starlette._utils import get_route_path

from fastapi_simple_security import ApiKeyMiddleware, ConfigurationError, SimpleSecurity
from fastapi_simple_security._middleware.open_paths import OpenPaths, _inside

OPEN = OpenPaths(["/", "/health", "/a/b", "/café", "/with space", "/tilde~x"])


def lets_in(path: str, raw_path: bytes | None = b"", **more: Any) -> bool:
    raw = path.encode() if raw_path == b"" else raw_path
    return OPEN.lets_in({"path": path, "raw_path": raw, **more})


@pytest.mark.parametrize(
    ("path", "raw_path"),
    [
        ("/", b"/"),
        ("/health", b"/health"),
        ("/health", None),
        ("/a/b", b"/a/b"),
        ("/café", b"/caf%C3%A9"),
        ("/with space", b"/with%20space"),
        ("/tilde~x", b"/tilde~x"),
    ],
)
def test_open(path: str, raw_path: bytes | None) -> None:
    assert lets_in(path, raw_path)


@pytest.mark.parametrize(
    ("path", "raw_path"),
    [
        ("", b""),
        ("/health/", b"/health/"),
        ("/Health", b"/Health"),
        ("/health ", b"/health%20"),
        ("/health\0", b"/health%00"),
        ("/health\n", b"/health%0A"),
        ("/healthy", b"/healthy"),
        ("/health;x", b"/health;x"),
        ("/health?x", b"/health%3Fx"),
        ("/health#x", b"/health#x"),
        ("health", b"health"),
        ("//health", b"//health"),
        ("/./health", b"/./health"),
        ("/x/../health", b"/x/../health"),
        ("\\health", b"\\health"),
        ("http://host/health", b"http://host/health"),
        # What a server may have made of these before we see it.
        ("/health", b"//health"),
        ("/health", b"/./health"),
        ("/health", b"/secure/../health"),
        ("/health", b"/secure/..%2fhealth"),
        ("/health", b"/%2e%2e/health"),
        ("/health", b"/%68ealth"),
        ("/health", b"/health/"),
        ("/health", b"/health;x"),
        ("/health", b"/health?x"),
        ("/health", b"/health#x"),
        ("/health", b"/static/health"),
        ("/health", b"\\health"),
        ("/health", b" "),
        ("/a/b", b"/a%2Fb"),
        ("/a/b", b"/a%2fb"),
        ("/a/b", b"/a%5Cb"),
        ("/café", b"/caf%c3%a9"),
        ("/café", b"/caf\xc3\xa9"),
        ("/caf\ufffd", b"/caf%E9"),
        ("/with space", b"/with+space"),
        ("/tilde~x", b"/tilde%7Ex"),
    ],
)
def test_not_open(path: str, raw_path: bytes) -> None:
    assert not lets_in(path, raw_path)


def test_under_a_root_path() -> None:
    assert lets_in("/api/health", b"/api/health", root_path="/api")
    # A proxy has cut it off, and the server did not put it back; or the framework has.
    assert lets_in("/health", b"/health", root_path="/api")
    assert lets_in("/health", b"/api/health", root_path="/api")
    assert not lets_in("/api/health", b"/api/api/health", root_path="/api")
    assert not lets_in("/apihealth", b"/apihealth", root_path="/api")
    assert not lets_in("/other/health", b"/other/health", root_path="/api")
    assert not lets_in("/api//health", b"/api//health", root_path="/api")
    assert not lets_in("//health", b"//health", root_path="/")
    assert not lets_in("/api", b"/api", root_path="/api")
    assert not lets_in("//x/health", b"//x/health", root_path="//x")


def test_where_litestar_has_cut_the_path_the_raw_path_must_tell() -> None:
    assert not lets_in("/health", None, route_handler=object())
    assert not lets_in("/health", b"/files/health", route_handler=object())
    assert lets_in("/health", b"/health", route_handler=object())


@pytest.mark.parametrize("root_path", ["", "/", "/a", "/a/", "/a/b", "//", "/health", "a"])
@pytest.mark.parametrize(
    "path", ["", "/", "/a", "/a/", "/a/b", "/a//b", "//a", "/ab", "/a/b/health", "/health", "a/b"]
)
def test_the_path_inside_is_starlettes(path: str, root_path: str) -> None:
    scope = {"path": path, "root_path": root_path}
    assert _inside(path, root_path) == get_route_path(scope)


@pytest.mark.parametrize(
    ("paths", "problem"),
    [
        ("/health", "list"),
        (b"/health", "list"),
        (iter(["/health"]), "list"),
        (None, "list"),
        ([b"/health"], "text"),
        ([""], "start with `/`"),
        (["health"], "start with `/`"),
        (["https://host/health"], "start with `/`"),
        (["//health"], "empty part"),
        (["/a//b"], "empty part"),
        (["/."], "part `.`"),
        (["/../health"], "part `.`"),
        (["/a/./b"], "part `.`"),
        (["/a/.."], "part `.`"),
        (["/caf%C3%A9"], "decoded"),
        (["/health?x"], "ends before"),
        (["/health#x"], "ends before"),
        (["/items/{item}"], "exact"),
        (["/docs*"], "exact"),
        (["\\health"], "start with `/`"),
        (["/a\\b"], "servers read differently"),
        (["/health;x"], "servers read differently"),
        (["/health\n"], "control"),
        (["/health\0"], "control"),
        (["/.well-known/x", "/..a", "/a..", "/a.b"], None),
    ],
)
def test_what_may_be_an_open_path(paths: Any, problem: str | None) -> None:
    if problem is None:
        OpenPaths(paths)
        return
    with pytest.raises(ConfigurationError, match=r"^open_paths: ") as wrong:
        OpenPaths(paths)
    assert problem in wrong.value.problem
    assert wrong.value.setting == "open_paths"


@pytest.fixture
def app(guard: Callable[..., GuardedApp]) -> FastAPI:
    return middleware_app.build_app(guard().security, ["/health", "/docs", "/socket-open"])


def test_an_open_path_needs_no_key_and_no_database(app: FastAPI, database: Path) -> None:
    client = TestClient(app)
    assert client.get("/health").json() == {"message": "open"}
    assert client.get("/health", headers={"api-key": "x", "secret-key": "x"}).status_code == 200
    assert client.post("/health").status_code == 405
    assert client.get("/docs").status_code == 200
    assert not database.exists()
    # The app answers a redirect, which is no path of its own; and other paths are not open.
    for path in (
        "/health/",
        "/inner/health",
        "/Health",
        "/items/health",
        "/docs/",
        "/openapi.json",
    ):
        assert client.get(path, follow_redirects=False).status_code == 403, path


def test_a_good_key_on_an_open_path_is_counted(guarded: GuardedApp) -> None:
    client = TestClient(middleware_app.build_app(guarded.security))
    key = guarded.new()
    client.get("/secure", headers={"api-key": key})
    assert client.get("/health", headers={"api-key": key}).status_code == 200
    assert guarded.log_of(key)["total_queries"] == 2


def test_a_mounted_apps_own_middleware_has_its_own_paths(guard: Callable[..., GuardedApp]) -> None:
    inner = middleware_app.build_app(guard().security, ["/health"])
    outer = FastAPI()
    outer.mount("/inner", inner)
    client = TestClient(outer)
    assert client.get("/inner/health").status_code == 200
    for path in ("/inner/secure", "/inner/inner/health", "/inner//health"):
        assert client.get(path).status_code == 403, path


SPELLINGS = [
    "{0}",
    "/{0}",
    "/.{0}",
    "/x/..{0}",
    "{0}/",
    "{0}/.",
    "{0}/..",
    "{0}/../secure",
    "{0}/..%2fsecure",
    "{0}%2f..%2fsecure",
    "{0}/%2e%2e/secure",
    "{0}%2e",
    "{0};x",
    "{0};/../secure",
    "{0}?x",
    "{0}?/../secure",
    "{0}#x",
    "{0}%23x",
    "{0}%3fx",
    "{0}%00",
    "{0}%20",
    "{0}%0a",
    "{0}%ff",
    "{0}\\",
    "{0}%5c",
    "\\{0}",
    "{0}\\..\\secure",
    "http://other{0}",
    "http://other/{0}",
    "%2f{0}",
    "/%2e%2e{0}",
    "/secure/..{0}",
    "/secure/%2e%2e{0}",
    "/secure/..%2f{0}",
    "/secure?{0}",
    "/secure#{0}",
    "/secure;{0}",
    "/inner{0}",
    "/items{0}",
    "/static/..{0}",
    "/static{0}/../guarded_app.py",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_opens_a_guarded_route(app: FastAPI, spelling: str) -> None:
    """In process, as a server would decode it; with and without the raw path."""
    for path in ("/health", "/HEALTH", "/%68ealth", "/secure"):
        raw = spelling.format(path).partition("?")[0]
        for more in ({"raw_path": raw.encode()}, {"raw_path": None}):
            scope = raw_scope("http", decoded(raw), b"", ())
            scope.update(more)
            if more["raw_path"] is None:
                del scope["raw_path"]
            assert_health_or_refused(*asyncio.run(ask(app, scope)))


def decoded(raw: str) -> str:

    return unquote(raw)


async def ask(app: Any, scope: dict[str, Any]) -> tuple[int, bytes]:
    said: list[dict[str, Any]] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    await app(scope, receive, send)
    return said[0]["status"], b"".join(each.get("body", b"") for each in said)


def assert_health_or_refused(status: int, body: bytes) -> None:
    assert status >= 400 or (status, body) == (200, b'{"message":"open"}'), (status, body)


def test_a_wrong_open_path_is_told_at_the_start(guard: Callable[..., GuardedApp]) -> None:
    app = middleware_app.build_app(guard().security, "/health")
    said: list[Any] = []
    with pytest.raises(ConfigurationError, match=r"^open_paths: '/health' is no list"):
        middleware_app.start(app, said)
    [message] = said
    assert message["type"] == "lifespan.startup.failed"
    assert message["message"].startswith("open_paths: '/health' is no list")


def test_where_nothing_starts_a_wrong_open_path_lets_nobody_in(
    guard: Callable[..., GuardedApp], package_log: list[str]
) -> None:
    guarded = guard()
    client = TestClient(middleware_app.build_app(guarded.security, ["/health", "/docs*"]))
    key = guarded.new()
    for path in ("/health", "/secure", "/docs"):
        for headers in ({}, {"api-key": key}):
            answer = client.get(path, headers=headers)
            assert answer.status_code == 503
            assert "open_paths" in answer.json()["detail"]
    assert "open_paths: '/docs*' is a pattern" in package_log[-1]


def test_none_means_the_default_instance(environment: pytest.MonkeyPatch) -> None:
    assert isinstance(ApiKeyMiddleware(FastAPI()).security, SimpleSecurity)
