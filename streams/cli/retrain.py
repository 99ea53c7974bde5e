"""``driftline retrain``: ask for a batch retrain, and the worker that does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from schemas.errors import ConfigurationError, DriftlineError
from streams.cli.alert_topic import find_alert, read_alerts
from streams.cli.options import Config, Json, SensorId, Set, load, now
from streams.cli.output import emit, say

if TYPE_CHECKING:
    from schemas.settings import Settings

app = typer.Typer(help="Batch retraining.", rich_markup_mode=None)


@app.command()
def request(
    sensor: SensorId,
    alert: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Learn from the change point of this drift event on."),
    ] = None,
    start: Annotated[
        int | None,
        typer.Option("--from", min=0, metavar="OFFSET", help="First offset to learn from."),
    ] = None,
    end: Annotated[
        int | None,
        typer.Option("--to", min=1, metavar="OFFSET", help="Where to end: the next offset."),
    ] = None,
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Why.")
    ] = "asked for on the command line",
    config: Config = None,
    assignments: Set = None,
    json: Json = False,
) -> None:
    """Ask for a new model of a sensor, fitted on an exact range of its source partition.

    By default the range begins at the change point of the sensor's last drift event (without one,
    at the first event that is kept) and ends where the partition now ends.

    \b
    Examples:
      driftline retrain request press-7
      driftline retrain request press-7 --alert 3f2a90c1b7de
      driftline retrain request press-7 --from 12000 --to 15000 --reason "new tool"
    """
    settings = load(config, assignments)
    from schemas.codec import encode
    from schemas.events import RetrainRequest, SourceRange
    from schemas.ids import derived_id
    from streams.cli.kafka import Sender

    drift = _drift(settings, sensor, alert, start)
    topic, partition, low, high = _source(settings, sensor)
    first, cause = start, None
    if drift is not None:
        cause = drift["id"]
        first = (drift["change_point"] or {}).get("offset")
        if first is None:
            first = drift["source"]["offset"]
    first = low if first is None else max(first, low)
    last = high if end is None else min(end, high)
    if first >= last:
        raise ConfigurationError("--from", first, f"an offset from {low} to {high - 1}, below --to")
    ts = now()
    event = RetrainRequest(
        id=derived_id("retrain", sensor, topic, partition, first, last, ts),
        ts=ts,
        sensor_id=sensor,
        model=None,
        reason=reason,
        drift_event_id=cause,
        range=SourceRange(topic=topic, partition=partition, from_offset=first, to_offset=last),
    )
    message = encode(event)
    sender = Sender(settings, settings.topic("retrain"))
    sender.send(sensor.encode(), message)
    sender.finish()
    if json:
        emit(message)
    else:
        say(f"asked to retrain {sensor} on {topic}[{partition}] {first} to {last - 1}: {event.id}")


@app.command()
def run(config: Config = None, assignments: Set = None) -> None:
    """Run a retrain worker until SIGTERM or Ctrl-C.

    It takes the requests on the retrain topic, reads their range from Kafka, fits, evaluates
    against the running model on held-out data, and publishes to the models topic.

    \b
    Examples:
      driftline retrain run
      driftline retrain run -c production.toml
    """
    settings = load(config, assignments)
    from streams import logs, retrain_worker

    logs.configure(settings.log)
    raise typer.Exit(retrain_worker.run(settings) or 0)


def _drift(
    settings: Settings, sensor: str, alert: str | None, start: int | None
) -> dict[str, Any] | None:
    """The drift event that the range begins with; None where the caller says it otherwise."""
    if alert is not None:
        if start is not None:
            raise ConfigurationError("--from", start, "nothing beside --alert")
        drift = find_alert(settings, alert)
        if drift["sensor_id"] != sensor:
            raise ConfigurationError("--alert", alert, f"an alert of {sensor}")
        return drift
    if start is not None:
        return None
    drifts = [a.event for a in read_alerts(settings) if a.fits(sensor, "drift")]
    return max(drifts, key=lambda event: int(event["source"]["offset"]), default=None)


def _source(settings: Settings, sensor: str) -> tuple[str, int, int, int]:
    """Topic, partition, first and next offset of where a sensor's events are."""
    import confluent_kafka as ck

    from streams.cli.kafka import open_consumer, partitions_of
    from streams.partitioner import partition_for

    topic = settings.topic("sensors")
    with open_consumer(settings) as (consumer, metadata):
        partition = partition_for(sensor.encode(), len(partitions_of(metadata, topic)))
        low, high = consumer.get_watermark_offsets(
            ck.TopicPartition(topic, partition), timeout=10.0
        )
    if low == high:
        raise DriftlineError(f"{topic}[{partition}]: no events to learn {sensor} from")
    return topic, partition, low, high
