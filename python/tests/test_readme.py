"""The commands of the README and the guides do what they show: run in their order, against what
`make run` serves."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import servers
from guarded_app import ADMIN_SECRET

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SECRET = "TEST_SECRET"
# What differs from run to run, in the order in which it is replaced.
VARYING = [
    (re.compile(r"fss_\w{11}_\w{39}"), "KEY"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"), "DATE"),
    (re.compile(r"DATE\.\d{3}"), "MOMENT"),
]


def blocks(language: str, page: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def general(text: str) -> str:
    for pattern, name in VARYING:
        text = pattern.sub(name, text)
    return text


@pytest.mark.parametrize("name", ["README.md", "docs/resource-api.md"])
def test_the_console_shows_what_it_shows(database: Path, canaries: set[str], name: str) -> None:
    page = (ROOT / name).read_text()
    lines = "".join(blocks("console", page)).splitlines()
    shown_key = re.search(r"fss_(\w{11})_\w{39}", page)
    assert shown_key is not None
    with servers.uvicorn(database, secret=SECRET, app="fastapi_app:app") as server:
        key, key_id, variables = "", "", ""
        for line, shown in zip(lines, [*lines[1:], ""], strict=True):
            if not line.startswith("$ "):
                continue
            command = line[2:].replace("localhost:8080", f"127.0.0.1:{server.port}")
            command = command.replace(shown_key[0], key).replace(shown_key[1], key_id)
            if command.startswith("KEY="):
                variables = command
                continue
            answer = subprocess.run(
                ["bash", "-c", f"{variables}\n{command}"],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            if made := re.search(r"fss_(\w{11})_\w{39}", answer):
                key, key_id = made[0], made[1]
                canaries.add(key)
            expected = general(shown).replace(shown_key[1], key_id)
            assert general(answer).removesuffix("\n") == expected, command
    assert key


def test_the_python_client_prints_what_it_shows(database: Path) -> None:
    [client] = [block for block in blocks("python") if "import requests" in block]
    [printed] = [block for block in blocks("text") if "secure endpoint" in block]
    with servers.uvicorn(database, secret=SECRET, app="fastapi_app:app") as server:
        client = client.replace("localhost:8080", f"127.0.0.1:{server.port}")
        answer = subprocess.run(
            [sys.executable, "-c", client], capture_output=True, text=True, check=True
        )
    assert answer.stdout == printed


def test_the_script_prints_what_it_shows(run_script: Callable[..., Any], tmp_path: Path) -> None:
    """Without an app."""
    [script] = [block for block in blocks("python") if "security.keys" in block]
    [printed] = [block for block in blocks("text") if "('alice', 1)" in block]
    script = f"import warnings; warnings.simplefilter('error')\n{script}"
    done = run_script(script, FASTAPI_SIMPLE_SECURITY_SECRET=ADMIN_SECRET)
    assert (done.stdout, done.stderr, done.returncode) == (printed, "", 0)
    # The search for leaked keys does not reach this directory.
    assert b"fss_" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_the_apps_are_apps(monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in blocks("python"):
        if "import requests" not in block and "security.keys" not in block:
            exec(block, names)
    paths = names["app"].openapi()["paths"]
    assert paths.keys() >= {"/secure", "/whoami", "/partners", "/auth/new", "/partners/auth/keys"}
    assert not list(tmp_path.iterdir()), "importing and describing an app opens nothing"
