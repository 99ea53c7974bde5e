"""Times as they are written and as they are kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.timestamps import MAX_US, MIN_US, format_timestamp, parse_timestamp

NOON = 1_767_614_400_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
zones = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda m: timezone(timedelta(minutes=m)))


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("2026-01-05T12:00:00Z", NOON),
        ("2026-01-05t12:00:00z", NOON),
        ("2026-01-05 12:00:00Z", NOON),
        ("2026-01-05T12:00:00.250Z", NOON + 250_000),
        ("2026-01-05T12:00:00.2Z", NOON + 200_000),
        ("2026-01-05T12:00:00.000001Z", NOON + 1),
        ("2026-01-05T12:00:00.1234567Z", NOON + 123_456),
        ("2026-01-05T12:00:00.9999999999999999Z", NOON + 999_999),
        ("2026-01-05T12:00:00+00:00", NOON),
        ("2026-01-05T12:00:00-00:00", NOON),
        ("2026-01-05T13:30:00+01:30", NOON),
        ("2026-01-05T13:30:00.5+01:30", NOON + 500_000),
        ("2026-01-04T12:01:00-23:59", NOON),
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("0001-01-01T00:00:00Z", MIN_US),
        ("9999-12-31T23:59:59.999999Z", MAX_US),
    ],
)
def test_rfc_3339(text: str, us: int) -> None:
    assert parse_timestamp(text) == us
    assert parse_timestamp(text) == us, "and the same again, now that its day is known"


def test_second_60_is_the_next_second() -> None:
    assert parse_timestamp("2016-12-31T23:59:60Z") == parse_timestamp("2017-01-01T00:00:00Z")
    assert parse_timestamp("2016-12-31T23:59:60.5Z") == parse_timestamp("2017-01-01T00:00:00.5Z")


def test_unix_seconds() -> None:
    assert parse_timestamp(1_767_614_400) == NOON
    assert parse_timestamp(1_767_614_400.25) == NOON + 250_000
    assert parse_timestamp(1_767_614_400.123456) == NOON + 123_456
    assert parse_timestamp(-1) == -1_000_000
    assert parse_timestamp(0.0) == 0
    assert parse_timestamp(-62_135_596_800) == MIN_US
    assert parse_timestamp(253_402_300_799) == MAX_US - 999_999


@pytest.mark.parametrize(
    "seconds", [1_767_614_400_250, 1e300, -1e300, 10**400, 253_402_300_800, -62_135_596_801]
)
def test_seconds_outside_the_years_1_to_9999_are_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match=r"^Unix seconds within the years 1 to 9999"):
        parse_timestamp(seconds)


@pytest.mark.parametrize("bad", [True, None, b"", [], float("nan"), float("inf"), float("-inf")])
def test_what_is_no_time_is_refused(bad: object) -> None:
    with pytest.raises(ValueError, match=r"^an RFC 3339 time with a zone, or Unix seconds$"):
        parse_timestamp(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+00:01", "9999-12-31T23:59:60Z"])
def test_a_zone_or_a_leap_second_never_leads_out_of_range(text: str) -> None:
    parse_timestamp("0001-01-01T00:00:00Z")
    parse_timestamp("9999-12-31T00:00:00Z")
    with pytest.raises(ValueError, match="within the years 1 to 9999"):
        parse_timestamp(text)


@pytest.mark.parametrize("day", ["0001-01-01", "0001-01-02", "9999-12-30", "9999-12-31"])
def test_days_at_the_ends_are_right_from_the_second_time_on_too(day: str) -> None:
    noon = parse_timestamp(f"{day}T12:00:00Z")
    assert parse_timestamp(f"{day}T12:00:00.123456Z") == noon + 123_456
    for zone in ("-23:59", "+23:59"):
        expected = noon + (86_340_000_000 if zone[0] == "-" else -86_340_000_000)
        if MIN_US <= expected <= MAX_US:
            assert parse_timestamp(f"{day}T12:00:00{zone}") == expected
        else:
            with pytest.raises(ValueError, match="within the years"):
                parse_timestamp(f"{day}T12:00:00{zone}")


def test_digits_of_other_scripts_are_refused() -> None:
    parse_timestamp("2026-01-05T12:00:00Z")
    six = "\N{ARABIC-INDIC DIGIT TWO}" * 6
    with pytest.raises(ValueError, match="RFC 3339"):
        parse_timestamp(f"2026-01-05T12:00:00.{six}Z")
    with pytest.raises(ValueError, match="RFC 3339"):
        parse_timestamp("2026-01-05T12:00:0\N{FULLWIDTH DIGIT TWO}Z")
    with pytest.raises(ValueError, match="RFC 3339"):
        parse_timestamp("2026-01-05T12:00:00.\N{ARABIC-INDIC DIGIT TWO}Z")


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("2026-01-05 12:00:00", NOON),
        ("2026-01-05T12:00:00.25", NOON + 250_000),
        ("2026-01-05 12:00", NOON),
        ("2026-01-05", NOON - 43_200_000_000),
        (" 2026-01-05 12:00:00 ", NOON),
        ("2026-01-05T13:00:00+01:00", NOON),
        ("1767614400.25", NOON + 250_000),
        ("-1", -1_000_000),
        ("1.7676144e9", NOON),
    ],
)
def test_in_a_file_a_time_without_a_zone_is_utc(text: str, us: int) -> None:
    assert parse_timestamp(text, assume_utc=True) == us
    if "+" not in text:
        with pytest.raises(ValueError, match="RFC 3339"):
            parse_timestamp(text)


@pytest.mark.parametrize("text", ["", "noon", "nan", "inf", "05.01.2026", "1_000", "12:00:00"])
def test_in_a_file_too_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^a time such as 2026-01-05 12:00:00, or Unix seconds$"):
        parse_timestamp(text, assume_utc=True)


@settings(derandomize=True, deadline=None)
@given(st.integers(MIN_US, MAX_US))
def test_what_is_written_is_read_back(us: int) -> None:
    assert parse_timestamp(format_timestamp(us)) == us
    assert parse_timestamp(format_timestamp(us), assume_utc=True) == us


@settings(derandomize=True, deadline=None)
@given(st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=zones))
def test_times_mean_what_datetime_says_in_every_zone(moment: datetime) -> None:
    expected = (moment - EPOCH) // timedelta(microseconds=1)
    for _ in range(2):
        assert parse_timestamp(moment.isoformat()) == expected


@pytest.mark.parametrize(
    ("us", "text"),
    [
        (NOON, "2026-01-05T12:00:00Z"),
        (NOON + 250_000, "2026-01-05T12:00:00.250Z"),
        (NOON + 250_001, "2026-01-05T12:00:00.250001Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (MIN_US, "0001-01-01T00:00:00Z"),
        (MAX_US, "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_times_are_written_with_the_digits_they_need(us: int, text: str) -> None:
    assert format_timestamp(us) == text


@pytest.mark.parametrize("us", [MIN_US - 1, MAX_US + 1])
def test_times_that_cannot_be_written_are_refused(us: int) -> None:
    with pytest.raises(ValueError, match="within the years 1 to 9999"):
        format_timestamp(us)
