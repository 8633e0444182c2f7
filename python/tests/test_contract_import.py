"""The contract of the import: it costs little more than FastAPI's own, and nothing else is changed.

What it costs is told by what it imports and makes, for times are never the same twice.
"""

import inspect
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from subprocess import CompletedProcess
from threading import Barrier

import fastapi_simple_security
from fastapi_simple_security import SimpleSecurity, api_key_security
from fastapi_simple_security._made_once import made_once

Run = Callable[..., "CompletedProcess[str]"]

# Fails where a route of FastAPI is made: with the first parameter of one it imports `pydantic.v1`.
IMPORT_ALONE = """
import json, sys
import fastapi, fastapi.security
from fastapi.routing import APIRoute

def refuse(*_, **__):
    raise AssertionError("a route was made")

make, APIRoute.__init__ = APIRoute.__init__, refuse
before = set(sys.modules)
import fastapi_simple_security
print(json.dumps(sorted(set(sys.modules) - before)))
APIRoute.__init__ = make
"""

ROUTERS = ("api_key_router", "api_key_security.admin_router")


def run(run_script: Run, source: str) -> str:
    ended = run_script(source)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_it_imports_nothing_but_its_own_modules_and_makes_no_route(run_script: Run) -> None:
    imported = json.loads(run(run_script, IMPORT_ALONE))
    assert [name for name in imported if not name.startswith("fastapi_simple_security")] == []


def test_the_models_of_the_routers_are_imported_with_them(run_script: Run) -> None:
    models = {f"fastapi_simple_security.{name}" for name in ("_legacy.router", "_admin.router")}
    assert models & set(json.loads(run(run_script, IMPORT_ALONE))) == set()
    later = IMPORT_ALONE + "".join(f"fastapi_simple_security.{name}\n" for name in ROUTERS)
    run(run_script, f"{later}assert {models!r} <= set(sys.modules)")


def test_an_app_with_a_middleware_alone_needs_no_router(run_script: Run) -> None:
    run(
        run_script,
        """
import sys
from fastapi import FastAPI
from fastapi_simple_security import ApiKeyMiddleware
app = FastAPI()
app.add_middleware(ApiKeyMiddleware)
assert list(app.openapi()["paths"]) == []
assert "fastapi_simple_security._legacy.router" not in sys.modules
""",
    )


def test_an_app_with_a_dependency_alone_needs_no_router(run_script: Run) -> None:
    run(
        run_script,
        """
import sys
from fastapi import Depends, FastAPI
from fastapi_simple_security import api_key_security
app = FastAPI()
@app.get("/secure", dependencies=[Depends(api_key_security)])
def secure(): pass
security = app.openapi()["paths"]["/secure"]["get"]["security"]
assert security == [{"API key header": []}, {"API key query": []}], security
assert "fastapi_simple_security._legacy.router" not in sys.modules
""",
    )


def test_all_names_come_by_every_way_of_import() -> None:
    for name in fastapi_simple_security.__all__:
        assert name in dir(fastapi_simple_security)
    starred: dict[str, object] = {}
    exec("from fastapi_simple_security import *", starred)
    for name in fastapi_simple_security.__all__:
        assert starred[name] is getattr(fastapi_simple_security, name)


def test_the_routers_are_those_of_the_default_instance_every_time() -> None:
    from fastapi_simple_security import api_key_router

    assert api_key_router is fastapi_simple_security.api_key_router
    assert api_key_router is api_key_security.legacy_router
    assert api_key_security.admin_router is api_key_security.admin_router


def test_an_unknown_name_is_none_of_the_package() -> None:
    assert not hasattr(fastapi_simple_security, "api_key_rooter")


def test_threads_that_ask_at_once_get_one_object() -> None:
    both_make_it = Barrier(2)

    class Made:
        @made_once
        def thing(self) -> object:
            both_make_it.wait(30)
            return object()

    made = Made()
    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(lambda _: made.thing, range(2))
    assert one is other is made.thing


def test_the_routers_of_an_instance_are_made_once() -> None:
    for name in ("legacy_router", "admin_router", "keys"):
        assert isinstance(inspect.getattr_static(SimpleSecurity, name), made_once)


def test_an_instance_has_the_signature_of_a_dependency_and_its_class_that_of_a_constructor() -> (
    None
):
    security = SimpleSecurity()
    assert list(inspect.signature(security).parameters) == ["connection"]
    assert "db_location" in inspect.signature(SimpleSecurity).parameters
    mine = inspect.Signature()
    security.__signature__ = mine  # type: ignore[assignment]
    assert inspect.signature(security) is mine
