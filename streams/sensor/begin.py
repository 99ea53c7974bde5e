"""A sensor that has sent nothing yet."""

from __future__ import annotations

from functools import cache

from detectors.defaults import with_defaults
from detectors.episodes import Episodes
from detectors.registry import create as create_detector
from learners import create
from learners.base import Learner
from learners.champion import Champion
from learners.labels import PendingLabels
from learners.metrics import Prequential
from schemas.errors import ConfigurationError, UnknownKey
from schemas.settings import LearnerSettings, SensorSettings, Settings
from streams.sensor.monitors import monitor_of
from streams.sensor.state import Sensor

SEED = 0
"""Seed of every learner that draws random numbers: a replay must draw the same."""


def new_sensor(sensor_id: str, settings: SensorSettings) -> Sensor:
    """Return the state of a sensor that has sent nothing yet."""
    return Sensor(
        sensor_id,
        Champion(
            sensor_id,
            1,
            untrained(settings),
            settings.policy.margin,
            settings.policy.challenger_events,
        ),
        Episodes(settings.episodes.quiet_events, settings.episodes.cooldown),
        Prequential(),
        nothing_pending(settings),
    )


@cache
def _template(settings: str) -> Learner:
    return create(LearnerSettings.model_validate_json(settings), SEED)


def untrained(settings: SensorSettings) -> Learner:
    """Return an untrained learner; making one is slow, so it is made once for all sensors."""
    return _template(settings.learner.model_dump_json()).fresh()


def nothing_pending(settings: SensorSettings) -> PendingLabels:
    """Return room for what waits for labels, and for labels that wait."""
    return PendingLabels(settings.labels.max_pending, int(settings.labels.max_age * 1_000_000))


def try_out(settings: Settings) -> None:
    """Build what every kind of sensor will need, so that a wrong parameter ends the start.

    Raises
    ------
    ConfigurationError
        For a model or a detector that can't be made as configured.
    """
    for variant in settings.variants():
        untrained(variant)
        _try_detectors(variant)
        for signal in ("value", "error", "label", "prediction", "missing", "feature"):
            monitor_of(signal, variant)


def _try_detectors(settings: SensorSettings) -> None:
    """Refuse wrong parameters, also of a detector that watches nothing yet, by their full key."""
    given = settings.detectors.params
    try:
        for name, parameters in with_defaults(list(given), params=given):
            create_detector(name, **parameters)
    except UnknownKey as error:
        known = [f"detectors.params.{key}" for key in error.known]
        raise UnknownKey(f"detectors.params.{error.field}", known) from None
    except ConfigurationError as error:
        raise ConfigurationError(
            f"detectors.params.{error.field}", error.value, error.allowed
        ) from None
