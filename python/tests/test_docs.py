"""The documentation says what is so."""

import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from guarded_app import ADMIN_SECRET

import fastapi_simple_security

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("crates/*/*.md")]
    if "node_modules" not in page.parts
)


def test_the_page_of_settings_is_what_the_engine_declares() -> None:
    spec = importlib.util.spec_from_file_location("settings", ROOT / "docs/settings.py")
    assert spec is not None
    assert spec.loader is not None
    settings = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(settings)
    assert settings.PAGE.read_text() == settings.page(), "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_stub_of_the_core_is_true() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "fastapi_simple_security._core"],
        cwd=ROOT / "python",
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout


def test_there_is_one_version() -> None:
    cargo = (ROOT / "Cargo.toml").read_text()
    declared = re.search(r'\[workspace\.package\]\nversion = "([^"]+)"', cargo)
    assert declared is not None
    project = (ROOT / "python/pyproject.toml").read_text()
    assert f'\nversion = "{declared[1]}"\n' in project
    assert fastapi_simple_security.__version__ == declared[1]
    assert f"## {declared[1]}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_guide_to_keys_from_python_code_runs(
    run_script: Callable[..., subprocess.CompletedProcess[str]], database: Path
) -> None:
    page = (ROOT / "docs/python.md").read_text()
    blocks = "".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
    call_all = """
import asyncio

security.keys.issue("bob", expires_at=None)
key = asyncio.run(rotate(issued.id))
assert accept(key) == ""
asyncio.run(show())
assert accept(issued.key) is None
"""
    warn = "import warnings; warnings.simplefilter('error')\n"
    blocks = blocks.replace('"keys.db"', repr(str(database)))
    done = run_script(warn + blocks + call_all, FASTAPI_SIMPLE_SECURITY_SECRET=ADMIN_SECRET)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [re.sub(r"\b\w{11}\b", "ID", line) for line in done.stdout.splitlines()[1:]]
    assert sorted(lines[:2]) == ["ID alice 1", "ID bob 0"]
    assert lines[2:] == [
        "rejected: key ID is revoked (the reason is for logs: do not send it to a client)"
    ]
