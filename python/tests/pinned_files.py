"""Shared by the tests of pins and of advisories: make, the files with pins, crates for a test."""

from __future__ import annotations

import functools
import os
import re
import subprocess
from pathlib import Path

import pins
from program import DEADLINE
from servers import TESTS

PROJECT = TESTS.parents[1]
PACKAGE_LOCK = TESTS / "browser" / "package-lock.json"
REQUIREMENTS = PROJECT / "deploy" / "fastapi.txt"


def make(
    *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs make in the project, with the environment for Python as it is."""
    return subprocess.run(
        ["make", "--old-file=python/.venv/synced", *arguments],
        cwd=PROJECT,
        env=environment or without_make(),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


def without_make() -> dict[str, str]:
    """The environment, without what make tells a make that it runs."""
    return {name: value for name, value in os.environ.items() if "MAKE" not in name}


@functools.cache
def pin_files() -> list[Path]:
    """What the Makefile hands to pins.py and to advisories.py."""
    (checked,) = re.findall(r"pins\.py (.*)", make("--dry-run", "lint").stdout)
    (audited,) = re.findall(r"advisories\.py --service \S+ (.*)", make("--dry-run", "audit").stdout)
    assert checked == audited
    return [PROJECT / name for name in checked.split()]


@functools.cache
def all_pins() -> list[pins.Pin]:
    return [each for file in pin_files() for each in pins.read(file) if isinstance(each, pins.Pin)]


def crate(folder: Path, name: str, manifest: str = "", licence: str = "MIT") -> Path:
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "lib.rs").touch()
    package = f'name = "{name}"\nversion = "1.0.0"\nedition = "2024"\nlicense = "{licence}"\n'
    (folder / "Cargo.toml").write_text(f"[package]\n{package}\n[dependencies]\n{manifest}\n")
    return folder


def git(folder: Path, *arguments: str) -> None:
    author = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    subprocess.run(["git", *author, *arguments], cwd=folder, check=True)


def committed(folder: Path) -> Path:
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=test")
    return folder
