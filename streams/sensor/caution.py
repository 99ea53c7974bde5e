"""What of a drift is believed as long as the time of day may be what has changed."""

from __future__ import annotations

from detectors.season import FEW, HOUR, Season
from detectors.signal import Caution, Position
from streams.sensor.state import Sensor


def caution_of(sensor: Sensor, season: Season | None, at: Position) -> Caution:
    """Say what of a drift is to be believed as long as no day, or only one, is known.

    Parameters
    ----------
    sensor
        Which one.
    season
        Of the signal, or of what it follows from; None: it has no time of day.
    at
        Where the drift is found.
    """
    if season is None or (not season.on_trial and (season.holds or not season.first_day(at.ts))):
        return Caution.NONE
    hours = max((at.ts - sensor.first_ts) / HOUR, 1.0)
    if sensor.events * 24.0 / hours <= FEW:
        return Caution.ALL
    return Caution.NONE if season.holds else Caution.STEPS
