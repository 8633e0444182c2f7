"""What the dependency yields."""

from datetime import datetime, timedelta, timezone
from typing import NoReturn

from fastapi_simple_security._core import VerifiedKey
from fastapi_simple_security._dependency.misuse import NotADependency

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class ApiKey(str, metaclass=NotADependency):
    """The key of an accepted request: a `str`, as it was sent, that knows what it is.

    `repr` shows the id and never the key, so that a key does not end in a log by mistake.
    """

    __slots__ = ("_verified",)
    _instead = "write `Depends(api_key_security)`, which returns an ApiKey"
    _verified: VerifiedKey

    def __new__(cls, *_arguments: object) -> "ApiKey":
        """Only the engine makes one, of a key that it has verified."""
        raise TypeError("an ApiKey is made by verifying a key, and in no other way")

    @property
    def id(self) -> str:
        """The public handle of the key: 11 letters and digits, safe to log."""
        return self._verified.id

    @property
    def name(self) -> str:
        """What people call the key; empty where it has no name."""
        return self._verified.name

    @property
    def owner(self) -> str:
        """Whose key it is; empty where it has no owner."""
        return self._verified.owner

    @property
    def expires_at(self) -> datetime | None:
        """From when on the key is refused, in UTC; `None` when it never expires."""
        seconds = self._verified.expires_at
        return None if seconds is None else _EPOCH + timedelta(seconds=seconds)

    def __repr__(self) -> str:
        """The id, for logs."""
        return f"ApiKey(id={self.id!r})"

    def __copy__(self) -> "ApiKey":
        """Returns itself: a plain `str` copy would show the key."""
        return self

    def __deepcopy__(self, _memo: object) -> "ApiKey":
        """Itself, as `copy.copy`."""
        return self

    def __reduce__(self) -> NoReturn:
        """Rejects pickling, which would store the key in plain text, as in a queue or a cache.

        Raises:
            TypeError: always; the text says what to pass on.
        """
        raise TypeError(
            "an ApiKey cannot be pickled, because that would store the key in plain text: "
            "pass on `key.id`, or `str(key)` if the other process needs the key itself"
        )
