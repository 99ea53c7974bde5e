"""What a finding means, and how grave it is."""

from __future__ import annotations

import pytest

from detectors.diagnosis import diagnose, severity
from detectors.moments import Statistics
from detectors.observed import Facts
from detectors.signal import Finding, Kind, Position

BEFORE = Statistics(100, 20.0, 2.0)
AFTER = Statistics(30, 25.0, 2.0)


def _finding(
    kind: Kind = "drift",
    before: Statistics | None = BEFORE,
    after: Statistics | None = AFTER,
) -> Finding:
    return Finding("adwin", kind, "up", 0.9, 0.4, Position(1, 2), before, after)


@pytest.mark.parametrize(
    ("signal", "expected"),
    [
        ("missing", "upstream"),
        ("value", "data"),
        ("feature:temperature", "data"),
        ("prediction", "data"),
        ("error", "concept"),
        ("label", "prior"),
    ],
)
def test_where_nothing_else_is_known_the_signal_decides(signal: str, expected: str) -> None:
    assert diagnose(signal, _finding()) == expected


EVERY_SIGNAL = pytest.mark.parametrize("signal", ["feature:temperature", "error", "label"])


@EVERY_SIGNAL
def test_labels_that_moved_with_what_they_make_of_the_inputs_are_prior(signal: str) -> None:
    facts = Facts(inputs=True, labels=True, inputs_given_label=False, unexplained=0.9)
    assert diagnose(signal, _finding(), facts) == "prior"


@EVERY_SIGNAL
def test_errors_that_grew_at_unchanged_inputs_are_concept(signal: str) -> None:
    facts = Facts(inputs=True, labels=False, inputs_given_label=True, unexplained=0.8)
    assert diagnose(signal, _finding(), facts) == "concept"


@EVERY_SIGNAL
@pytest.mark.parametrize("unexplained", [None, 0.2])
def test_inputs_that_account_for_what_follows_are_data(
    signal: str, unexplained: float | None
) -> None:
    facts = Facts(inputs=True, labels=True, inputs_given_label=True, unexplained=unexplained)
    assert diagnose(signal, _finding(), facts) == "data"


@pytest.mark.parametrize("signal", ["error", "label"])
def test_a_change_of_the_target_without_one_of_the_inputs_is_concept(signal: str) -> None:
    facts = Facts(inputs=False, labels=True, inputs_given_label=True)
    assert diagnose(signal, _finding(), facts) == "concept"


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
