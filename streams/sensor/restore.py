"""A sensor as it is stored, and back under a configuration that may have changed since."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from learners.labels import Head
from schemas.settings import SensorSettings
from streams.sensor.begin import nothing_pending, untrained
from streams.sensor.model import forget_error
from streams.sensor.monitors import drop
from streams.sensor.state import Sensor

ROW_VERSION = 2
"""Before 2, a class that was a number was watched as that number."""


@dataclass(slots=True)
class Stored:
    """A sensor's row on the state topic.

    Parameters
    ----------
    version
        Of this layout.
    fingerprints
        What the learner and the detectors were configured as, see `fingerprint`.
    head
        What `learners.labels` keeps besides its entries.
    values
        Attributes of `Sensor`.
    """

    version: int
    fingerprints: dict[str, str]
    head: Head
    values: dict[str, Any]


def stored(sensor: Sensor, settings: SensorSettings) -> Stored:
    """Return what goes into a sensor's row; what waits has rows of its own."""
    values = {f.name: getattr(sensor, f.name) for f in fields(sensor) if f.name != "pending"}
    return Stored(ROW_VERSION, fingerprint(settings), sensor.pending.head(), values)


def fingerprint(settings: SensorSettings) -> dict[str, str]:
    """Return what a stored learner and stored monitors depend on, as text to compare."""
    return {
        "learner": settings.learner.model_dump_json(exclude={"grace"}),
        "detectors": detectors_text(settings),
    }


def detectors_text(settings: SensorSettings) -> str:
    """Return what stored monitors depend on; the rest of the budget counts when it is looked at."""
    return f"{settings.detectors.model_dump_json()} {settings.budget.per_10k_events}"


@dataclass(frozen=True, slots=True)
class Fit:
    """What of a stored sensor is configured as it was when it was stored, and so goes on."""

    learner: bool = True
    detectors: bool = True

    @property
    def begun_anew(self) -> tuple[str, ...]:
        """What begins anew."""
        return tuple(f.name for f in fields(self) if not getattr(self, f.name))


def fit_of(stored: Stored, settings: SensorSettings) -> Fit:
    """Return what of a stored sensor goes on under these settings."""
    now = fingerprint(settings)
    return Fit(*(stored.fingerprints[part] == now[part] for part in ("learner", "detectors")))


def refit(stored: Stored, sensor_id: str, settings: SensorSettings) -> Sensor:
    """Return a stored sensor, made to fit the configuration as it is now.

    A learner or detectors that are configured otherwise than when they were stored begin
    anew; everything else goes on.
    """
    values = dict(stored.values)
    # An earlier version kept the first label, and no more of the checks than this.
    values.pop("first_label", None)
    repeats = values.pop("repeats", None)
    sensor = Sensor(**values, pending=nothing_pending(settings))
    if repeats is not None:
        sensor.hygiene.repeats = repeats
    sensor.pending.restore_head(stored.head)
    if stored.version < ROW_VERSION and settings.learner.task == "classification":
        sensor.monitors.pop("label", None)
    return fitted(sensor, settings, fit_of(stored, settings))


def fitted(sensor: Sensor, settings: SensorSettings, fit: Fit) -> Sensor:
    """Make a restored sensor fit the configuration as it is now; see `refit`."""
    if not fit.learner:
        sensor.champion.swap_in(untrained(settings))
        sensor.champion.previous = None
        sensor.candidate = None
        forget_error(sensor)
        # Another task's labels are another kind of signal.
        drop(sensor, "label", "prediction")
        sensor.classes = None
    if not fit.detectors:
        sensor.monitors = {}
        sensor.seasons = {}
    if fit.begun_anew:
        sensor.observed = None
    sensor.episodes.quiet_events = settings.episodes.quiet_events
    sensor.episodes.cooldown_events = settings.episodes.cooldown
    sensor.champion.margin = settings.policy.margin
    sensor.champion.challenger_events = settings.policy.challenger_events
    return sensor
