"""What of a drift is believed as long as the time of day may be what has changed."""

from __future__ import annotations

from detectors.season import FEW, HOUR, Season
from detectors.signal import Caution, Position
from streams.sensor.state import Sensor


def caution_of(sensor: Sensor, season: Season, at: Position) -> Caution:
    """Say what of a drift is to be believed as long as no day, or only one, is known.

    Parameters
    ----------
    sensor
        Which one.
    season
        Of the signal.
    at
        Where the drift is found.
    """
    if not season.on_trial and (season.holds or not season.first_day(at.ts)):
        return Caution.NONE
    if _sends_seldom(sensor, at):
        return Caution.ALL
    return Caution.NONE if season.holds else Caution.STEPS


def caution_of_errors(sensor: Sensor, at: Position) -> Caution:
    """Say what of a drift of a forecast's errors is to be believed.

    They grow where the value is steep, which is so at the same time of every day. A model that has
    seen a day has seen that, whatever else is known of the day by then.
    """
    season = sensor.seasons.get("value")
    if season is None or season.holds or not season.first_day(at.ts):
        return Caution.NONE
    return Caution.ALL if _sends_seldom(sensor, at) else Caution.LINES


def _sends_seldom(sensor: Sensor, at: Position) -> bool:
    hours = max((at.ts - sensor.first_ts) / HOUR, 1.0)
    return sensor.events * 24.0 / hours <= FEW
