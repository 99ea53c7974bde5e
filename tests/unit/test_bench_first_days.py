"""What is drawn for the first two days of a sensor, and what the tables say of it."""

from __future__ import annotations

from bench import first_days


def test_a_small_step_that_is_seen_every_second_is_found_at_once() -> None:
    delay = first_days.step(2.0, 1, 0)
    assert delay is not None
    assert 0 < delay < 60


def test_a_wave_is_the_same_in_every_run_of_the_program() -> None:
    assert first_days.wave("sine", 3.0, 150, 1) == first_days.wave("sine", 3.0, 150, 1)


def test_the_tables_have_a_row_for_each_kind() -> None:
    table = first_days.steps(1)
    assert len(table.rows) == len(first_days.SIZES) * 3
    assert all(len(row) == len(table.headers) for row in table.rows)
