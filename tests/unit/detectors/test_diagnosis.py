"""What a finding means, and how grave it is."""

from __future__ import annotations

import pytest

from detectors.diagnosis import diagnose, severity
from detectors.signal import Finding, Kind, Position, Statistics

BEFORE = Statistics(100, 20.0, 2.0)
AFTER = Statistics(30, 25.0, 2.0)


def _finding(
    kind: Kind = "drift",
    before: Statistics | None = BEFORE,
    after: Statistics | None = AFTER,
) -> Finding:
    return Finding("adwin", kind, "up", 0.9, 0.4, Position(1, 2), before, after)


@pytest.mark.parametrize(
    ("signal", "value_shift", "expected"),
    [
        ("missing", None, "upstream"),
        ("missing", 9.0, "upstream"),
        ("label", 9.0, "prior"),
        ("value", None, "data"),
        ("feature:temperature", 0.0, "data"),
        ("prediction", None, "data"),
        ("error", None, "concept"),
        ("error", 2.9, "concept"),
        ("error", -2.9, "concept"),
        ("error", 3.0, "data"),
        ("error", -3.0, "data"),
    ],
)
def test_the_signal_and_the_inputs_shift_say_what_changed(
    signal: str, value_shift: float | None, expected: str
) -> None:
    assert diagnose(signal, _finding(), value_shift) == expected


@pytest.mark.parametrize(
    ("after", "expected"),
    [(20.0, "low"), (21.9, "low"), (22.0, "medium"), (14.1, "medium"), (26.0, "high"), (0, "high")],
)
def test_severity_is_the_shift_in_standard_deviations(after: float, expected: str) -> None:
    assert severity(_finding(after=Statistics(30, after, 1.0))) == expected


def test_any_shift_away_from_a_constant_is_high() -> None:
    constant = Statistics(100, 7.0, 0.0)
    assert severity(_finding(before=constant, after=Statistics(9, 7.001, 0.0))) == "high"
    assert severity(_finding(before=constant, after=constant)) == "low"


def test_a_warning_and_a_drift_with_unknown_sides_are_low() -> None:
    assert severity(_finding(kind="warning", after=Statistics(30, 900.0, 1.0))) == "low"
    assert severity(_finding(before=None)) == "low"
    assert severity(_finding(after=None)) == "low"
