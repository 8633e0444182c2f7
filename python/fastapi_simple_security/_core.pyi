"""The engine, written in Rust. Importing it opens nothing and starts no thread."""

from collections.abc import Callable, Collection, MutableMapping
from typing import Any, final

from fastapi_simple_security._api_key import ApiKey

__all__ = [
    "CURSOR_PATTERN",
    "AdminRequest",
    "AdminResponse",
    "Change",
    "Engine",
    "KeyDetails",
    "Keys",
    "LogThrottle",
    "Question",
    "Refusal",
    "VerifiedKey",
    "__version__",
    "after_fork_in_child",
    "after_fork_in_parent",
    "before_fork",
    "hide_docs",
    "main",
    "openapi",
    "parameters",
    "parse_timestamp",
    "settings",
]

__version__: str

#: The regular expression of a cursor, as JSON Schema has it.
CURSOR_PATTERN: str

#: One request to the resource API. `path` is decoded, without the prefix of the app.
@final
class AdminRequest:
    def __new__(
        cls,
        engine: Engine,
        method: str,
        path: bytes,
        query: bytes,
        headers: list[tuple[bytes, bytes]],
        client: str,
    ) -> AdminRequest: ...
    #: `None`: more of the body is needed. It may take long, and is for a thread of its own.
    def run(self) -> AdminResponse | None: ...
    def feed(self, part: bytes, more: bool) -> None: ...
    def disconnect(self) -> None: ...

@final
class AdminResponse:
    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> list[tuple[bytes, bytes]]: ...
    @property
    def body(self) -> bytes: ...
    #: How many seconds to wait before it is sent.
    @property
    def wait(self) -> float: ...
    #: 503 with this detail for the client.
    @staticmethod
    def unavailable(detail: str) -> AdminResponse: ...

#: The OpenAPI document of the resource API, as JSON.
def openapi() -> str: ...

#: Opening the store raises ConfigurationError, StoreUnavailable or SystemFailure; verifying a key
#: raises StoreUnavailable. The classes are in `_errors`.
@final
class Engine:
    def __new__(
        cls,
        announce: Callable[[str], object],
        kind: type[ApiKey],
        *,
        secret: str | None = None,
        db_location: str | None = None,
        automatic_expiration: str | None = None,
        key_prefix: str | None = None,
        refusal_status: str | None = None,
        key_headers: Collection[str] | None = None,
    ) -> Engine: ...
    @property
    def is_open(self) -> bool: ...
    @property
    def refusal_status(self) -> int: ...
    @property
    def key_headers(self) -> list[str]: ...
    def open(self) -> None: ...
    def close(self) -> None: ...
    @property
    def mark(self) -> str: ...
    # A scope is a `dict`, as ASGI has it; Starlette's type says less.
    def verify(self, scope: MutableMapping[str, Any]) -> ApiKey | Refusal | Question | None: ...
    def admit(self, scope: MutableMapping[str, Any]) -> ApiKey | Refusal | Question | None: ...
    def let_in(self, scope: MutableMapping[str, Any], key: ApiKey) -> None: ...
    def check_admin(self, headers: list[tuple[bytes, bytes]]) -> Refusal | None: ...

#: A verb opens the store if it is not open. It raises InvalidInput, KeyNotFound, KeyExists and the
#: errors of opening, and UnicodeError for half a surrogate pair. After StoreUnavailable it is not
#: known whether the change was made; after any other error, nothing was changed.
@final
class Keys:
    def __new__(cls, engine: Engine) -> Keys: ...
    def issue(
        self,
        name: str,
        *,
        owner: str = "",
        expires_at: int | None = None,
        never_expires: bool = False,
        key: str | None = None,
    ) -> Change: ...
    def find(self, key_id: str) -> KeyDetails: ...
    def page(
        self,
        limit: int,
        *,
        cursor: str | None = None,
        state: str | None = None,
        name: str | None = None,
        owner: str | None = None,
    ) -> tuple[list[KeyDetails], str | None]: ...
    def edit(
        self,
        key_id: str,
        *,
        name: str | None = None,
        owner: str | None = None,
        expires_at: int | None = None,
        never_expires: bool = False,
    ) -> Change: ...
    def revoke(self, key_id: str) -> Change: ...
    def renew(
        self, key_id: str, *, expires_at: int | None = None, never_expires: bool = False
    ) -> Change: ...
    def delete(self, key_id: str) -> Change: ...
    def revoke_named(self, key: str) -> Change: ...
    def renew_named(self, key: str, expires_at: int | None) -> Change: ...
    def logs(self) -> list[KeyDetails]: ...

#: What is known of a key. Times are in Unix seconds.
@final
class KeyDetails:
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def created_at(self) -> int: ...
    #: `None`: it never expires.
    @property
    def expires_at(self) -> int | None: ...
    #: The date that the routes of 1.x show, for a key that never expires too.
    @property
    def expiration_date(self) -> int: ...
    @property
    def revoked_at(self) -> int | None: ...
    @property
    def total(self) -> int: ...
    @property
    def last_used_at(self) -> int | None: ...

#: A change that is committed.
@final
class Change:
    #: The id of the key.
    @property
    def id(self) -> str: ...
    #: The key as it is now; `None` where it was deleted, or is not asked for.
    @property
    def key(self) -> KeyDetails | None: ...
    #: The key in plain text, where it was issued.
    @property
    def plain_key(self) -> str | None: ...
    #: The date that the routes of 1.x show, where the key was renewed.
    @property
    def expiration_date(self) -> int | None: ...
    #: Whether it was revoked before, where it was renewed.
    @property
    def was_revoked(self) -> bool: ...
    #: The instant from which the change holds everywhere, in RFC 3339.
    @property
    def effective_by(self) -> str: ...
    #: How many seconds that is from now.
    @property
    def remaining(self) -> float: ...

@final
class VerifiedKey:
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def expires_at(self) -> int | None: ...

#: What only a store on the network can answer. `ask` waits for it: it is not for the event loop.
@final
class Question:
    def ask(self) -> ApiKey | Refusal: ...

@final
class Refusal:
    NotPresented: Refusal
    Repeated: Refusal
    Denied: Refusal
    def __int__(self) -> int: ...
    def __hash__(self) -> int: ...

#: Limits a log line to one per second: `record` returns how many events to report, if now.
@final
class LogThrottle:
    def __new__(cls) -> LogThrottle: ...
    def record(self) -> int | None: ...

def hide_docs() -> bool: ...
def main(arguments: list[str]) -> int: ...
def parameters() -> list[tuple[str, str, str]]: ...
def parse_timestamp(text: str) -> int: ...
def settings() -> list[tuple[str | None, str | None, str | None, str, str, str]]: ...
def before_fork() -> None: ...
def after_fork_in_parent() -> None: ...
def after_fork_in_child() -> None: ...
