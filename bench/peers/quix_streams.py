"""A Quix Streams application over a topic of JSON, with River's model in a dict: nothing durable.

Its own state is a store of JSON values, which River's objects are not.
"""

# mypy: disable-error-code="import-not-found"
from __future__ import annotations

import sys
from typing import Any

from quixstreams import Application

from bench.peers.common import Milestones, Sensor


def main(bootstrap: str, prefix: str, milestones: Milestones) -> None:
    """Run a Quix application with one dataframe."""
    app = Application(
        bootstrap, consumer_group=prefix, auto_offset_reset="earliest", loglevel="WARNING"
    )
    events = app.topic(f"{prefix}.sensors", value_deserializer="json")
    alerts = app.topic(f"{prefix}.alerts", value_serializer="json")
    sensors: dict[str, Sensor] = {}

    def judge(event: dict[str, Any]) -> dict[str, Any] | None:
        sensor = sensors.get(event["sensor_id"])
        if sensor is None:
            sensor = sensors[event["sensor_id"]] = Sensor()
        error = sensor.judge(event["value"])
        milestones.passed()
        return None if error is None else event | {"score": error}

    found = app.dataframe(events).apply(judge).filter(lambda alert: alert is not None)
    found.to_topic(alerts)
    app.run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Milestones(map(int, sys.argv[4:])))
