"""The loop that a user would write by hand: confluent-kafka, orjson, River, nothing durable.

Usage: ``python -m bench.peers.hand_written_loop BOOTSTRAP TOPIC PARTITIONS EVENTS``. Prints one
JSON line: events, seconds from the first to the last of them, CPU seconds of the process in the
same time, alerts.
"""

from __future__ import annotations

import collections
import json
import sys
import time
from typing import Any

import orjson
from confluent_kafka import Consumer, Producer, TopicPartition
from river import drift, linear_model, preprocessing


class Sensor:
    """What the loop keeps of a sensor, in memory only."""

    __slots__ = ("adwin", "ddm", "lags", "mean", "model", "n", "page_hinkley")

    def __init__(self) -> None:
        self.lags: collections.deque[float] = collections.deque(maxlen=3)
        self.model = preprocessing.StandardScaler() | linear_model.LinearRegression()
        self.adwin = drift.ADWIN()
        self.page_hinkley = drift.PageHinkley()
        self.ddm = drift.binary.DDM()
        self.mean = 0.0
        self.n = 0


def main(bootstrap: str, topic: str, partitions: int, events: int) -> dict[str, Any]:
    """Consume `events` events and return what it took."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "hand-written",
            "enable.auto.commit": False,
            "queued.min.messages": 200_000,
            "auto.offset.reset": "earliest",
        }
    )
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 50})
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    sensors: dict[str, Sensor] = {}
    seen = alerts = 0
    started = cpu = 0.0
    while seen < events:
        messages = consumer.consume(1000, 1.0)
        if not started and messages:
            started, cpu = time.perf_counter(), time.process_time()
        for message in messages:
            event = orjson.loads(message.value())
            name, value = event["sensor_id"], event["value"]
            sensor = sensors.get(name)
            if sensor is None:
                sensor = sensors[name] = Sensor()
            error = 0.0
            if len(sensor.lags) == 3:
                x = {"l1": sensor.lags[0], "l2": sensor.lags[1], "l3": sensor.lags[2]}
                error = abs(sensor.model.predict_one(x) - value)
                sensor.model.learn_one(x, value)
            sensor.lags.append(value)
            sensor.n += 1
            sensor.mean += (error - sensor.mean) / sensor.n
            sensor.adwin.update(error)
            sensor.page_hinkley.update(error)
            sensor.ddm.update(1 if error > 2 * sensor.mean else 0)
            if (
                sensor.adwin.drift_detected
                or sensor.page_hinkley.drift_detected
                or sensor.ddm.drift_detected
            ):
                alerts += 1
                alert = {"sensor_id": name, "ts": event["ts"], "value": value, "score": error}
                producer.produce(f"{topic}-alerts", orjson.dumps(alert))
        producer.poll(0)
        seen += len(messages)
    result = {
        "events": seen,
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu,
        "alerts": alerts,
    }
    producer.flush()
    consumer.close()
    return result


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
