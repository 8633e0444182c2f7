"""The code of docs/middleware.md runs and does what the page says."""

import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from guarded_app import NOT_PRESENTED, GuardedApp

PAGE = Path(__file__).parents[2] / "docs/middleware.md"
ORIGIN = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}


def blocks(heading: str) -> list[str]:
    [section] = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.M | re.S)
    return re.findall(r"```python\n(.*?)```", section, re.S)


def run(*code: str) -> dict[str, Any]:
    # Litestar looks the names of annotations up in the module.
    module = types.ModuleType("page_of_the_middleware")
    sys.modules[module.__name__] = module
    for block in code:
        exec(block, vars(module))
    return vars(module)


def new(client: Any, default: GuardedApp, path: str = "/auth/new") -> str:
    key: str = client.get(path, headers={"secret-key": default.secret}).json()
    default.canaries.add(key)
    return key


def test_fastapi(default: GuardedApp) -> None:
    app = run(*blocks("FastAPI"))["app"]
    with TestClient(app) as client:
        key = new(client, default)
        assert client.get("/health").json() == "open to all"
        assert client.get("/docs").json() == {"detail": NOT_PRESENTED}
        assert client.get("/whoami", headers={"api-key": key}).json() == {
            "id": key[4:15],
            "name": "",
        }
        assert client.options("/whoami", headers=ORIGIN).status_code == 200
        assert client.get("/partners/status").status_code == 403
        assert client.get("/partners/status", headers={"api-key": key}).status_code == 404
    assert default.log_of(key)["total_queries"] == 2


def test_the_routes_of_a_router(default: GuardedApp) -> None:
    app = run(*blocks("The routes of a router"))["app"]
    client = TestClient(app)
    key = new(client, default)
    assert client.post("/orders", content="no JSON").json() == {"detail": NOT_PRESENTED}
    assert client.post("/orders", json={"a": 1}, headers={"api-key": key}).json() == 1
    assert default.log_of(key)["total_queries"] == 1


def test_starlette(default: GuardedApp) -> None:
    app = run(*blocks("Starlette"))["app"]
    with TestClient(app) as client:
        key = new(client, default)
        assert client.get("/whoami").json() == {"detail": NOT_PRESENTED}
        assert client.get("/whoami", headers={"api-key": key}).text == key[4:15]


def test_litestar(default: GuardedApp) -> None:
    pytest.importorskip("litestar")
    from litestar.testing import TestClient as LitestarClient

    names = run(*blocks("Litestar"))
    with LitestarClient(names["app"]) as client:
        key = new(TestClient(names["admin"]), default, "/new")
        assert client.get("/whoami").json() == {"detail": NOT_PRESENTED}
        assert client.get("/whoami", headers={"api-key": key}).text == key[4:15]
        assert default.log_of(key)["total_queries"] == 1
    assert not default.security._engine.is_open
