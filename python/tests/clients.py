"""Clients of a running server: a connection that stays with one worker, and the admin routes."""

import http.client
import json
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def worker(self) -> int:
        """The process that answered: `served_app` names it in each answer."""
        return int(self.headers["worker"])


class Connection:
    """One kept-alive connection, and so one worker; not to be shared between threads."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def get(self, path: str, headers: dict[str, str] | None = None, **query: str) -> Answer:
        target = f"{path}?{urlencode(_hyphenated(query))}" if query else path
        return self.request("GET", target, headers)

    def request(
        self, method: str, target: str, headers: dict[str, str] | None = None, body: Any = None
    ) -> Answer:
        """A request, with a body of JSON unless it is `None`."""
        content = None if body is None else json.dumps(body)
        kind = {} if body is None else {"content-type": "application/json"}
        self._connection.request(method, target, content, {**kind, **(headers or {})})
        # uvicorn with workers sends head and body apart and leaves Nagle's algorithm on, so that
        # each answer would wait 40 ms for our delayed acknowledgement of its head.
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        response = self._connection.getresponse()
        text = response.read().decode()
        return Answer(response.status, {n.lower(): v for n, v in response.getheaders()}, text)

    def secure(self, key: str) -> Answer:
        return self.get("/secure", {"api-key": key})

    def close(self) -> None:
        self._connection.close()


class Admin:
    """The admin routes, asked over one connection; anything but 200 fails the test. The secret and
    every key issued become canaries, for which the leak search looks at the end."""

    def __init__(self, connection: Connection, secret: str, canaries: set[str]) -> None:
        self.connection = connection
        self._headers = {"secret-key": secret}
        self._canaries = canaries
        canaries.add(secret)

    def new(self) -> str:
        key = self._ask("new")
        assert isinstance(key, str)
        self._canaries.add(key)
        return key

    def revoke(self, key: str) -> None:
        self._ask("revoke", api_key=key)

    def renew(self, key: str) -> None:
        self._ask("renew", api_key=key)

    def totals(self) -> dict[str, int]:
        """The requests counted for each key id."""
        return {row["api_key"]: row["total_queries"] for row in self._ask("logs")["logs"]}

    def close(self) -> None:
        self.connection.close()

    def _ask(self, route: str, **query: str) -> Any:
        answer = self.connection.get(f"/auth/{route}", self._headers, **query)
        assert answer.status == 200, f"/auth/{route} was answered {answer.status} {answer.text}"
        return answer.json


class ResourceAdmin(Admin):
    """The same by the resource API, which every face has."""

    def new(self) -> str:
        key = self._send("POST", "", {})["key"]
        assert isinstance(key, str)
        self._canaries.add(key)
        return key

    def revoke(self, key: str) -> None:
        self._send("POST", f"/{key_id(key)}/revoke")

    def renew(self, key: str) -> None:
        self._send("POST", f"/{key_id(key)}/renew")

    def totals(self) -> dict[str, int]:
        page = self._send("GET", "?limit=1000")
        assert page["next"] is None
        return {key["id"]: key["usage"]["total"] for key in page["keys"]}

    def _send(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.connection.request(method, f"/auth/keys{path}", self._headers, body)
        assert answer.status < 300, f"{method} {path} was answered {answer.status} {answer.text}"
        return answer.json


def key_id(key: str) -> str:
    """The public part of a key, which /logs shows."""
    return key.split("_")[1]


def _hyphenated(query: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): text for name, text in query.items()}
