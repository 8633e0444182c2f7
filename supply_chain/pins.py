"""Checks the files that pin packages of PyPI and npm; `make pins` runs it, without the network.

    python pins.py FILE...

A pin is an exact version from the public registry, with a hash for each file that may be installed.
Exits 1 and names each pin that is not. Crates are left to cargo-deny.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PYPI = "https://pypi.org/simple"
PYPI_FILES = "https://files.pythonhosted.org/"
NPM = "https://registry.npmjs.org"

# The locks of tools that the project does not use, and npm-shrinkwrap.json, which npm prefers to
# package-lock.json.
OTHER_LOCKS = {
    "npm-shrinkwrap.json",
    "pdm.lock",
    "Pipfile.lock",
    "pnpm-lock.yaml",
    "poetry.lock",
    "pylock.toml",
    "yarn.lock",
}


@dataclass(frozen=True)
class Pin:
    """A package at one version, and the file that names it."""

    file: Path
    ecosystem: str
    """As OSV spells it."""
    name: str
    version: str


@dataclass(frozen=True)
class Fault:
    """What is wrong in a file, and what to do."""

    file: Path
    text: str


def read(file: Path) -> Iterator[Pin | Fault]:
    """The pins of one file, and what is wrong with it."""
    if file.name in OTHER_LOCKS:
        yield Fault(file, "is the lock of a tool that the project does not use; remove it")
        return
    readers = {"uv.lock": _uv_lock, "package-lock.json": _package_lock}
    reader = readers.get(file.name, _requirements)
    found = list(reader(file))
    yield from found
    if not any(isinstance(each, Pin) for each in found):
        yield Fault(file, "pins nothing; remove it, or take it out of PINS in the Makefile")


def _requirements(file: Path) -> Iterator[Pin | Fault]:
    """A file for `pip install --requirement`, as `uv pip compile` writes it."""
    for line in file.read_text().replace("\\\n", " ").splitlines():
        wanted, *hashes = re.split(r"\s+--hash=", re.sub(r"(^|\s)#.*", "", line).strip())
        if not wanted:
            continue
        try:
            requirement = Requirement(wanted)
        except InvalidRequirement:
            yield Fault(file, f"`{wanted}` is not a package; write `name==version`")
            continue
        version = str(requirement.specifier).removeprefix("==")
        if requirement.url or not re.fullmatch(r"[0-9][0-9a-z.!]*", version):
            yield Fault(file, f"`{wanted}` is not an exact version; write `name==version`")
            continue
        if not hashes or not all(re.fullmatch("sha256:[0-9a-f]{64}", each) for each in hashes):
            yield Fault(
                file, f"`{wanted}` has no hash; write it with the command at the file's head"
            )
        yield Pin(file, "PyPI", canonicalize_name(requirement.name), version)


def _uv_lock(file: Path) -> Iterator[Pin | Fault]:
    for package in tomllib.loads(file.read_text())["package"]:
        name, source = package["name"], package["source"]
        if source == {"editable": "."}:
            continue
        if source != {"registry": PYPI}:
            yield Fault(file, f"{name} comes from {source}; take it from {PYPI}")
            continue
        files = package.get("wheels", []) + ([package["sdist"]] if "sdist" in package else [])
        if not files or not all(each.get("hash", "").startswith("sha256:") for each in files):
            yield Fault(file, f"{name} has a file without a hash; run `uv lock`")
        for each in files:
            # uv installs what is at this address, whatever the source says.
            url = each.get("url", "")
            if not url.startswith(PYPI_FILES) or _file_of(url) != (name, package["version"]):
                yield Fault(
                    file, f"{name} {package['version']} has the file `{url}`; run `uv lock`"
                )
        yield Pin(file, "PyPI", name, package["version"])


def _file_of(url: str) -> tuple[str, str] | None:
    """The name and the version in the name of a file of PyPI."""
    parse = parse_wheel_filename if url.endswith(".whl") else parse_sdist_filename
    try:
        name, version, *_ = parse(url.rpartition("/")[2])
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None
    return name, str(version)


def _package_lock(file: Path) -> Iterator[Pin | Fault]:
    lock = json.loads(file.read_text())
    packages: dict[str, dict[str, Any]] = lock["packages"]
    manifest = json.loads(file.with_name("package.json").read_text())
    if lock["lockfileVersion"] != 3 or "dependencies" in lock:
        yield Fault(file, "is not of version 3, which lists each package once; run `npm install`")
    for kind in ("dependencies", "devDependencies", "optionalDependencies"):
        if packages[""].get(kind) != manifest.get(kind):
            yield Fault(file, f"differs from package.json in {kind}; run `npm install`")
    for place, package in packages.items():
        name = place.rpartition("node_modules/")[2]
        if not name:
            continue
        url = f"{NPM}/{name}/-/{name.rpartition('/')[2]}-{package.get('version')}.tgz"
        # npm omits `resolved` if it is configured to; the package then comes from the registry.
        # It writes `name` where a package is installed under another one.
        if (
            package.get("link")
            or package.get("resolved", url) != url
            or package.get("name", name) != name
        ):
            yield Fault(file, f"{name} comes from elsewhere; take it from {url}")
            continue
        if not package.get("integrity", "").startswith("sha512-"):
            yield Fault(file, f"{name} has no hash; run `npm install`")
        yield Pin(file, "npm", name, package["version"])


def main(files: Sequence[str]) -> int:
    """Prints the faults of all files."""
    if not files:
        print("usage: pins.py FILE...", file=sys.stderr)
        return 2
    found = [each for file in files for each in read(Path(file))]
    faults = [each for each in found if isinstance(each, Fault)]
    for fault in faults:
        print(f"{fault.file}: {fault.text}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
