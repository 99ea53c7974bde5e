"""A time that the compiled scan reads is what every other part of the project reads there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from sys import float_info

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.compiled import AVAILABLE
from schemas.timestamps import parse_timestamp
from tests.columns import is_plain, scanned, ts_of, with_ts

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="numba is not installed")

zones = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda m: timezone(timedelta(minutes=m)))


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=zones))
def test_a_moment_in_any_zone_is_its_microseconds(moment: datetime) -> None:
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    assert ts_of(f'"{moment.isoformat()}"') == since // timedelta(microseconds=1)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.text("0123456789", min_size=1, max_size=40), st.sampled_from(["Z", "z", "-01:00"]))
def test_a_fraction_of_any_length_is_cut_to_microseconds(digits: str, zone: str) -> None:
    text = f"9876-07-20T20:17:40.{digits}{zone}"
    assert ts_of(f'"{text}"') == parse_timestamp(text)


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(st.floats(-62_135_596_800, 253_402_300_799))
@example(0.0000005)
@example(0.0000015)
@example(-0.0000025)
@example(253_402_300_799.99997)
def test_seconds_are_rounded_to_microseconds_as_everywhere(seconds: float) -> None:
    text = repr(seconds)
    if seconds == 0 or abs(seconds) >= float_info.min:
        assert ts_of(text) == parse_timestamp(seconds)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.integers(-62_135_596_800, 253_402_300_799))
@example(-62_135_596_800)
@example(253_402_300_799)
def test_whole_seconds_are_exact(seconds: int) -> None:
    assert ts_of(str(seconds)) == seconds * 1_000_000
    assert ts_of(f"{seconds}.0") == seconds * 1_000_000


def test_the_calendar_is_right_in_every_year() -> None:
    days = [f"{year:04}-02-{day}" for year in range(10_000) for day in (28, 29, 30)]
    days += [f"{year:04}-01-01" for year in range(10_000)]
    found = scanned([with_ts(f'"{day}T00:00:00Z"') for day in days])
    for day, row in zip(days, found, strict=True):
        try:
            midnight = datetime.fromisoformat(f"{day}T00:00:00+00:00")
        except ValueError:
            assert row is None, day
        else:
            assert row is not None, day
            assert row[1] == (midnight - datetime(1970, 1, 1, tzinfo=UTC)).days * 86_400_000_000


@pytest.mark.parametrize("year", [1900, 2000, 2026, 2028])
def test_every_month_has_its_days(year: int) -> None:
    days = [f"{year}-{month:02}-{day:02}" for month in range(14) for day in range(33)]
    plain = is_plain(*(with_ts(f'"{day}T23:59:59.999999Z"') for day in days))
    assert sum(plain) == (366 if year in (2000, 2028) else 365)


NO_PLAIN_TIMES = """
    null true NaN "" "1767614400" 1e999 01 -62135596800.5 -62135596801 253402300800 2534023008e2
    1767614400000 "2026-01-05" "2026-01-05T12:00:00" "2026-01-05T12:00Z" "2026-01-05T12:00:00.Z"
    "2026-01-05T12:00:00ZZ" "2026-01-05T12:00:00.5" "2026-01-05T12:00:00.5ZZ" "2026-13-05T12:00:00Z"
    "2026-00-05T12:00:00Z" "2026-01-00T12:00:00Z" "2026-01-32T12:00:00Z" "2026-01-05T24:00:00Z"
    "2026-01-05T12:60:00Z" "2026-01-05T12:00:61Z" "2026-01-05T12:00:00+24:00" "0000-01-01T00:00:00Z"
    "2026-01-05T12:00:00+00:60" "2026-01-05T12:00:00+0000" "2026-01-05T12:00:00+00" "2026-1-5T12:00"
    "2026-01-05T12:00:00*00:00" "2026-01-05T12:00:00,5Z"
    "+026-01-05T12:00:00Z" "2026/01/05T12:00:00Z"
    "2026-01-05T12.00.00Z" "2026-01-05T12:00:0aZ" "2026-01-05T1:200:00Z"
    "2026-01-05T12:00:00\\u005a"
    "²026-01-05T12:00:00Z" "0001-01-01T00:00:00+00:01" "9999-12-31T23:59:59-00:01"
    "2026-01-05t12:00:00Z" "2016-12-31T23:59:60Z" "2026-01-05T12:00:00.5555555
"""


@pytest.mark.parametrize("ts", NO_PLAIN_TIMES.split())
def test_what_is_no_time_in_the_usual_spelling_is_not_plain(ts: str) -> None:
    assert is_plain(with_ts(ts)) == [False]
