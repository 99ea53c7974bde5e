"""Drift events as they stand on the alerts topic: read, found by their id, shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from schemas.errors import ConfigurationError, DriftlineError
from schemas.timestamps import parse_timestamp
from streams.cli.output import emit, printable, say

if TYPE_CHECKING:
    from schemas.settings import Settings

ID_SHOWN = 12
_SHORTEST_ID = 6
_STYLES = {"drift": "bold red", "warning": "yellow", "recovered": "green"}


@dataclass(frozen=True, slots=True)
class Alert:
    """A drift event as it stands on the topic."""

    raw: bytes
    event: dict[str, Any]

    @property
    def ts(self) -> int:
        """Time of the event that fired, in microseconds."""
        return parse_timestamp(self.event["ts"])

    def fits(self, sensor: str | None, kind: str | None, since: int | None = None) -> bool:
        """Tell whether it passes the filters; None lets everything pass."""
        return (
            (sensor is None or self.event["sensor_id"] == sensor)
            and (kind is None or self.event["kind"] == kind)
            and (since is None or self.ts >= since)
        )


def read_alerts(settings: Settings) -> Iterator[Alert]:
    """Every drift event on the alerts topic, in the order of partition and offset."""
    from streams.cli.kafka import read_to_end

    return parsed(read_to_end(settings, settings.topic("alerts")))


def find_alert(settings: Settings, alert_id: str, *, episodes: bool = False) -> dict[str, Any]:
    """The drift event of that id, or the only one whose id begins so.

    Parameters
    ----------
    settings
        Of the deployment.
    alert_id
        The id, or how it begins.
    episodes
        Whether it may be that of an episode: its first drift then, or its first warning.

    Raises
    ------
    ConfigurationError
        It is too short, or several begin so.
    DriftlineError
        There is none.
    """
    if len(alert_id) < _SHORTEST_ID:
        raise ConfigurationError("ID", alert_id, f"at least {_SHORTEST_ID} characters of an id")
    found: dict[str, dict[str, Any]] = {}
    for alert in read_alerts(settings):
        event = alert.event
        if event["id"].startswith(alert_id):
            found[event["id"]] = event
        elif episodes and event["episode_id"].startswith(alert_id):
            told = found.get(event["episode_id"])
            if told is None or (told["kind"] == "warning" and event["kind"] == "drift"):
                found[event["episode_id"]] = event
    if not found:
        raise DriftlineError(f"ID: no alert on {settings.topic('alerts')} begins with {alert_id}")
    if len(found) > 1:
        raise ConfigurationError("ID", alert_id, f"more of it: {len(found)} alerts begin so")
    return next(iter(found.values()))


def show(alert: Alert, *, json: bool, acknowledged: str | None = None) -> None:
    """Write one alert: as it stands, or in plain words and with its acknowledgement."""
    if json:
        emit(alert.raw)
        return
    from streams.web.words import describe, strongest

    event = alert.event
    why = strongest(event)
    why = f"{why[0].upper()}{why[1:]}. " if why else ""
    say(
        f"{event['ts']}  {event['kind']:<9}  {event['severity']:<6}  "
        f"{printable(event['sensor_id'])}  {printable(describe(event))} "
        f"{printable(why)}({event['detector']} on {printable(event['signal'])})  "
        f"{event['id'][:ID_SHOWN]}"
        f"{f'  {printable(acknowledged)}' if acknowledged else ''}",
        style="dim" if acknowledged else _STYLES.get(event["kind"]),
    )


def parsed(messages: Iterable[Any]) -> Iterator[Alert]:
    """Messages of the topic, tombstones left out."""
    for message in messages:
        raw = message.value()
        if raw is not None:
            yield Alert(raw, orjson.loads(raw))


def acknowledged_ids(settings: Settings) -> dict[str, str]:
    """By id of the drift event: that it was acknowledged, by whom and when."""
    from streams.cli.kafka import read_to_end

    commands = (
        orjson.loads(message.value())
        for message in read_to_end(
            settings,
            settings.topic("control"),
            lambda message: b'"ack"' in (message.value() or b""),
        )
    )
    return {
        c["alert_id"]: "acknowledged"
        + (f" by {c['by']}" if c.get("by") else "")
        + (f" at {c['ts']}" if c.get("ts") else "")
        for c in commands
        if c.get("command") == "ack" and c.get("alert_id")
    }
