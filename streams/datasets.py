"""The data sets of the demo: messages of the contract, in the order of their event time.

Each is an iterator that makes one message at a time, and the same seed makes the same bytes.
"""

from __future__ import annotations

import heapq
import json
import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from typing import Any

from schemas.errors import ConfigurationError
from schemas.timestamps import format_timestamp, parse_timestamp
from streams.files import Kind, read_records

__all__ = ["NAMES", "Change", "Dataset", "Message", "load"]

_SECOND = 1_000_000
_DAY = 86_400 * _SECOND


@dataclass(frozen=True, slots=True)
class Message:
    """One message to send: the topic it is for, its key and its bytes."""

    kind: Kind
    ts: int
    sensor_id: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """What really changed: the ground truth that a report is held against.

    Attributes
    ----------
    ts, until : int
        Microseconds since the epoch; `until` is None where the change stays.
    """

    sensor_id: str
    kind: str
    ts: int
    description: str
    until: int | None = None


@dataclass(frozen=True)
class Dataset:
    """Events with a story.

    Attributes
    ----------
    settings : mapping
        Dotted configuration keys that the data needs (the learner's task).
    truth : tuple of Change
        In the order of their time.
    calm_sensors : int
        How many sensors never change; 0 where that is not known.
    pace : int
        How many messages may be played before the worker has answered them: a fraction of what
        a change takes to be told, so that an adaptation still meets the change it is for.
    """

    name: str
    title: str
    messages: Callable[[], Iterator[Message]]
    truth: tuple[Change, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    calm_sensors: int = 0
    pace: int = 250


def load(name: str, seed: int = 0) -> Dataset:
    """A data set by its name.

    Raises
    ------
    ConfigurationError
        There is none of that name.
    """
    if name not in _MAKERS:
        raise ConfigurationError("--dataset", name, ", ".join(NAMES))
    return _MAKERS[name](seed)


# --- machine-temperature -----------------------------------------------------------------

_MACHINE_SENSOR = "machine-temperature"
# numenta/NAB, labels/combined_windows.json and the data set's README: a planned shutdown, then
# the subtle onset and the catastrophic failure itself.
_MACHINE_WINDOWS = (
    ("2013-12-10T06:25:00Z", "2013-12-12T05:35:00Z", "an anomaly that NAB's labels mark"),
    ("2013-12-15T17:50:00Z", "2013-12-17T17:00:00Z", "a planned shutdown of the machine"),
    ("2014-01-27T14:20:00Z", "2014-01-29T13:30:00Z", "onset of a problem, hard to see"),
    ("2014-02-07T14:55:00Z", "2014-02-09T14:05:00Z", "catastrophic failure of the machine"),
)


def _machine_temperature(_: int) -> Dataset:
    """Recorded: one machine that fails, with four windows."""

    def messages() -> Iterator[Message]:
        source = files("streams") / "data" / "nab" / "machine_temperature_system_failure.csv"
        with as_file(source) as path:
            for line, message in read_records(path):
                if not isinstance(message, bytes):
                    raise ValueError(f"{path}: line {line}: {message}")
                fields = json.loads(message)
                ts = parse_timestamp(fields["ts"])
                fields["sensor_id"] = _MACHINE_SENSOR
                yield Message("sensors", ts, _MACHINE_SENSOR, _dump(fields))

    truth = tuple(
        Change(_MACHINE_SENSOR, "anomaly", parse_timestamp(start), what, parse_timestamp(end))
        for start, end, what in _MACHINE_WINDOWS
    )
    return Dataset(
        "machine-temperature",
        "Temperature of a machine in a factory, a reading every 5 minutes, December 2013 to "
        "February 2014 (Numenta Anomaly Benchmark)",
        messages,
        truth,
    )


# --- glassware ---------------------------------------------------------------------------

_GLASS_SENSOR = "glassware"
_GLASS_ITEMS = 7999
_GLASS_PERIOD = 450 * _SECOND
_GLASS_START = parse_timestamp("2019-07-01T00:00:00Z")
#: first item, temperature and pressure that make good glass from there on
_GLASS_RULES = (
    (1, (351.0, 359.0), (8.0, 15.0)),
    (3401, (354.0, 359.0), (8.0, 15.0)),
    (6501, (354.0, 359.0), (12.0, 15.0)),
)
_GLASS_DURATION = (28.0, 32.0)
_GLASS_NOISE = 0.2


def _glassware(seed: int) -> Dataset:
    """Drawn: items whose label follows from what they went through."""

    def messages() -> Iterator[Message]:
        rng = random.Random(seed)  # noqa: S311 (data, not secrets)
        pending: list[Message] = []
        for item in range(1, _GLASS_ITEMS + 1):
            slot = _GLASS_START + (item - 1) * _GLASS_PERIOD
            ts = slot + rng.randrange(_GLASS_PERIOD)
            temperature, pressure = rng.uniform(350, 360), rng.gauss(12, 2)
            duration = rng.uniform(28.5, 32.5)
            # Quality follows what the item went through; the sensors see that with noise.
            label = _glass_quality(item, temperature, pressure, duration)
            event_id = f"item-{item}"
            while pending and pending[0].ts <= ts:
                yield pending.pop(0)
            fields = {
                "sensor_id": _GLASS_SENSOR,
                "event_id": event_id,
                "ts": format_timestamp(ts),
                "features": {
                    name: round(true + rng.gauss(0, _GLASS_NOISE), 3)
                    for name, true in (
                        ("temperature", temperature),
                        ("pressure", pressure),
                        ("duration", duration),
                    )
                },
            }
            yield Message("sensors", ts, _GLASS_SENSOR, _dump(fields))
            due = ts - ts % _DAY + 2 * _DAY
            verdict = {
                "sensor_id": _GLASS_SENSOR,
                "event_id": event_id,
                "ts": format_timestamp(due),
                "label": label,
            }
            pending.append(Message("labels", due, _GLASS_SENSOR, _dump(verdict)))
        yield from pending

    return Dataset(
        "glassware",
        "Quality of glassware from temperature, pressure and duration; the verdict on an item "
        "comes at midnight two days later",
        messages,
        (
            Change(
                _GLASS_SENSOR,
                "concept",
                _GLASS_START + 3400 * _GLASS_PERIOD,
                "from item 3401 good glass needs 354 to 359 degrees (before: 351 to 359)",
            ),
            Change(
                _GLASS_SENSOR,
                "concept",
                _GLASS_START + 6500 * _GLASS_PERIOD,
                "from item 6501 good glass needs a pressure of 12 to 15 (before: 8 to 15)",
            ),
        ),
        {"learner.task": "classification"},
    )


def _glass_quality(item: int, temperature: float, pressure: float, duration: float) -> int:
    _, temperatures, pressures = next(r for r in reversed(_GLASS_RULES) if item >= r[0])
    return int(
        _GLASS_DURATION[0] <= duration <= _GLASS_DURATION[1]
        and temperatures[0] <= temperature <= temperatures[1]
        and pressures[0] <= pressure <= pressures[1]
    )


# --- fleet -------------------------------------------------------------------------------

_FLEET_SENSORS = 200
_FLEET_EVENTS = 360
_FLEET_PERIOD = 5 * _SECOND
_FLEET_START = parse_timestamp("2026-01-05T00:00:00Z")
#: how many sensors change in each way; all others stay as they are
_FLEET_CHANGES = (
    ("mean shift", 6),
    ("spread", 4),
    ("slope", 4),
    ("stuck", 4),
    ("unit", 4),
    ("silent", 3),
)


@dataclass(frozen=True, slots=True)
class _Machine:
    """A sensor of the fleet: how it behaves, and how that changes."""

    sensor_id: str
    mean: float
    std: float
    memory: float
    change: str | None
    change_at: int
    sign: int


def _fleet(seed: int) -> Dataset:
    """Drawn: machines of which some change, each in its own way."""
    machines = _fleet_machines(random.Random(seed))  # noqa: S311 (data, not secrets)
    truth = [
        Change(
            m.sensor_id,
            m.change,
            _FLEET_START + m.change_at * _FLEET_PERIOD,
            _fleet_story(m),
        )
        for m in machines
        if m.change is not None
    ]
    return Dataset(
        "fleet",
        f"{_FLEET_SENSORS} temperature sensors, a reading every five seconds for "
        f"{_FLEET_EVENTS // 12} minutes; {len(truth)} of them change, each in its own way",
        lambda: _fleet_messages(machines, seed),
        tuple(sorted(truth, key=lambda change: (change.ts, change.sensor_id))),
        calm_sensors=len(machines) - len(truth),
        pace=20 * len(machines),
    )


def _fleet_machines(rng: random.Random) -> list[_Machine]:
    """Draw what each machine is like, and how it changes."""
    kinds: list[str | None] = [kind for kind, count in _FLEET_CHANGES for _ in range(count)]
    kinds += [None] * (_FLEET_SENSORS - len(kinds))
    rng.shuffle(kinds)
    return [
        _Machine(
            sensor_id=f"line-{number // 20 + 1}/oven-{number % 20 + 1:02d}",
            mean=round(rng.uniform(40, 90), 1),
            std=round(rng.uniform(0.3, 1.5), 2),
            # A third of the sensors are sluggish: each reading remembers the last one.
            memory=rng.choice((0.0, 0.0, 0.5)),
            change=kind,
            change_at=rng.randrange(225, 265),
            sign=rng.choice((-1, 1)),
        )
        for number, kind in enumerate(kinds)
    ]


def _fleet_story(machine: _Machine) -> str:
    higher = "higher" if machine.sign > 0 else "lower"
    return {
        "mean shift": f"the mean jumps {6 * machine.std:.1f} degrees {higher}",
        "spread": "the readings scatter five times as widely",
        "slope": f"the mean creeps {higher}, {0.15 * machine.std:.2f} degrees with each reading",
        "stuck": "the sensor repeats its last reading",
        "unit": "the sensor reports Fahrenheit instead of Celsius",
        "silent": "the readings are missing (null)",
    }[machine.change or ""]


def _fleet_messages(machines: list[_Machine], seed: int) -> Iterator[Message]:
    streams = [_fleet_sensor(machine, seed, phase) for phase, machine in enumerate(machines)]
    return heapq.merge(*streams, key=lambda message: message.ts)


def _fleet_sensor(machine: _Machine, seed: int, phase: int) -> Iterator[Message]:
    """Draw the readings of one machine: an autoregression around its mean."""
    rng = random.Random(f"{seed}/{machine.sensor_id}")  # noqa: S311 (data, not secrets)
    offset = phase * _FLEET_PERIOD // _FLEET_SENSORS
    deviation, last = 0.0, machine.mean
    for index in range(_FLEET_EVENTS):
        noise = rng.gauss(0, machine.std)
        # Scaled so that the spread is `std` whatever the memory.
        deviation = machine.memory * deviation + math.sqrt(1 - machine.memory**2) * noise
        reading = _fleet_reading(machine, index, deviation, last)
        if reading is not None:
            last = reading
        ts = _FLEET_START + index * _FLEET_PERIOD + offset
        fields = {"sensor_id": machine.sensor_id, "ts": format_timestamp(ts), "value": reading}
        yield Message("sensors", ts, machine.sensor_id, _dump(fields))


def _fleet_reading(machine: _Machine, index: int, deviation: float, last: float) -> float | None:
    """Change a reading as its machine has changed; None for one that is missing."""
    value = machine.mean + deviation
    since = index - machine.change_at
    if machine.change is None or since < 0:
        return round(value, 2)
    if machine.change == "mean shift":
        value += machine.sign * 6 * machine.std
    elif machine.change == "spread":
        value += 4 * deviation
    elif machine.change == "slope":
        value += machine.sign * 0.15 * machine.std * (since + 1)
    elif machine.change == "stuck":
        value = last
    elif machine.change == "unit":
        value = value * 9 / 5 + 32
    else:
        return None
    return round(value, 2)


def _dump(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


_MAKERS: dict[str, Callable[[int], Dataset]] = {
    "machine-temperature": _machine_temperature,
    "glassware": _glassware,
    "fleet": _fleet,
}
NAMES = tuple(_MAKERS)
