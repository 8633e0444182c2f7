"""Breaks the engine, one rule at a time, and expects a test to fail each time.

A test that passes all the same says nothing about the rule. `make mutations` runs this, on a copy
of the source in `target/mutations`. Words after the command choose the rules that contain them.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from rules import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parents[4]
TARGET = ROOT / "target"
COPY = TARGET / "mutations"
# The folder has another name than in the original, so that cargo tells the two crates apart. Both
# are built in one place, where they share what they depend on.
CRATES = COPY / "mutated"
# Seconds: enough for a first build on a busy machine. A test that never ends has not failed.
PATIENCE = 600


class Binary(NamedTuple):
    """Tests that are built together, as the Makefile builds them."""

    arguments: list[str]
    flags: str
    build: Path


BINARIES = {
    "lease_model": Binary(
        ["--profile=model", "--no-default-features"], "--cfg loom_model", TARGET / "model"
    ),
    "engine": Binary(["--all-features"], "", TARGET),
}


def main() -> int:
    """Tries the mutations; 1 when one of them was not noticed."""
    words = " ".join(sys.argv[1:])
    chosen = [mutation for mutation in MUTATIONS if words in mutation.rule]
    copy_workspace()
    for binary in sorted({mutation.binary for mutation in chosen}):
        built = run(binary, "--no-run")
        if built.returncode != 0:
            print(built.stdout)
            return 1
    failures = 0
    for mutation in chosen:
        started = time.monotonic()
        problem, detail = try_out(mutation)
        failures += problem is not None
        seconds = time.monotonic() - started
        print(f"{problem or 'noticed':12} {seconds:4.0f} s  {mutation.rule} ({detail})", flush=True)
    print(f"{len(chosen) - failures} of {len(chosen)} mutations were noticed")
    return int(failures > 0 or not chosen)


def copy_workspace() -> None:
    """Copies what cargo needs to see."""
    shutil.rmtree(COPY, ignore_errors=True)
    shutil.copytree(ROOT / "crates", CRATES, ignore=shutil.ignore_patterns("target", "__pycache__"))
    shutil.copytree(ROOT / "python" / "src", COPY / "python" / "src")
    for name in ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "python/Cargo.toml"]:
        text = (ROOT / name).read_text()
        (COPY / name).write_text(text.replace("crates/", f"{CRATES.name}/"))


def try_out(mutation: Mutation) -> tuple[str | None, str]:
    """What went wrong, if anything did, and more about it."""
    file = CRATES / "simple-security" / "src" / mutation.file
    original = file.read_text()
    mutated = original
    for old, new in mutation.edits:
        if original.count(old) != 1:
            return "NOT FOUND", f"{original.count(old)} times in {mutation.file}: {old}"
        mutated = mutated.replace(old, new)
    try:
        file.write_text(mutated)
        built = run(mutation.binary, "--no-run")
        if built.returncode != 0:
            return "NOT BUILT", built.stdout
        return judge(mutation, run(mutation.binary, "--", "--exact", mutation.test))
    except subprocess.TimeoutExpired:
        return "NO END", mutation.test
    finally:
        file.write_text(original)


def judge(mutation: Mutation, tested: subprocess.CompletedProcess[str]) -> tuple[str | None, str]:
    """A failure counts when the test itself has found it, and not when loom gave up."""
    if tested.returncode == 0 or "running 1 test\n" not in tested.stdout:
        return "NOT NOTICED", mutation.test
    failed = rf"panicked at [^\n]*{mutation.binary}/(\w+\.rs:\d+)"
    found = re.search(r"(deadlock); threads" if mutation.hangs else failed, tested.stdout)
    if found is None:
        return "UNCLEAR", tested.stdout
    return None, f"{mutation.test}, {found[1]}"


def run(binary: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Builds and runs tests."""
    options, flags, build = BINARIES[binary]
    command = ["cargo", "test", "--package=simple-security", f"--test={binary}", *options]
    environment = os.environ | {"RUSTFLAGS": flags}
    # Whoever sets it has both built there.
    environment.setdefault("CARGO_TARGET_DIR", str(build))
    return subprocess.run(  # noqa: S603, all of it is written here
        [*command, *arguments],
        cwd=COPY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


if __name__ == "__main__":
    sys.exit(main())
