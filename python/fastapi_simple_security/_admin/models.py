"""What the resource API reads and answers. `docs/openapi.json` describes it for all faces."""

from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from fastapi_simple_security._core import Change, parse_timestamp
from fastapi_simple_security._core import KeyDetails as Stored
from fastapi_simple_security._legacy import dates
from fastapi_simple_security._legacy.router import VISIBLE

KeyState = Literal["active", "expired", "revoked"]

_DATE_TIME = {"type": "string", "format": "date-time"}

# As it is written in answers.
DateTime = Annotated[str, WithJsonSchema(_DATE_TIME)]


def _read(value: object) -> int:
    # A value of another type is reported as a text of another form is.
    return parse_timestamp(value if isinstance(value, str) else "")


# As it is read from requests: text outside, Unix seconds inside.
_Expiry = Annotated[int, BeforeValidator(_read), WithJsonSchema(_DATE_TIME)]


def _expires_at(without: str) -> Any:
    # By a factory, so that the documentation does not show `null` as what counts without it.
    description = f"From when on it is refused. `null`: never. Without it: {without}."
    return Field(
        default_factory=lambda: None,
        description=description,
        examples=["2030-01-31T12:00:00Z"],
    )


def _name(default: Any) -> Any:
    return Field(
        default_factory=lambda: default,
        max_length=200,
        pattern=VISIBLE,
        description="What people call it; none of it is invisible.",
        examples=["shop"],
    )


def _owner(description: str) -> Any:
    return Field(
        default_factory=lambda: None,
        max_length=200,
        pattern=VISIBLE,
        description=description,
        examples=["acme"],
    )


class _Request(BaseModel):
    """A body. What it may not have is refused: a mistyped member would be left out in silence."""

    model_config = ConfigDict(extra="forbid")

    expires_at: _Expiry | None

    def expiry(self) -> dict[str, Any]:
        """When the key expires, as the engine is asked for it: nothing, never, or a date."""
        if "expires_at" not in self.model_fields_set:
            return {}
        if self.expires_at is None:
            return {"never_expires": True}
        return {"expires_at": self.expires_at}


class NewKey(_Request):
    """A key that is to be made."""

    name: str = _name("")
    owner: str | None = _owner(
        "Whose key it is: an id from your own tables, such as that of a customer. `null` or empty:"
        " no owner."
    )
    expires_at: _Expiry | None = _expires_at("the days that the settings say, from now")
    key: str | None = Field(
        default=None,
        min_length=32,
        max_length=255,
        pattern=r"^[\x21-\x7e]*$",
        description="A key of your own, to be taken in instead of making one: visible ASCII that "
        "does not start as the keys of this service do. It must be random: a guessable one can be "
        "found from a stolen database.",
    )


class KeyEdit(_Request):
    """What is to be changed of a key. What is left out stays as it is."""

    name: str = _name(None)
    owner: str | None = _owner("Whose key it is. `null` or empty: no owner. Without it: as before.")
    expires_at: _Expiry | None = _expires_at("as before")


class KeyRenewal(_Request):
    """Until when a key is to be good."""

    expires_at: _Expiry | None = _expires_at(
        "the days that the settings say, from now; a key that never expires stays so"
    )


class KeyUsage(BaseModel):
    """How often a key was let in."""

    total: int = Field(examples=[42])
    last_used_at: DateTime | None = Field(examples=["2026-11-24T12:00:00Z"])


class KeyDetails(BaseModel):
    """All that is known of a key. The key itself is not."""

    id: str = Field(description="Safe to show.", examples=["Gh29RPWKBo4"])
    name: str = Field(description="Empty where it has none.", examples=["shop"])
    owner: str = Field(description="Empty where it has no owner.", examples=["acme"])
    state: KeyState
    created_at: DateTime = Field(examples=["2026-11-24T12:00:00Z"])
    expires_at: DateTime | None = Field(
        description="`null`: never.", examples=["2026-12-09T12:00:00Z"]
    )
    revoked_at: DateTime | None = Field(description="`null`: it is not.", examples=[None])
    usage: KeyUsage


class ChangedKey(KeyDetails):
    """A key that was changed."""

    effective_by: DateTime = Field(
        description="No request that begins after it is decided by what was before.",
        examples=["2026-11-24T12:00:00.250Z"],
    )


class IssuedKey(ChangedKey):
    """A key that was made."""

    key: str | None = Field(
        description="The key, shown this once. `null` where you brought your own.",
        examples=["fss_Gh29RPWKBo4_lVZzIRe3yD2iS8cJZFsMuWGRnCtAAWHto2SO8rC"],
    )


class DeletedKey(BaseModel):
    """A key that is gone."""

    id: str = Field(examples=["Gh29RPWKBo4"])
    effective_by: DateTime = Field(
        description="No request that begins after it is let in with the key.",
        examples=["2026-11-24T12:00:00.250Z"],
    )


class KeyPage(BaseModel):
    """Some keys, the newest first."""

    keys: list[KeyDetails]
    next: str | None = Field(
        description="The `cursor` of the next page; `null`: this is the last one.",
        examples=["1795435200.Gh29RPWKBo4"],
    )


def details(key: Stored) -> dict[str, Any]:
    """The members of `KeyDetails`."""
    return {
        "id": key.id,
        "name": key.name,
        "owner": key.owner,
        "state": key.state,
        "created_at": _show(key.created_at),
        "expires_at": _show(key.expires_at),
        "revoked_at": _show(key.revoked_at),
        "usage": {"total": key.total, "last_used_at": _show(key.last_used_at)},
    }


def changed(change: Change) -> dict[str, Any]:
    """The members of `ChangedKey`."""
    # Only the change of a key that is gone has none.
    key = cast(Stored, change.key)
    return {**details(key), "effective_by": change.effective_by}


def _show(seconds: int | None) -> str | None:
    return None if seconds is None else f"{dates.show(seconds)}Z"
