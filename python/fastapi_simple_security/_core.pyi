"""The engine, written in Rust. Importing it opens nothing and starts no thread."""

from collections.abc import Callable, MutableMapping
from typing import Any, TypeAlias, TypeVar, final

from fastapi_simple_security._api_key import ApiKey

__all__ = [
    "CURSOR_PATTERN",
    "Engine",
    "Keys",
    "Question",
    "Refusal",
    "Seldom",
    "VerifiedKey",
    "__version__",
    "after_fork_in_child",
    "after_fork_in_parent",
    "before_fork",
    "hide_docs",
    "main",
    "parameters",
    "settings",
]

__version__: str

#: The regular expression of a cursor, as JSON Schema has it.
CURSOR_PATTERN: str

#: Id, name, state, created, expires (or never), revoked, total, last used. Times in Unix seconds.
_Details: TypeAlias = tuple[str, str, str, int, int | None, int | None, int, int | None]

_Outcome = TypeVar("_Outcome")

#: What was done, from when on it holds everywhere, and in how many seconds that is.
_Changed: TypeAlias = tuple[_Outcome, str, float]

#: Id, name, created, expires, never expires, revoked, total, last used. Times in Unix seconds.
_LogRow: TypeAlias = tuple[str, str, int, int, bool, int | None, int, int | None]

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
    ) -> Engine: ...
    @property
    def is_open(self) -> bool: ...
    @property
    def refusal_status(self) -> int: ...
    def open(self) -> None: ...
    def close(self) -> None: ...
    @property
    def mark(self) -> str: ...
    # A scope is a `dict`, as ASGI has it; Starlette's type says less.
    def verify(self, scope: MutableMapping[str, Any]) -> ApiKey | Refusal | Question | None: ...
    def admit(self, scope: MutableMapping[str, Any]) -> ApiKey | Refusal | Question | None: ...
    def let_in(self, scope: MutableMapping[str, Any], key: ApiKey) -> None: ...
    def check_admin(self, headers: list[tuple[bytes, bytes]]) -> Refusal | None: ...

@final
class Keys:
    def __new__(cls, engine: Engine) -> Keys: ...
    def issue(
        self,
        name: str,
        *,
        expires_at: int | None = None,
        never_expires: bool = False,
        key: str | None = None,
    ) -> _Changed[tuple[_Details, str | None]]: ...
    def find(self, key_id: str) -> _Details: ...
    def page(
        self,
        limit: int,
        *,
        cursor: str | None = None,
        state: str | None = None,
        name: str | None = None,
    ) -> tuple[list[_Details], str | None]: ...
    def edit(
        self,
        key_id: str,
        *,
        name: str | None = None,
        expires_at: int | None = None,
        never_expires: bool | None = None,
    ) -> _Changed[_Details]: ...
    def revoke(self, key_id: str) -> _Changed[_Details]: ...
    def renew(
        self, key_id: str, *, expires_at: int | None = None, never_expires: bool | None = None
    ) -> _Changed[_Details]: ...
    def delete(self, key_id: str) -> _Changed[None]: ...
    def revoke_named(self, key: str) -> _Changed[str]: ...
    def renew_named(self, key: str, expires_at: int | None) -> _Changed[tuple[int, bool, str]]: ...
    def logs(self) -> list[_LogRow]: ...

@final
class VerifiedKey:
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
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

#: Says at most once a second that something has happened, with how often since it was said last.
@final
class Seldom:
    def __new__(cls) -> Seldom: ...
    def happened(self) -> int | None: ...

def hide_docs() -> bool: ...
def main(arguments: list[str]) -> int: ...
def parameters() -> list[tuple[str, str, str]]: ...
def settings() -> list[tuple[str | None, str | None, str | None, str, str, str]]: ...
def before_fork() -> None: ...
def after_fork_in_parent() -> None: ...
def after_fork_in_child() -> None: ...
