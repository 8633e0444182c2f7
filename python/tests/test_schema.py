"""The OpenAPI document says what the running app does: schemathesis, with every check it has."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import servers
from clients import ResourceAdmin
from servers import Server

SEED = os.environ.get("SIMPLE_SECURITY_TEST_SEED", "1")
EXAMPLES = 100
SECRET = "secret-of-the-schema-test"


FACES: dict[str, Any] = {"uvicorn": servers.uvicorn, "axum": servers.axum}


@pytest.fixture(scope="module")
def reports(
    tmp_path_factory: pytest.TempPathFactory, database_directories: list[Path], canaries: set[str]
) -> Iterator[dict[str, Future[str]]]:
    """What is said of each face: of all at the same time, as it takes so long."""
    directories = {face: tmp_path_factory.mktemp(face) for face in FACES}
    database_directories.extend(directories.values())
    with ThreadPoolExecutor(len(FACES)) as threads:
        yield {
            face: threads.submit(report_on, serve, directories[face], canaries)
            for face, serve in FACES.items()
        }


@pytest.mark.parametrize("face", FACES)
def test_the_schema_holds(reports: dict[str, Future[str]], face: str) -> None:
    report = reports[face].result()
    print(report)
    # A phase that had nothing to try would pass too.
    for phase in ("Coverage", "Fuzzing", "Stateful"):
        assert f"✅ {phase}" in report


def report_on(serve: Any, directory: Path, canaries: set[str]) -> str:
    with serve(directory / "keys.db", secret=SECRET) as server:
        key = ResourceAdmin(server.connect(), SECRET, canaries).new()
        schema = directory / "openapi.json"
        told = server.connect().get("/openapi.json").json
        schema.write_text(json.dumps(without_our_prefix(with_links(told))))
        return run_schemathesis(server, schema, key)


def run_schemathesis(server: Server, schema: Path, key: str) -> str:
    command = [sys.executable, "-m", "schemathesis.cli", "run", str(schema), "--url", server.url]
    command += ["--header", f"secret-key:{SECRET}", "--header", f"api-key:{key}"]
    command += ["--phases", "examples,coverage,fuzzing,stateful", "--checks", "all"]
    command += ["--seed", SEED, "--max-examples", str(EXAMPLES), "--generation-database", "none"]
    result = subprocess.run(
        [*command, "--no-color"],
        cwd=schema.parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def with_links(schema: dict[str, Any]) -> dict[str, Any]:
    """Says which answer names a key for which call, so that the calls are tried in sequence. The
    package cannot say it: the names of operations depend on where an app includes the router."""
    paths = schema["paths"]

    def link(path: str, method: str, parameter: str, source: str) -> dict[str, Any]:
        operation = paths[path][method]["operationId"]
        return {"operationId": operation, "parameters": {parameter: source}}

    for path, source in (
        ("/auth/new", "$response.body"),
        ("/auth/logs", "$response.body#/logs/0/api_key"),
    ):
        if path in paths:
            paths[path]["get"]["responses"]["200"]["links"] = {
                "revoke": link("/auth/revoke", "get", "query.api-key", source),
                "renew": link("/auth/renew", "get", "query.api-key", source),
            }
    for method, status, source in (
        ("post", "201", "$response.body#/id"),
        ("get", "200", "$response.body#/keys/0/id"),
    ):
        paths["/auth/keys"][method]["responses"][status]["links"] = {
            f"{operation} {action}": link(
                f"/auth/keys/{{id}}{action}", operation, "path.id", source
            )
            for action, operations in (
                ("", ("get", "patch", "delete")),
                ("/revoke", ("post",)),
                ("/renew", ("post",)),
            )
            for operation in operations
        }
    return schema


def without_our_prefix(schema: dict[str, Any]) -> dict[str, Any]:
    """Says which keys of one's own are refused for how they start. The package cannot say it: the
    prefix is a setting, which is read later than the schema is made."""
    body = schema["paths"]["/auth/keys"]["post"]["requestBody"]
    new_key = body["content"]["application/json"]["schema"]
    if "$ref" in new_key:
        new_key = schema["components"]["schemas"][new_key["$ref"].rpartition("/")[2]]
    key = new_key["properties"]["key"]
    if "anyOf" not in key:
        alone = {**key, "type": "string"}
        key.clear()
        key["anyOf"] = [alone, {"type": "null"}]
    key["anyOf"][0]["not"] = {"pattern": "^fss_"}
    return schema
