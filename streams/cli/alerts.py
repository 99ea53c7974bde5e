"""``driftline alerts``: read the drift events, and answer them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from schemas.errors import ConfigurationError, DriftlineError
from schemas.timestamps import format_timestamp
from streams.cli.alert_topic import (
    ID_SHOWN,
    Alert,
    acknowledged_ids,
    find_alert,
    parsed,
    read_alerts,
    show,
)
from streams.cli.options import Config, Json, SensorId, Set, duration, load, moment, now
from streams.cli.output import emit, say

if TYPE_CHECKING:
    from schemas.settings import Settings

app = typer.Typer(help="Read the drift events, and answer them.", rich_markup_mode=None)

Sensor = Annotated[str | None, typer.Option(metavar="ID", help="Only this sensor.")]
Kind = Annotated[
    Literal["warning", "drift", "recovered"] | None, typer.Option(help="Only this kind.")
]


Reason = Annotated[str | None, typer.Option(metavar="TEXT", help="A note to it.")]
By = Annotated[str | None, typer.Option(metavar="NAME", help="Who says so.")]

_WITHOUT_THRESHOLD = ("stuck", "range", "rate", "schema")
"""Checks that know a fault by what it is, not by how far it goes."""


@app.command("list")
def list_(
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="From this time on: 2026-01-05T12:00:00Z, or 2h ago."),
    ] = None,
    sensor: Sensor = None,
    kind: Kind = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only the N latest of them.")
    ] = None,
    config: Config = None,
    assignments: Set = None,
    json: Json = False,
) -> None:
    """List the drift events on the alerts topic in the order of their time, and end.

    --json writes each as it stands on the topic.

    \b
    Examples:
      driftline alerts list
      driftline alerts list --since 24h --kind drift
      driftline alerts list --sensor press-7 --limit 10 --json
    """
    settings = load(config, assignments)
    start = None if since is None else moment("--since", since)
    found = [alert for alert in read_alerts(settings) if alert.fits(sensor, kind, start)]
    found.sort(key=lambda alert: alert.ts)
    acknowledged = {} if json else acknowledged_ids(settings)
    for alert in found[-limit:] if limit else found:
        show(alert, json=json, acknowledged=acknowledged.get(alert.event["id"]))


@app.command()
def tail(
    lines: Annotated[
        int, typer.Option("-n", "--lines", min=0, metavar="N", help="Begin with the last N.")
    ] = 10,
    sensor: Sensor = None,
    kind: Kind = None,
    config: Config = None,
    assignments: Set = None,
    json: Json = False,
) -> None:
    """Show the latest drift events, then each new one as it comes, until Ctrl-C.

    \b
    Examples:
      driftline alerts tail
      driftline alerts tail -n 0 --kind drift --json | while read -r alert; do notify; done
    """
    settings = load(config, assignments)
    from collections import deque

    import confluent_kafka as ck

    from streams.cli.kafka import follow, open_consumer, partitions_of, until_end

    topic = settings.topic("alerts")
    with open_consumer(settings) as (consumer, metadata):
        partitions = partitions_of(metadata, topic)
        consumer.assign(
            [ck.TopicPartition(topic, p, _back(consumer, topic, p, lines)) for p in partitions]
        )
        latest: deque[Alert] = deque(maxlen=lines)
        # Up to here it is history; it is sorted, since partitions come one after the other.
        history = parsed(until_end(consumer, topic, len(partitions)))
        latest.extend(
            sorted((a for a in history if a.fits(sensor, kind)), key=lambda alert: alert.ts)
        )
        for alert in latest:
            show(alert, json=json)
        for alert in parsed(follow(consumer)):
            if alert.fits(sensor, kind):
                show(alert, json=json)


@app.command()
def ack(
    alert_id: Annotated[
        str, typer.Argument(metavar="ID", help="Id of a drift event, or how it begins.")
    ],
    reason: Reason = None,
    by: By = None,
    config: Config = None,
    assignments: Set = None,
    json: Json = False,
) -> None:
    """Acknowledge a drift event: somebody has taken care of it.

    \b
    Examples:
      driftline alerts ack 3f2a90c1b7de
      driftline alerts ack 3f2a90c1b7de --by anna --reason "bearing replaced"
    """
    settings = load(config, assignments)
    alert = find_alert(settings, alert_id)
    _control(
        settings,
        json,
        f"acknowledged {alert['id'][:ID_SHOWN]} of {alert['sensor_id']}",
        command="ack",
        sensor_id=alert["sensor_id"],
        alert_id=alert["id"],
        episode_id=alert["episode_id"],
        reason=reason,
        by=by,
    )


@app.command()
def mute(
    sensor: SensorId,
    for_: Annotated[
        str | None,
        typer.Option(
            "--for", metavar="DURATION", help="How long: 30m, 2h, 1d [default: for good]."
        ),
    ] = None,
    config: Config = None,
    assignments: Set = None,
    json: Json = False,
) -> None:
    """Stop the alerts of a sensor, for a while or until `alerts unmute`.

    \b
    Examples:
      driftline alerts mute press-7 --for 2h
      driftline alerts mute press-7
    """
    settings = load(config, assignments)
    length = None if for_ is None else duration("--for", for_)
    if length == 0:
        raise ConfigurationError("--for", for_, "a duration greater than 0")
    until = None if length is None else now() + length
    end = "until it is unmuted" if until is None else f"until {format_timestamp(until)}"
    _control(settings, json, f"muted {sensor} {end}", command="mute", sensor_id=sensor, until=until)


@app.command()
def unmute(
    sensor: SensorId,
    config: Config = None,
    assignments: Set = None,
    json: Json = False,
) -> None:
    """Let a muted sensor raise alerts again.

    \b
    Examples:
      driftline alerts unmute press-7
    """
    settings = load(config, assignments)
    _control(settings, json, f"unmuted {sensor}", command="unmute", sensor_id=sensor)


@app.command()
def feedback(
    alert_id: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="Id of a drift event or of an episode, or how it begins."
        ),
    ],
    false_alarm: Annotated[
        bool, typer.Option("--false-alarm", help="Nothing had changed, or nothing that matters.")
    ] = False,
    reason: Reason = None,
    by: By = None,
    config: Config = None,
    assignments: Set = None,
    json: Json = False,
) -> None:
    """Say what a drift event turned out to be, so that the sensor's thresholds learn from it.

    A false alarm raises the thresholds of that signal of that sensor by a quarter, up to three
    times what they were; of all sensors that the alert names, if it is one of the fleet.

    \b
    Examples:
      driftline alerts feedback 3f2a90c1b7de --false-alarm
      driftline alerts feedback 3f2a90c1b7de --false-alarm --by anna --reason "door was open"
    """
    if not false_alarm:
        from schemas.settings_errors import Words

        raise ConfigurationError("--false-alarm", Words("nothing"), "it: there is no other verdict")
    settings = load(config, assignments)
    alert = find_alert(settings, alert_id, episodes=True)
    if alert["detector"] in _WITHOUT_THRESHOLD:
        raise DriftlineError(
            f"ID: the check {alert['detector']} has no threshold to raise: "
            f"`driftline alerts mute {alert['sensor_id']}` silences the sensor"
        )
    for sensor in alert.get("members") or [alert["sensor_id"]]:
        _control(
            settings,
            json,
            f"false alarm: thresholds of {alert['signal']} of {sensor} are raised",
            command="feedback",
            sensor_id=sensor,
            verdict="false_alarm",
            signal=alert["signal"],
            drift_event_id=alert["id"],
            episode_id=alert["episode_id"],
            reason=reason,
            by=by,
        )


def _back(consumer: Any, topic: str, partition: int, lines: int) -> int:
    """An offset that most likely has the last `lines` alerts behind it.

    Each transaction leaves a marker that takes an offset too, hence more than `lines`.
    """
    import confluent_kafka as ck

    low, high = consumer.get_watermark_offsets(ck.TopicPartition(topic, partition), timeout=10.0)
    return max(low, high - 10 * lines) if lines else int(ck.OFFSET_END)


def _control(settings: Settings, json: bool, done: str, **fields: Any) -> None:
    from streams.cli.kafka import send_control

    given = {name: value for name, value in fields.items() if value is not None}
    message = send_control(settings, **given)
    if json:
        emit(message)
    else:
        say(done)
