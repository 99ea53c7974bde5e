"""Ids are functions of what they name."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.ids import derived_id, drift_event_id

parts = st.lists(st.one_of(st.text(max_size=4), st.integers(-20, 20)), max_size=4)


def test_the_id_of_a_drift_event_is_frozen() -> None:
    # A replay after an upgrade must make the same ids as before it.
    made = drift_event_id(2, 5734, "oven-2", "error", "adwin", "drift")
    assert made == "69750cc8fe55e23f0386db1fdf0893a8"


def test_an_id_is_32_hex_digits() -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", derived_id("Öfen", 1, "\ud800"))


def test_each_part_of_a_drift_event_matters() -> None:
    base = (2, 5734, "oven-2", "error", "adwin", "drift")
    others = [
        (3, 5734, "oven-2", "error", "adwin", "drift"),
        (2, 5735, "oven-2", "error", "adwin", "drift"),
        (2, 5734, "oven-3", "error", "adwin", "drift"),
        (2, 5734, "oven-2", "value", "adwin", "drift"),
        (2, 5734, "oven-2", "error", "ddm", "drift"),
        (2, 5734, "oven-2", "error", "adwin", "warning"),
    ]
    assert len({drift_event_id(*parts) for parts in [base, *others]}) == 7


@settings(derandomize=True, deadline=None)
@given(parts, parts)
def test_different_parts_make_different_ids(one: list[str | int], other: list[str | int]) -> None:
    assert (derived_id(*one) == derived_id(*other)) == (one == other)
