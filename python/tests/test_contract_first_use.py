"""The contract of the first use: what the import does not do, and what the first call reads."""

import stat
from pathlib import Path
from typing import Any

SECRET = "FASTAPI_SIMPLE_SECURITY_SECRET"
DB_LOCATION = "FASTAPI_SIMPLE_SECURITY_DB_LOCATION"
KEY_PREFIX = "FASTAPI_SIMPLE_SECURITY_KEY_PREFIX"

TWO_LINES = """
import logging, sys
from fastapi import Depends, FastAPI
from fastapi_simple_security import api_key_router, api_key_security
app = FastAPI()
app.include_router(api_key_router, prefix="/auth")
@app.get("/secure", dependencies=[Depends(api_key_security)])
def secure(): pass
"""

NO_CONFIGURATION = (
    TWO_LINES
    + """
import os, re, warnings
warnings.simplefilter("ignore")
from fastapi.testclient import TestClient
os.dup2(os.open("stderr", os.O_CREAT | os.O_WRONLY | os.O_APPEND), 2)
with TestClient(app) as client:
    assert client.get("/secure").status_code == 403
    [line] = [line for line in open("stderr") if "FASTAPI_SIMPLE_SECURITY_SECRET" in line]
    [secret] = re.findall(r"[0-9A-Za-z]{43}", line)
    assert client.get("/auth/new", headers={"secret-key": "guess"}).status_code == 403
    key = client.get("/auth/new", headers={"secret-key": secret}).json()
    assert client.get("/secure", headers={"api-key": key}).status_code == 200
print(secret)
"""
)

IMPORT_ALONE = (
    TWO_LINES
    + """
import os, threading
assert threading.active_count() == 1
if os.path.isdir("/proc/self/task"):
    assert len(os.listdir("/proc/self/task")) == 1
app.openapi()
print(os.listdir("."))
"""
)

DOTENV_AFTER_THE_IMPORT = (
    TWO_LINES
    + """
from dotenv import load_dotenv
assert load_dotenv(sys.argv[1])
import warnings
warnings.simplefilter("ignore")
from fastapi.testclient import TestClient
client = TestClient(app)
key = client.get("/auth/new", headers={"secret-key": "secret-from-the-dotenv-file"}).json()
assert client.get("/secure", headers={"api-key": key}).status_code == 200
assert key.startswith("dotenv_")
print(key)
"""
)


def test_no_configuration(run_script: Any, tmp_path: Path) -> None:
    """`sqlite.db` in the working directory, for its owner alone; the secret printed once."""
    finished = run_script(NO_CONFIGURATION)
    secret = finished.stdout.strip()
    assert secret, finished.stderr
    database = tmp_path / "sqlite.db"
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    assert (tmp_path / "stderr").read_text().count(secret) == 1
    assert secret.encode() not in database.read_bytes()


def test_the_import_opens_nothing_and_starts_no_thread(run_script: Any) -> None:
    finished = run_script(IMPORT_ALONE)
    assert finished.stdout == "[]\n", finished.stderr
    assert finished.stderr == ""


def test_settings_are_read_at_first_use(
    run_script: Any, tmp_path: Path, database: Path, canaries: set[str]
) -> None:
    """Apps call `load_dotenv()` after the import."""
    dotenv = tmp_path / "settings.env"
    dotenv.write_text(
        f"{SECRET}=secret-from-the-dotenv-file\n{DB_LOCATION}={database}\n{KEY_PREFIX}=dotenv\n"
    )
    finished = run_script(DOTENV_AFTER_THE_IMPORT, str(dotenv))
    assert finished.stdout.startswith("dotenv_"), finished.stderr
    canaries.update({"secret-from-the-dotenv-file", finished.stdout.strip()})
    assert database.exists()
