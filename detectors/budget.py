"""What a budget of false alarms leaves for one detector of one signal of one sensor."""

from __future__ import annotations

from statistics import NormalDist
from typing import Final

__all__ = ["budget_factor", "rate"]

USUAL_PER_EVENT: Final = 0.5 / 10_000
"""The budget that the parameters in `detectors.defaults` were chosen for."""

DAY: Final = 86_400.0
YEAR: Final = 365.25 * DAY

SMALLEST: Final = 1e-12
"""No rate is below this: beyond it nothing is known of a tail."""


def rate(
    per_10k_events: float,
    per_sensor_per_year: float | None,
    fleet_per_day: float | None,
    *,
    seconds_per_event: float,
    sensors: int,
    detectors: int,
) -> float:
    """Return how many false alarms per value one detector may have.

    All detectors of all signals of a sensor share its budget evenly: the chance that any of them
    alarms is at most the sum of their chances (Boole's inequality), however they depend on each
    other.

    Parameters
    ----------
    per_10k_events, per_sensor_per_year, fleet_per_day
        The budget: false drifts per 10,000 events of a sensor, per year of a sensor, and per day of
        all sensors together. The smallest counts.
    seconds_per_event
        Mean time between a sensor's events; 0 while it is not known.
    sensors
        In the fleet.
    detectors
        Of a sensor, over all of its signals.
    """
    allowed = per_10k_events / 10_000
    if per_sensor_per_year is not None and seconds_per_event > 0.0:
        allowed = min(allowed, per_sensor_per_year * seconds_per_event / YEAR)
    if fleet_per_day is not None and seconds_per_event > 0.0:
        allowed = min(allowed, fleet_per_day * seconds_per_event / DAY / max(sensors, 1))
    return max(allowed / max(detectors, 1), SMALLEST)


def budget_factor(per_10k_events: float) -> float:
    """Return by what factor limits that can't be calibrated are to be larger than by default.

    It is the ratio of the normal quantiles of the two budgets, between a half and two.
    """
    wanted = NormalDist().inv_cdf(1.0 - min(per_10k_events / 10_000, 0.4))
    usual = NormalDist().inv_cdf(1.0 - USUAL_PER_EVENT)
    return min(max(wanted / usual, 0.5), 2.0)
