"""`make audit`: fails on an advisory, and apart from that if a database could not be read.

The tools are the real ones. The databases are local: a git repository in RustSec's format, and an
HTTP service that responds as OSV does.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import advisories
import pins
import pytest
from pinned_files import (
    PROJECT,
    REQUIREMENTS,
    all_pins,
    committed,
    crate,
    make,
    pin_files,
    without_make,
)

# A package and what to answer about it.
Answers = dict[tuple[str, str, str], list[str]]
REAL_HOME = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
Respond = Callable[[dict[str, Any]], tuple[int, bytes]]
KNOWN: Answers = {
    (pin.ecosystem, pin.name, pin.version): ["KNOWN-1"] for pin in advisories.VULNERABLE
}


class Osv(ThreadingHTTPServer):
    """OSV's `/v1/querybatch`, as https://google.github.io/osv.dev/post-v1-querybatch/ has it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: Answers = dict(KNOWN)
        self.paged = False
        self.respond: Respond = self.query
        self.url = f"http://127.0.0.1:{self.server_port}"

    def query(self, body: dict[str, Any]) -> tuple[int, bytes]:
        results: list[dict[str, Any]] = []
        for query in body["queries"]:
            package = query["package"]
            found = self.answers.get((package["ecosystem"], package["name"], query["version"]), [])
            if self.paged and "page_token" not in query:
                results.append({"next_page_token": "more"})
            else:
                results.append({"vulns": [{"id": each} for each in found]} if found else {})
        return 200, json.dumps({"results": results}).encode()


class _Handler(BaseHTTPRequestHandler):
    server: Osv

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == "/v1/querybatch"
        status, answer = self.server.respond(body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_arguments: object) -> None:
        """Logs nothing."""


@pytest.fixture
def osv() -> Iterator[Osv]:
    with Osv() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_packages_without_advisories(osv: Osv) -> None:
    assert advisories.packages(osv.url, all_pins()) == advisories.CLEAN


@pytest.mark.parametrize("paged", [False, True])
def test_an_advisory_on_a_pin_of_any_file(
    osv: Osv, paged: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    osv.paged = paged
    pinned = all_pins()
    last = {pin.file: pin for pin in pinned}
    assert len(last) == len(pin_files())
    for file, pin in last.items():
        osv.answers = {**KNOWN, (pin.ecosystem, pin.name, pin.version): ["PLANTED-1", "PLANTED-2"]}
        assert advisories.packages(osv.url, pinned) == advisories.ADVISORY
        line = f"{file}: {pin.name} {pin.version}: PLANTED-1, PLANTED-2\n"
        assert line in capsys.readouterr().err


def test_an_accepted_advisory_is_shown_and_accepted_in_its_file_alone(
    osv: Osv, capsys: pytest.CaptureFixture[str]
) -> None:
    pinned = all_pins()
    for (file, name, version), (reason, accepted) in advisories.ACCEPTED.items():
        (pin,) = (
            pin for pin in pinned if (pin.file.name, pin.name, pin.version) == (file, name, version)
        )
        known = sorted(accepted)
        assert known
        osv.answers[pin.ecosystem, name, version] = known
        assert advisories.packages(osv.url, pinned) == advisories.CLEAN
        shown = f"{name} {version}: {', '.join(known)} (accepted: {reason})\n"
        assert shown in capsys.readouterr().err
        elsewhere = pins.Pin(REQUIREMENTS, pin.ecosystem, name, version)
        assert advisories.packages(osv.url, [*pinned, elsewhere]) == advisories.ADVISORY
        capsys.readouterr()
        osv.answers[pin.ecosystem, name, version] = [*known, "PLANTED-1"]
        assert advisories.packages(osv.url, pinned) == advisories.ADVISORY
        output = capsys.readouterr().err
        assert shown in output
        assert f"{name} {version}: PLANTED-1\n" in output


def always(status: int, answer: bytes) -> Respond:
    return lambda _: (status, answer)


def endless(body: dict[str, Any]) -> tuple[int, bytes]:
    results = [{"next_page_token": "more"} for _ in body["queries"]]
    return 200, json.dumps({"results": results}).encode()


def unknowing(body: dict[str, Any]) -> tuple[int, bytes]:
    return 200, json.dumps({"results": [{} for _ in body["queries"]]}).encode()


@pytest.mark.parametrize(
    "respond",
    [
        always(500, b"{}"),
        always(403, b"<html>a proxy that filters</html>"),
        always(200, b"<html>a portal</html>"),
        always(200, b""),
        always(200, b"[]"),
        always(200, b"{}"),
        always(200, b'{"results": null}'),
        always(200, b'{"results": []}'),
        lambda body: (200, json.dumps({"results": [None] * len(body["queries"])}).encode()),
        endless,
        unknowing,
    ],
)
def test_a_broken_answer_is_never_clean(osv: Osv, respond: Respond) -> None:
    osv.respond = respond
    with pytest.raises(advisories.UnreadableError, match=re.escape(osv.url)):
        advisories.packages(osv.url, all_pins())


@pytest.fixture(scope="module")
def crates_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home for cargo with the crates of the real one, and a database of advisories of its own."""
    subprocess.run(["cargo", "fetch", "--locked"], cwd=PROJECT, check=True)
    home = tmp_path_factory.mktemp("cargo")
    (home / "registry").mkdir()
    for name in ("registry/cache", "registry/src", "registry/index", "config.toml"):
        (home / name).symlink_to(REAL_HOME / name)
    return home


def rustsec(folder: Path, package: str) -> Path:
    """A database with one advisory, on all versions of one crate."""
    advisory = folder / "crates" / package / "RUSTSEC-2099-0001.md"
    advisory.parent.mkdir(parents=True)
    advisory.write_text(
        f'```toml\n[advisory]\nid = "RUSTSEC-2099-0001"\npackage = "{package}"\n'
        'date = "2026-01-01"\n[versions]\npatched = []\n```\n\n# Planted\n\nBy a test.\n'
    )
    return committed(folder)


def cargo_environment(home: Path, database: Path) -> dict[str, str]:
    return {
        **without_make(),
        "CARGO_HOME": str(home),
        "CARGO_NET_OFFLINE": "true",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{database}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/RustSec/advisory-db",
    }


def audited(home: Path, database: Path, service: str, **variables: str) -> tuple[int, str]:
    """make's exit code, which is 2 for every failure, and what was printed, with the program's."""
    environment = {**cargo_environment(home, database), **variables}
    done = make("audit", f"OSV={service}", environment=environment)
    return done.returncode, done.stdout + done.stderr


def test_make_audit_passes_if_no_advisory_applies(
    tmp_path: Path, osv: Osv, crates_home: Path
) -> None:
    status, output = audited(crates_home, rustsec(tmp_path, "unused-crate"), osv.url)
    assert status == 0, output


@pytest.mark.parametrize("on", ["a crate", "a package"])
def test_make_audit_fails_on_an_advisory(
    tmp_path: Path, osv: Osv, crates_home: Path, on: str
) -> None:
    """An advisory is reported and decides, although the other database cannot be read."""
    if on == "a crate":
        osv.respond = always(500, b"")
        database = rustsec(tmp_path, "tokio")
    else:
        osv.answers["npm", "swagger-ui-dist", npm_version("swagger-ui-dist")] = ["PLANTED-1"]
        database = tmp_path / "missing"
    status, output = audited(crates_home, database, osv.url)
    assert status != 0
    assert f"Error {advisories.ADVISORY}\n" in output
    assert ("RUSTSEC-2099-0001" if on == "a crate" else "PLANTED-1") in output
    assert "not audited: " in output


def npm_version(name: str) -> str:
    (pin,) = (pin for pin in all_pins() if pin.ecosystem == "npm" and pin.name == name)
    return pin.version


def test_a_yanked_crate_is_found(tmp_path: Path, crates_home: Path) -> None:
    """By the command of advisories.py; the crate is marked as yanked in a copy of the index."""
    lock = (PROJECT / "Cargo.lock").read_text()
    (version,) = re.findall(r'name = "slab"\nversion = "(.*)"', lock)
    using = crate(tmp_path / "using", "using", f'slab = "={version}"')
    shutil.copy(PROJECT / "deny.toml", using)
    environment = cargo_environment(crates_home, rustsec(tmp_path / "db", "unused-crate"))

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=using, env=environment, capture_output=True, text=True, check=False
        )

    assert run("cargo", "generate-lockfile").returncode == 0
    assert run(*advisories.CRATES["RustSec's database"]).returncode == 0
    assert run(*advisories.CHECK_CRATES).returncode == 0
    index = crates_home / "registry" / "index"
    index.unlink()
    try:
        shutil.copytree(REAL_HOME / "registry" / "index", index)
        (cached,) = index.glob("*/.cache/sl/ab/slab")
        # Of the same length, since the file is binary.
        entry = rf'("vers": ?"{version}"[^\0]*"yanked": ?)false'.encode()
        yanked, times = re.subn(entry, rb"\1true ", cached.read_bytes())
        assert times == 1
        cached.write_bytes(yanked)
        done = run(*advisories.CHECK_CRATES)
    finally:
        shutil.rmtree(index)
        index.symlink_to(REAL_HOME / "registry" / "index")
    assert done.returncode != 0
    assert "error[yanked]" in done.stderr


@pytest.mark.parametrize("unreadable", ["RustSec's database", "crates.io's index", "127.0.0.1"])
def test_make_audit_fails_apart_if_a_database_is_unreadable(
    tmp_path: Path, osv: Osv, crates_home: Path, unreadable: str
) -> None:
    with socket.socket() as closed:
        # Bound and not listening: connections are refused.
        closed.bind(("127.0.0.1", 0))
        refused = f"http://127.0.0.1:{closed.getsockname()[1]}"
        database = rustsec(tmp_path, "unused-crate")
        service, variables = osv.url, {}
        if unreadable == "RustSec's database":
            database = tmp_path / "missing"
        elif unreadable == "crates.io's index":
            variables = {
                "CARGO_NET_OFFLINE": "false",
                "CARGO_NET_RETRY": "0",
                "CARGO_HTTP_PROXY": refused,
            }
        else:
            service = refused
        status, output = audited(crates_home, database, service, **variables)
    assert status != 0
    assert f"Error {advisories.UNREADABLE}\n" in output
    assert re.search(f"^not audited: .*{unreadable}.* could not be read", output, re.MULTILINE), (
        output
    )
    assert "an advisory applies" not in output
