"""The program that comes with the package: the same as the Rust one, on the database of an app."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import servers
from clients import key_id
from old_package import OldRow, write_old_file
from program import PROGRAM

SECRET = "secret-of-the-command-line-test"
# What differs from run to run.
VARYING = [
    (re.compile(r"fss_\w{11}_\w{39}"), "KEY"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "DATE"),
    (re.compile(r"(?<=\"id\":\")\w{11}|(?<=the key )\w{11}"), "ID"),
    (re.compile(r"[0-9a-f]{64}"), "DIGEST"),
]


# Runs the program as installed, by the function that its script calls, once for each line of its
# input. Each run is a process of its own, a fork: so all of them together import FastAPI once.
RUNS = """
import json, os, signal, sys
from fastapi_simple_security._command_line import main
for line in sys.stdin:
    run = json.loads(line)
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        os.chdir(run["directory"])
        os.environ.clear()
        os.environ.update(run["environment"])
        for number, path in enumerate(run["files"]):
            os.dup2(os.open(path, os.O_RDWR), number)
        sys.argv[1:] = run["arguments"]
        main()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""

Program = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    directory = tmp_path_factory.mktemp("program")
    files = [directory / name for name in ("input", "output", "errors")]
    command = [sys.executable, "-W", "error", "-c", RUNS]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        to_process, from_process = process.stdin, process.stdout

        def run(
            database: Path, *arguments: str, text: str = "", **settings: str
        ) -> subprocess.CompletedProcess[str]:
            for file, written in zip(files, (text, "", ""), strict=True):
                file.write_text(written)
            order = {
                "arguments": arguments,
                "directory": str(database.parent),
                "environment": servers.environment(database, None, **settings),
                "files": list(map(str, files)),
            }
            print(json.dumps(order), file=to_process, flush=True)
            code = int(from_process.readline())
            _, output, errors = (file.read_text() for file in files)
            return subprocess.CompletedProcess(list(arguments), code, output, errors)

        yield run


def general(text: str) -> str:
    for pattern, name in VARYING:
        text = pattern.sub(name, text)
    return text


def test_a_running_app_knows_at_once(database: Path, canaries: set[str], program: Program) -> None:
    with servers.uvicorn(database, secret=SECRET) as server:
        admin, connection = server.admin(SECRET, canaries), server.connect()
        key = admin.new()
        assert connection.secure(key).status == 200
        for _ in range(5):
            revoked = program(database, "keys", "revoke", key_id(key))
            assert (revoked.returncode, revoked.stdout) == (0, f"revoked {key_id(key)}\n")
            assert connection.secure(key).status == 403
            assert program(database, "keys", "renew", key_id(key)).returncode == 0
            assert connection.secure(key).status == 200
        issued = program(database, "keys", "issue", "--name", "shell").stdout.strip()
        canaries.add(issued)
        assert connection.secure(issued).status == 200
        own = "an-imported-key-of-32-characters"
        assert connection.secure(own).status == 403
        imported = program(database, "keys", "import", "-", "--yes", text=f"key\n{own}\n")
        assert imported.stdout == "imported 1 keys, skipped 0\n"
        canaries.add(own)
        assert connection.secure(own).status == 200
        assert program(database, "keys", "delete", "-", "--yes", text=own).returncode == 0
        assert connection.secure(own).status == 403


def test_both_programs_do_the_same(database: Path, canaries: set[str], program: Program) -> None:
    """The same commands on a database each: all but the names of the programs is the same."""
    theirs = database.with_name("other.db")
    old = database.with_name("old.db")
    # Not searched for at the end: the old file has its keys in plain text.
    write_old_file(old, [OldRow("short-key-0")])
    key = program(database, "keys", "issue", "--name", "=first").stdout.strip()
    canaries.add(key)
    line = program(database, "keys", "export").stdout
    by_rust = {"SIMPLE_SECURITY_DB_LOCATION": str(theirs)}
    subprocess.run([PROGRAM, "keys", "import", "-", "--yes"], input=line, env=by_rust, text=True)
    identity = key_id(key)
    for arguments, text in [
        (["--version"], ""),
        (["keys", "--help"], ""),
        (["keys", "import", "--help"], ""),
        (["init", "--help"], ""),
        (["init", "--db-location", "redis://host/0?max_staleness=0"], ""),
        (["copy", "--help"], ""),
        (["copy", "nowhere.db", "new.db"], ""),
        (["keys", "list"], ""),
        (["keys", "show", identity], ""),
        (["keys", "show", "-", "--json"], key),
        (["keys", "show", key], ""),
        (["keys", "revoke", identity, "00000000000"], ""),
        (["keys", "list", "--json"], ""),
        (["keys", "renew", identity, "--expires-at", "2222-01-31T12:00:00Z"], ""),
        (["keys", "export", "--format", "csv"], ""),
        (["keys", "import", "-", "--yes"], line),
        (["keys", "import", "-"], "key\nshort\n"),
        (["keys", "import", str(old)], ""),
        (["keys", "issue", "--json"], ""),
        (["keys", "issue", "--name", "\u202e"], ""),
        (["keys", "list", "--automatic-expiration", "soon"], ""),
        (["keys", "lost"], ""),
        (["keys", "delete", identity, "--yes"], ""),
    ]:
        ours = program(database, *arguments, text=text)
        rust = subprocess.run(
            [PROGRAM, *arguments],
            input=text,
            cwd=database.parent,
            env=by_rust,
            capture_output=True,
            text=True,
            check=False,
        )
        expected = [
            general(said)
            .replace("FASTAPI_SIMPLE_SECURITY", "SIMPLE_SECURITY")
            .replace("fastapi-simple-security", "simple-security")
            for said in (ours.stdout, ours.stderr)
        ]
        assert [general(rust.stdout), general(rust.stderr)] == expected, arguments
        assert ours.returncode == rust.returncode, arguments
        if "--json" in arguments and "issue" in arguments:
            canaries.update(json.loads(made.stdout)["key"] for made in (ours, rust))
    old.unlink()


def test_a_store_is_made_and_copied(database: Path, canaries: set[str], program: Program) -> None:
    made = program(database, "init")
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.startswith(f"made {database}; a change of a key holds at once ")
    canaries.add(program(database, "keys", "issue").stdout.strip())
    copied = program(database, "copy", str(database), "copy.db")
    assert (copied.returncode, copied.stderr) == (0, "")
    copy = database.with_name("copy.db")
    assert program(copy, "keys", "export").stdout == program(database, "keys", "export").stdout


def test_settings_are_those_of_the_package(database: Path, program: Program) -> None:
    wrong = program(database, "keys", "list", FAST_API_SIMPLE_SECURITY_AUTOMATIC_EXPIRATION="soon")
    assert wrong.returncode == 2
    assert wrong.stderr == (
        "error: FAST_API_SIMPLE_SECURITY_AUTOMATIC_EXPIRATION: "
        '"soon" is not a number of days from 1 to 36500\n'
    )
    # The program does not use it; the app would not start.
    for command in (("keys", "list"), ("init",)):
        wrong = program(database, *command, FASTAPI_SIMPLE_SECURITY_REFUSAL_STATUS="404")
        assert (wrong.returncode, wrong.stderr) == (
            2,
            'error: FASTAPI_SIMPLE_SECURITY_REFUSAL_STATUS: "404" is neither 403 nor 401\n',
        )
    other = program(database, "keys", "list", SIMPLE_SECURITY_AUTOMATIC_EXPIRATION="soon")
    assert other.returncode == 1
    assert f"FASTAPI_SIMPLE_SECURITY_DB_LOCATION: {database} does not exist" in other.stderr
    assert not database.exists()


def test_a_closed_pipe_is_no_traceback(
    database: Path, canaries: set[str], program: Program
) -> None:
    rows = "".join(f'{{"sha256":"{number:064x}"}}\n' for number in range(3000))
    assert program(database, "keys", "import", "-", "--yes", text=rows).returncode == 0
    source = "from fastapi_simple_security._command_line import main; main()"
    head = subprocess.run(
        [
            "bash",
            "-c",
            f'set -o pipefail; "{sys.executable}" -c "{source}" keys list --all | head -1',
        ],
        env=servers.environment(database, None),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (head.returncode, head.stderr) == (0, "")
    assert head.stdout.startswith("ID ")


def test_control_c_ends_it_and_leaves_nothing(database: Path, program: Program) -> None:
    file = database.with_name("keys.csv")
    with file.open("w") as rows:
        rows.write("sha256\n")
        rows.writelines(f"{number:064x}\n" for number in range(200_000))
    source = "from fastapi_simple_security._command_line import main; main()"
    command = [sys.executable, "-c", source, "keys", "import", str(file), "--yes", "--progress"]
    with subprocess.Popen(
        command,
        env=servers.environment(database, None),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("written"):
                break
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        code = process.wait(30)
        seconds = time.monotonic() - started
    assert code == -signal.SIGINT
    assert seconds < 5
    assert program(database, "keys", "list").stdout.count("\n") == 1
