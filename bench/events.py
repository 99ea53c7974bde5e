"""The events that are measured: stationary readings of many sensors, the same in every run."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import orjson

SEED = 1
START = 1_767_614_400
SPACING = 10.0
"""Seconds between two readings of a sensor, however many sensors there are: where they send seldom,
more of their days end in the same number of events."""
_BLOCK = 10_000


def sensor_name(number: int) -> str:
    """Return the id of one of the sensors."""
    return f"s-{number:06d}"


def readings(
    count: int, sensors: int, first: int = 0, first_sensor: int = 0
) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and value of stationary N(20, 1) readings of `sensors` sensors in turn.

    Parameters
    ----------
    count
        How many.
    sensors
        How many sensors there are.
    first
        Number of the first event: one run continues another.
    first_sensor
        Number of the first of the sensors.
    """
    names = [sensor_name(number) for number in range(first_sensor, first_sensor + sensors)]
    keys = [name.encode() for name in names]
    rng = np.random.default_rng([SEED, first])
    apart = SPACING / sensors
    for block in range(first, first + count, _BLOCK):
        size = min(_BLOCK, first + count - block)
        for number, value in enumerate(rng.normal(20.0, 1.0, size).tolist(), block):
            sensor = number % sensors
            event = {"sensor_id": names[sensor], "ts": START + number * apart, "value": value}
            yield keys[sensor], orjson.dumps(event)
