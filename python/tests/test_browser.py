"""Authorize in /docs, used in a real browser."""

import json
import subprocess
from pathlib import Path

import servers

BROWSER = Path(__file__).with_name("browser")
SECRET = "secret-of-the-browser-test"


def test_authorize_in_the_docs(database: Path, canaries: set[str]) -> None:
    canaries.add(SECRET)
    with servers.uvicorn(database, secret=SECRET) as server:
        story = subprocess.run(
            ["node", str(BROWSER / "authorize.mjs"), server.url, SECRET],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert story.returncode == 0, story.stderr
    told = json.loads(story.stdout)
    canaries.update(told["keys"])

    assert sorted(told["schemes"]) == ["API key header", "API key query", "Secret header"]
    assert told["steps"] == [
        ["/auth/new", 403],
        # with the secret
        ["/auth/new", 200],
        ["/auth/new", 200],
        ["/secure", 403],
        # with the first key in the header
        ["/secure", 200],
        ["/auth/revoke", 200],
        ["/secure", 403],
        # with the second key in the query
        ["/secure", 200],
        ["/auth/revoke", 200],
        ["/secure", 403],
    ]
    assert told["url"] == f"{server.url}/secure?api-key={told['keys'][1]}"
