"""A Faust agent as its documentation writes one, with River's model in a dict: nothing durable."""

from __future__ import annotations

import sys
from typing import Any

import faust

from bench.peers.common import Milestones, Sensor


class Event(faust.Record, serializer="json"):  # type: ignore[call-arg, misc]
    """A reading of a sensor."""

    sensor_id: str
    ts: float
    value: float


def main(bootstrap: str, prefix: str, partitions: int, milestones: Milestones) -> None:
    """Run a Faust worker with one agent."""
    app = faust.App(
        prefix,
        broker=f"kafka://{bootstrap}",
        topic_partitions=partitions,
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
    )
    events = app.topic(f"{prefix}.sensors", value_type=Event)
    alerts = app.topic(f"{prefix}.alerts", value_serializer="json")
    sensors: dict[str, Sensor] = {}

    @app.agent(events)  # type: ignore[untyped-decorator]
    async def watch(stream: Any) -> None:
        async for event in stream:
            sensor = sensors.get(event.sensor_id)
            if sensor is None:
                sensor = sensors[event.sensor_id] = Sensor()
            error = sensor.judge(event.value)
            if error is not None:
                alert = event.asdict() | {"score": error}
                await alerts.send(key=event.sensor_id, value=alert)
            milestones.passed()

    # Its banner and its spinner go where its log goes.
    worker = faust.Worker(app, loglevel="WARNING", stdout=sys.stderr, redirect_stdouts=False)
    worker.execute_from_commandline()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Milestones(map(int, sys.argv[4:])))
