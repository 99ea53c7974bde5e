"""What watches the signals of a sensor, and how strictly."""

from __future__ import annotations

from detectors.budget import budget_factor, rate
from detectors.defaults import DETECTORS, EARLY, OF_A_CLASS, calibrated, family_of, with_defaults
from detectors.signal import Caution, Finding, Position, SignalMonitor
from detectors.strictness import MOST, STEP, stricter
from schemas.settings import SensorSettings
from streams.class_signals import signal_of
from streams.sensor.state import Loosened, Sensor


def monitor_of(signal: str, settings: SensorSettings, factor: float = 1.0) -> SignalMonitor:
    """Return a monitor that has seen nothing of a signal yet.

    Parameters
    ----------
    signal
        Its name.
    settings
        Those of the sensor.
    factor
        What its thresholds are multiplied by, see `detectors.strictness`.
    """
    family = family_of(signal)
    classes = settings.learner.task == "classification"
    bits = signal == "missing" or (classes and family in ("error", "label", "prediction"))
    configured: tuple[str, ...] | None = getattr(settings.detectors, family)
    names = DETECTORS[family] if configured is None else configured
    if family == "prediction" and configured is None:
        names = EARLY.get(settings.learner.task, names)
    elif family == "error" and signal != family and names:
        names = OF_A_CLASS
    detectors = with_defaults(
        names,
        scaled=not bits,
        params=settings.detectors.params,
        strictness=budget_factor(settings.budget.per_10k_events),
    )
    return SignalMonitor(
        stricter(detectors, factor),
        settings.detectors.warmup,
        scaled=not bits,
        # Errors that fall are learning, and readings that come again are no fault.
        alarm_on="up" if family in ("error", "missing") else "both",
        calibrated=calibrated(names, settings.detectors.params),
    )


def feed(
    sensor: Sensor,
    signal: str,
    x: float,
    at: Position,
    settings: SensorSettings,
    findings: list[tuple[str, Finding]],
    caution: Caution = Caution.NONE,
) -> None:
    """Give a signal its next value, and add to `findings` what its detectors say."""
    monitor = sensor.monitors.get(signal)
    if monitor is None:
        monitor = sensor.monitors[signal] = monitor_of(signal, settings, strictness(sensor, signal))
    found = monitor.update(x, at, caution)
    if found:
        findings.extend((signal, finding) for finding in found)


def drop(sensor: Sensor, *signals: str) -> None:
    """Begin signals anew, with all their series."""
    for name in [name for name in sensor.monitors if signal_of(name) in signals]:
        del sensor.monitors[name]


def strictness(sensor: Sensor, signal: str) -> float:
    """Return by what the thresholds of a sensor's signal are multiplied."""
    loosened = sensor.loosened.get(signal_of(signal))
    return 1.0 if loosened is None else loosened.factor


def loosen(sensor: Sensor, signal: str, drift_event_id: str | None) -> float | None:
    """Raise the thresholds of a signal after a false alarm; what it is now is taken as normal.

    Parameters
    ----------
    sensor
        Changed in place.
    signal
        One that the sensor has.
    drift_event_id
        Of the false alarm: told twice, it counts once.

    Returns
    -------
    float or None
        The factor that holds from now on; None if nothing was changed.
    """
    before = sensor.loosened.get(signal, Loosened(1.0, None))
    if before.factor >= MOST or (
        drift_event_id is not None and before.drift_event_id == drift_event_id
    ):
        return None
    factor = min(before.factor * STEP, MOST)
    sensor.loosened[signal] = Loosened(factor, drift_event_id)
    drop(sensor, signal)
    return factor


def calibrate(sensor: Sensor, settings: SensorSettings, sensors: int) -> None:
    """Take the limits of detectors anew where that is due.

    Parameters
    ----------
    sensor
        Changed in place.
    settings
        Those of this sensor.
    sensors
        In the fleet, as far as this partition can tell.
    """
    due = [name for name, monitor in sensor.monitors.items() if monitor.due]
    if not due:
        return
    budget = settings.budget
    allowed = rate(
        budget.per_10k_events,
        budget.per_sensor_per_year,
        budget.fleet_per_day,
        seconds_per_event=(sensor.last_ts - sensor.first_ts) / 1e6 / max(sensor.events - 1, 1),
        sensors=sensors,
        detectors=sum(
            len(monitor.detectors)
            for signal, monitor in sensor.monitors.items()
            if signal != "missing"
        ),
    )
    for signal in due:
        sensor.monitors[signal].calibrate(allowed, strictness(sensor, signal))
