"""Times as they are written (RFC 3339 or Unix seconds) and as they are kept: int microseconds.

Inside Driftline a time is a whole number of microseconds since 1970-01-01T00:00:00Z ("us"):
comparable, exact and cheap. Only the years 1 to 9999 exist, since nothing else can be written.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["MAX_US", "MIN_US", "format_timestamp", "parse_timestamp"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = 1_000_000
_DAY: Final = 86_400 * _SECOND

MIN_US: Final = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
"""0001-01-01T00:00:00Z."""
MAX_US: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
"""9999-12-31T23:59:59.999999Z."""

_EXPECTED: Final = "an RFC 3339 time with a zone, or Unix seconds"
_EXPECTED_IN_FILE: Final = "a time such as 2026-01-05 12:00:00, or Unix seconds"
_IN_RANGE: Final = "a time within the years 1 to 9999"
_SECONDS_IN_RANGE: Final = "Unix seconds within the years 1 to 9999, not milliseconds"

_RFC_3339: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))?",
    re.ASCII,
)
_FILE_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d))?", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)

# The usual spelling is a sum of table entries, several times quicker than the pattern above. The
# tables hold only what the pattern would accept, so both ways mean the same; leap seconds and the
# first and last day are left out because they may lead beyond the years there are.
_MINUTES: Final = {
    f"{hour:02}:{minute:02}:": (hour * 60 + minute) * 60 * _SECOND
    for hour in range(24)
    for minute in range(60)
}
_SECONDS: Final = {f"{second:02}": second * _SECOND for second in range(60)}
_UTC: Final = ("Z", "+00:00")
_FRACTIONS: Final = {
    f"{fraction}{zone}": us
    for zone in _UTC
    for fraction, us in [("", 0)]
    + [
        (f".{number:0{digits}}", number * _SECOND // 10**digits)
        for digits in (1, 2, 3)
        for number in range(10**digits)
    ]
}
_END: Final = re.compile(r"(?:\.(\d+))?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))", re.ASCII)
_DAYS: Final[dict[str, int]] = {}
_DAYS_KEPT: Final = 4096


def parse_timestamp(value: str | int | float, *, assume_utc: bool = False) -> int:
    """Read a time.

    Parameters
    ----------
    value
        Text as in RFC 3339 (section 5.6; ``T``, ``t`` or a space, any number of fraction digits,
        cut to microseconds; second 60 is the next second), or Unix seconds as a number.
    assume_utc
        For files: a time without a zone is UTC, a date alone or without seconds will do, and
        digits alone are Unix seconds.

    Returns
    -------
    int
        Microseconds since 1970-01-01T00:00:00Z.

    Raises
    ------
    ValueError
        Saying what was expected, as a noun phrase.

    Examples
    --------
    >>> parse_timestamp("2026-01-05T12:00:00.250Z")
    1767614400250000
    >>> parse_timestamp(1767614400.25)
    1767614400250000
    """
    if isinstance(value, str):
        try:
            minute = _DAYS[value[:11]] + _MINUTES[value[11:17]]
            second = minute + _SECONDS[value[17:19]]
        except KeyError:
            return _parse_text(value, assume_utc)
        end = value[19:]
        fraction = _FRACTIONS.get(end)
        if fraction is not None:
            return second + fraction
        digits = end[1:7]
        if end[:1] == "." and end[7:] in _UTC and digits.isdecimal() and digits.isascii():
            return second + int(digits)
        if (match := _END.fullmatch(end)) is not None:
            digits, sign, hours, minutes = match.groups()
            fraction = int(digits[:6].ljust(6, "0")) if digits else 0
            return second + fraction - (_shift(sign, hours, minutes) if sign else 0)
        return _parse_text(value, assume_utc)
    if type(value) is float or (isinstance(value, int) and not isinstance(value, bool)):
        return _from_seconds(value)
    raise ValueError(_EXPECTED)


def format_timestamp(us: int) -> str:
    """Write a time in RFC 3339 with as many fraction digits as it needs: 0, 3 or 6.

    Parameters
    ----------
    us
        Microseconds since 1970-01-01T00:00:00Z.

    Raises
    ------
    ValueError
        For a time outside the years 1 to 9999.

    Examples
    --------
    >>> format_timestamp(1767614400250000)
    '2026-01-05T12:00:00.250Z'
    """
    if not MIN_US <= us <= MAX_US:
        raise ValueError(_IN_RANGE)
    fraction = us % _SECOND
    digits = "seconds" if fraction == 0 else "microseconds" if fraction % 1000 else "milliseconds"
    moment = _EPOCH + timedelta(microseconds=us)
    return moment.replace(tzinfo=None).isoformat(timespec=digits) + "Z"


def _parse_text(text: str, assume_utc: bool) -> int:
    """Read RFC 3339, and in files also a time without a zone."""
    match = _RFC_3339.fullmatch(text)
    if match is None:
        if assume_utc:
            return _parse_file_text(text.strip(), text)
        raise ValueError(_EXPECTED)
    year, month, day, hour, minute, second, fraction, utc, sign, zone_hour, zone_minute = (
        match.groups()
    )
    if utc is None and sign is None and not assume_utc:
        raise ValueError(_EXPECTED)
    seconds = int(second)
    if seconds > 60:
        raise ValueError(_EXPECTED)
    try:
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute), tzinfo=UTC)
    except ValueError:
        raise ValueError(_EXPECTED) from None
    shift = 0
    if sign is not None:
        if int(zone_hour) > 23 or int(zone_minute) > 59:
            raise ValueError(_EXPECTED)
        shift = _shift(sign, zone_hour, zone_minute)
    since = moment - _EPOCH
    us = (since.days * 86_400 + since.seconds + seconds) * _SECOND - shift
    if fraction is not None:
        us += int(fraction[:6].ljust(6, "0"))
    if not MIN_US <= us <= MAX_US:
        raise ValueError(_IN_RANGE)
    midnight = since.days * _DAY
    if text[10] == "T" and MIN_US + _DAY <= midnight <= MAX_US - 2 * _DAY:
        if len(_DAYS) >= _DAYS_KEPT:
            _DAYS.clear()
        _DAYS[text[:11]] = midnight
    return us


def _shift(sign: str, hours: str, minutes: str) -> int:
    us = (int(hours) * 60 + int(minutes)) * 60 * _SECOND
    return -us if sign == "-" else us


def _parse_file_text(text: str, original: str) -> int:
    if text != original:
        return parse_timestamp(text, assume_utc=True)
    if match := _FILE_TIME.fullmatch(text):
        day, minute = match.groups()
        return _parse_text(f"{day}T{minute or '00:00'}:00Z", assume_utc=True)
    if _NUMBER.fullmatch(text):
        return _from_seconds(float(text))
    raise ValueError(_EXPECTED_IN_FILE)


def _from_seconds(seconds: int | float) -> int:
    # compared before it is multiplied: an int may be of any length
    if not -62_135_596_800 <= seconds < 253_402_300_800:
        infinite = isinstance(seconds, float) and not math.isfinite(seconds)
        raise ValueError(_EXPECTED if infinite else _SECONDS_IN_RANGE)
    us = seconds * _SECOND if isinstance(seconds, int) else round(seconds * 1e6)
    return min(us, MAX_US)
