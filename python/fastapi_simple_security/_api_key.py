"""What the dependency yields."""

from datetime import datetime, timedelta, timezone

from fastapi_simple_security._core import VerifiedKey

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class ApiKey(str):
    """The key of a request that was let in: a `str`, as it was sent, that knows what it is.

    `repr` shows the id and never the key, so that a key does not end in a log by mistake.
    """

    __slots__ = ("_verified",)
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
    def expires_at(self) -> datetime | None:
        """From when on the key is refused, in UTC; `None` when it never expires."""
        seconds = self._verified.expires_at
        return None if seconds is None else _EPOCH + timedelta(seconds=seconds)

    def __repr__(self) -> str:
        """The id, for logs."""
        return f"ApiKey(id={self.id!r})"

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        """Copied or pickled it is a plain `str`: only the engine makes an `ApiKey`."""
        return str, (str(self),)
