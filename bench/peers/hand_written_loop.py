"""The loop that a user would write by hand: confluent-kafka, orjson, River, nothing durable."""

from __future__ import annotations

import sys

import orjson
from confluent_kafka import Consumer, Producer, TopicPartition

from bench.peers.common import Milestones, Sensor


def main(bootstrap: str, prefix: str, partitions: int, milestones: Milestones) -> None:
    """Consume, judge, produce."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": prefix,
            "enable.auto.commit": False,
            "queued.min.messages": 200_000,
            "auto.offset.reset": "earliest",
        }
    )
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 50})
    topic, alerts = f"{prefix}.sensors", f"{prefix}.alerts"
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    sensors: dict[str, Sensor] = {}
    while True:
        messages = consumer.consume(1000, 1.0)
        for message in messages:
            event = orjson.loads(message.value())
            name, value = event["sensor_id"], event["value"]
            sensor = sensors.get(name)
            if sensor is None:
                sensor = sensors[name] = Sensor()
            error = sensor.judge(value)
            if error is not None:
                alert = {"sensor_id": name, "ts": event["ts"], "value": value, "score": error}
                producer.produce(alerts, orjson.dumps(alert), name)
        producer.poll(0)
        milestones.passed(len(messages))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Milestones(map(int, sys.argv[4:])))
