"""What a change is laid to, on cases of which it is known."""

from __future__ import annotations

import pytest

from bench.diagnosis import diagnosis
from bench.diagnosis_cases import CASES

LABEL_SHIFTS = [case for case in CASES if case.task == "regression" and case.truth == "prior"]


@pytest.mark.parametrize("case", LABEL_SHIFTS, ids=lambda case: case.name)
def test_a_target_that_moves_and_takes_its_inputs_along_is_a_label_shift_at_the_first_alarm(
    case: object,
) -> None:
    """An input is often found first, when few targets have come since the change."""
    told = [diagnosis(case, seed) for seed in range(1, 9)]  # type: ignore[arg-type]
    assert told.count("prior") >= 6
