"""Dates of expiry, as the routes of 1.x read and show them."""

import re
from datetime import date, datetime, time, timedelta, timezone

_EPOCH = datetime(1970, 1, 1)

# What `datetime.fromisoformat` of Python 3.11 and later reads, on every version: that of 3.10
# reads much less. The separator between date and time may be any character.
_TIME = r"(\d\d)(?:(:?)(\d\d)(?:\{0}(\d\d)(?:[.,](\d+))?)?)?"
_ISO_8601 = re.compile(
    r"(\d{4})(?:-(\d\d)-(\d\d)|(\d\d)(\d\d)|-W(\d\d)(?:-(\d))?|W(\d\d)(\d)?)"
    r"(?:." + _TIME.format(11) + r"(?:(Z)|([+-])" + _TIME.format(18) + r")?)?",
    re.ASCII | re.DOTALL,
)


def parse_expiration_date(text: str) -> int:
    """Reads a date in ISO 8601, in UTC where it names no zone.

    Args:
        text: such as `2030-01-31`, `2030-01-31T12:00:00` or `2030-01-31T12:00:00+02:00`.

    Returns:
        Unix seconds; what is less than a second is cut off.

    Raises:
        ValueError: it is no date, or one before the year 1 or after 9999.
    """
    found = _ISO_8601.fullmatch(text)
    if found is None:
        raise ValueError(_UNREADABLE)
    try:
        moment = _moment(found.groups())
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{_UNREADABLE} ({error})") from error
    return (moment - _EPOCH) // timedelta(seconds=1)


def show(seconds: int) -> str:
    """Unix seconds as naive UTC in ISO 8601, such as `2030-01-31T12:00:00`."""
    return (_EPOCH + timedelta(seconds=seconds)).isoformat(timespec="seconds")


_UNREADABLE = (
    "The expiration date could not be parsed. Please use ISO 8601, such as 2030-01-31T12:00:00"
)


def _moment(parts: tuple[str | None, ...]) -> datetime:
    year, month, day, month_, day_, week, weekday, week_, weekday_ = parts[:9]
    hour, _, minute, second, fraction = parts[9:14]
    utc, sign, *offset = parts[14:]
    if week or week_:
        found_date = date.fromisocalendar(
            int(year or 0), int(week or week_ or 0), int(weekday or weekday_ or 1)
        )
    else:
        found_date = date(int(year or 0), int(month or month_ or 0), int(day or day_ or 0))
    microsecond = int((fraction or "0")[:6].ljust(6, "0"))
    found_time = time(int(hour or 0), int(minute or 0), int(second or 0), microsecond)
    moment = datetime.combine(found_date, found_time)
    if utc or sign is None:
        return moment
    hours, _, minutes, seconds, fraction = offset
    if int(minutes or 0) > 59 or int(seconds or 0) > 59:
        raise ValueError("an offset has at most 59 minutes and 59 seconds")
    away = timedelta(
        hours=int(hours or 0),
        minutes=int(minutes or 0),
        seconds=int(seconds or 0),
        microseconds=int((fraction or "0")[:6].ljust(6, "0")),
    )
    zone = timezone(away if sign == "+" else -away)
    return moment.replace(tzinfo=zone).astimezone(timezone.utc).replace(tzinfo=None)
