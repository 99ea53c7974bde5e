"""A steady load in which every tenth sensor may change once, as a process of its own.

Usage: ``python -m bench.load BOOTSTRAP TOPIC RATE SECONDS SENSORS CHANGES``; the last is 1 if
sensors are to change, else 0. The times of the events are those of the clock as they are handed to
the producer. Prints ``begins``, and one JSON line at its end: ``sent``, ``seconds``, and ``late``,
the longest that it was behind its plan.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from confluent_kafka import Producer

from bench.events import SEED, sensor_name

TICK_SECONDS = 0.002
CHANGING = 10
"""One in so many sensors changes: to relearn takes a worker longer than a usual event does."""
SHIFT = 10.0
"""Of the mean, in standard deviations: every change is found within a few events."""
_DRAWN = 10_007
"""Readings that are drawn beforehand, a prime: no sensor sees the same ones every time."""


def main(
    bootstrap: str, topic: str, rate: float, seconds: float, sensors: int, changes: int
) -> dict[str, float]:
    """Send `rate` events a second; every tenth sensor changes, one after the other, or none."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
        }
    )
    names = [sensor_name(number) for number in range(sensors)]
    keys = [name.encode() for name in names]
    heads = [f'{{"sensor_id":"{name}","ts":'.encode() for name in names]
    drawn = np.random.default_rng(SEED).normal(20.0, 1.0, _DRAWN)
    before = [b',"value":%r}' % value for value in drawn.tolist()]
    after = [b',"value":%r}' % value for value in (drawn + SHIFT).tolist()]
    total = round(rate * seconds)
    sent, late = 0, 0.0
    print("begins", flush=True)
    started = time.time()
    while sent < total:
        now = time.time()
        due = min(total, int((now - started) * rate))
        late = max(late, (due - sent) / rate - TICK_SECONDS)
        ts = b"%.6f" % now
        changed = changes * int((now - started) / seconds * sensors)
        for number in range(sent, due):
            sensor = number % sensors
            readings = after if sensor < changed and sensor % CHANGING == 0 else before
            tail = readings[number % _DRAWN]
            _produce(producer, topic, heads[sensor] + ts + tail, keys[sensor])
        producer.poll(0)
        sent = due
        time.sleep(max(0.0, now + TICK_SECONDS - time.time()))
    spent = time.time() - started
    producer.flush()
    return {"sent": sent, "seconds": spent, "late": late}


def _produce(producer: Producer, topic: str, value: bytes, key: bytes) -> None:
    try:
        producer.produce(topic, value, key)
    except BufferError:
        # More than the broker takes: from here on it is late.
        producer.poll(0.01)
        _produce(producer, topic, value, key)


if __name__ == "__main__":
    _, where, what, rate, seconds, *counts = sys.argv
    print(json.dumps(main(where, what, float(rate), float(seconds), *map(int, counts))))
