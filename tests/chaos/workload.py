"""What goes in: seeded sensors that change every now and then, with bad records among them."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

import orjson
from confluent_kafka import KafkaError, Message, Producer

SENSORS = 60
CHANGE_EVERY = 60
"""Events of one sensor between two changes of its level."""
BAD_SHARE = 0.01
FIRST_TS = 1_767_614_400

_BAD: tuple[bytes | None, ...] = (
    None,
    b"",
    b"[1, 2]",
    b'{"sensor_id":"press-1"',
    b'{"sensor_id":"press-1","ts":1767614400,"value":NaN}',
    b'{"sensor_id":"press-1","ts":1767614400,"value":"21"}',
    b'{"sensor_id":"","ts":1767614400,"value":1}',
    b'{"sensor_id":"press-1","ts":1767614400,"value":1,"value":2}',
    b"\xff\xfe",
)


def messages(seed: int, events: int) -> Iterator[tuple[bytes, bytes | None]]:
    """Yield (key, value) of each record, the same for the same seed."""
    draw = random.Random(seed)
    sent = [0] * SENSORS
    for number in range(events):
        sensor = draw.randrange(SENSORS)
        name = f"press-{sensor}"
        key = name.encode()
        if draw.random() < BAD_SHARE:
            yield key, draw.choice(_BAD)
            continue
        level = 20.0 + 5.0 * (sent[sensor] // CHANGE_EVERY % 2)
        sent[sensor] += 1
        yield (
            key,
            orjson.dumps(
                {
                    "sensor_id": name,
                    "ts": FIRST_TS + number,
                    "value": None if draw.random() < 0.002 else draw.gauss(level, 1.0),
                }
            ),
        )


class Feeder(threading.Thread):
    """Produces a workload at an even pace, so that every fault meets workers at work.

    Parameters
    ----------
    bootstrap_servers, topic
        Where to.
    seed, events
        Which workload.
    seconds
        How long it takes at least.
    """

    def __init__(
        self, bootstrap_servers: str, topic: str, seed: int, events: int, seconds: float
    ) -> None:
        super().__init__(daemon=True)
        self._topic = topic
        self._workload = messages(seed, events)
        self._pause = seconds / max(1, events)
        self._cancelled = threading.Event()
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 5,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
            }
        )
        self.produced = 0
        self.failed: list[KafkaError] = []

    def run(self) -> None:
        """Produce everything; nothing is given up."""
        began = time.monotonic()
        for number, (key, value) in enumerate(self._workload):
            ahead = number * self._pause - (time.monotonic() - began)
            if ahead > 0:
                self._cancelled.wait(ahead)
            if self._cancelled.is_set():
                break
            while True:
                try:
                    self._producer.produce(
                        self._topic, key=key, value=value, on_delivery=self._sent
                    )
                    break
                except BufferError:
                    self._producer.poll(0.1)
            self._producer.poll(0)
        while self._producer.flush(1.0) and not self._cancelled.is_set():
            pass

    def cancel(self) -> None:
        """Stop before the end."""
        self._cancelled.set()
        self.join()

    def _sent(self, error: KafkaError | None, _: Message) -> None:
        if error is None:
            self.produced += 1
        else:
            self.failed.append(error)
