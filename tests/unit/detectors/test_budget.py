"""A budget of false alarms, shared by all that may raise one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.budget import YEAR, budget_factor, rate
from detectors.defaults import with_defaults


def share(
    per_10k: float = 0.5, year: float | None = None, day: float | None = None, **more: float
) -> float:
    arguments = {"seconds_per_event": 60.0, "sensors": 1, "detectors": 1} | more
    return rate(per_10k, year, day, **arguments)  # type: ignore[arg-type]


def test_all_detectors_of_a_sensor_share_its_budget_evenly() -> None:
    assert share(0.5) == pytest.approx(0.5e-4)
    assert share(0.5, detectors=4) == pytest.approx(0.125e-4)


def test_a_budget_by_the_year_depends_on_how_often_a_sensor_sends() -> None:
    assert share(1e4, year=2.0, seconds_per_event=1.0) == pytest.approx(2.0 / YEAR)
    assert share(1e4, year=2.0, seconds_per_event=60.0) == pytest.approx(120.0 / YEAR)


def test_a_budget_of_the_fleet_is_shared_by_its_sensors() -> None:
    assert share(1e4, day=10.0, sensors=1000, seconds_per_event=86.4) == pytest.approx(1e-5)


def test_the_strictest_of_the_three_counts() -> None:
    assert share(0.5, year=1e9, day=1e9) == share(0.5)
    assert share(0.5, year=1e-3) < share(0.5)


@given(
    st.floats(1e-6, 1e6),
    st.none() | st.floats(1e-6, 1e6),
    st.none() | st.floats(1e-6, 1e6),
    st.floats(0.0, 1e9),
    st.integers(0, 10**7),
    st.integers(0, 1000),
)
def test_whatever_is_asked_for_there_is_a_rate(
    per_10k: float,
    year: float | None,
    day: float | None,
    seconds: float,
    sensors: int,
    detectors: int,
) -> None:
    found = rate(
        per_10k, year, day, seconds_per_event=seconds, sensors=sensors, detectors=detectors
    )
    assert 0.0 < found <= per_10k / 10_000


def test_limits_that_are_not_calibrated_follow_the_budget_too() -> None:
    assert budget_factor(0.5) == pytest.approx(1.0)
    assert budget_factor(0.05) > 1.0 > budget_factor(5.0)
    usual = dict(with_defaults(["adwin", "ddm"]))
    strict = dict(with_defaults(["adwin", "ddm"], strictness=budget_factor(0.05)))
    assert strict["adwin"]["delta"] < usual["adwin"]["delta"]  # type: ignore[operator]
    assert strict["ddm"]["drift_threshold"] > usual["ddm"]["drift_threshold"]  # type: ignore[operator]


def test_a_users_own_limit_is_taken_as_it_is() -> None:
    own = {"adwin": {"delta": 0.01}}
    ((_, given_one),) = with_defaults(["adwin"], params=own, strictness=2.0)
    assert given_one["delta"] == 0.01
