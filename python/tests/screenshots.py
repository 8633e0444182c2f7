"""Takes the pictures of the README from the running example, into docs/images."""

import subprocess
import tempfile
from pathlib import Path

import servers

SECRET = "TEST_SECRET"
SCRIPT = Path(__file__).parent / "browser" / "screenshots.mjs"
IMAGES = Path(__file__).parents[2] / "docs" / "images"


def take() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        database = Path(directory, "sqlite.db")
        # What `make run` serves, and where, since the pictures show the address.
        with servers.uvicorn(database, secret=SECRET, app="fastapi_app:app", port=8080):
            command = ["node", str(SCRIPT), "http://localhost:8080", SECRET, str(IMAGES)]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    take()
