"""How many records a worker processes at a stretch: as many as fit four milliseconds."""

from __future__ import annotations

import pytest

from streams.pace import FEWEST, MOST, Pace


def after(stretches: int, seconds_per_record: float) -> Pace:
    pace = Pace()
    for _ in range(stretches):
        pace.took(pace.records, pace.records * seconds_per_record)
    return pace


@pytest.mark.parametrize(
    ("seconds_per_record", "records"),
    [(0.4e-6, MOST), (5e-6, 800), (20e-6, 200), (70e-6, 57), (500e-6, FEWEST)],
)
def test_a_stretch_takes_four_milliseconds_within_bounds(
    seconds_per_record: float, records: int
) -> None:
    assert after(20, seconds_per_record).records == pytest.approx(records, abs=1)


def test_one_stretch_changes_the_next_by_half_or_double_at_most() -> None:
    pace = Pace()
    before = pace.records
    pace.took(before, 60.0)
    assert pace.records == before // 2
    pace.took(before, 0.0)
    assert pace.records == before


def test_slow_records_after_quick_ones_are_soon_taken_in_short_stretches() -> None:
    pace = after(20, 0.5e-6)
    for _ in range(7):
        pace.took(pace.records, pace.records * 70e-6)
    assert pace.records <= 2 * 57
