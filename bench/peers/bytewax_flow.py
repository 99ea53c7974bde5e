"""A Bytewax dataflow from Kafka to Kafka, with River's model as keyed state: nothing durable."""

# mypy: disable-error-code="import-not-found"
from __future__ import annotations

import sys
from typing import Any

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSourceMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow
from bytewax.run import cli_main

from bench.peers.common import Milestones, Sensor

Event = dict[str, Any]


def main(bootstrap: str, prefix: str, milestones: Milestones) -> None:
    """Run a dataflow with one stateful step."""

    def keyed(message: KafkaSourceMessage[bytes, bytes]) -> tuple[str, Event]:
        event = orjson.loads(message.value)
        return event["sensor_id"], event

    def judge(sensor: Sensor | None, event: Event) -> tuple[Sensor, Event | None]:
        sensor = sensor or Sensor()
        error = sensor.judge(event["value"])
        milestones.passed()
        return sensor, None if error is None else event | {"score": error}

    def message(pair: tuple[str, Event | None]) -> KafkaSinkMessage[bytes, bytes] | None:
        name, alert = pair
        return None if alert is None else KafkaSinkMessage(name.encode(), orjson.dumps(alert))

    flow = Dataflow("drift")
    source = kop.input("events", flow, brokers=[bootstrap], topics=[f"{prefix}.sensors"])
    found = op.stateful_map("judge", op.map("key", source.oks, keyed), judge)
    alerts = op.filter_map("alert", found, message)
    kop.output("alerts", alerts, brokers=[bootstrap], topic=f"{prefix}.alerts")
    cli_main(flow)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Milestones(map(int, sys.argv[4:])))
