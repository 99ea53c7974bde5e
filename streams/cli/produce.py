"""``driftline produce``: recorded events onto Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from streams.cli.options import Config, Json, Set, load
from streams.cli.output import emit, note, say
from streams.cli.progress import progress

if TYPE_CHECKING:
    from streams.cli.kafka import Sender
    from streams.files import Columns


def produce(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="CSV or JSON lines, also gzip; - is stdin.")
    ],
    topic: Annotated[
        Literal["sensors", "labels"], typer.Option(help="What the lines are.")
    ] = "sensors",
    sensor: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="CSV: the column with the sensor id [default: sensor_id, else the file's name].",
        ),
    ] = None,
    timestamp: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="CSV: the column with the time [default: ts, timestamp, time]."
        ),
    ] = None,
    value: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="CSV: the column with the reading [default: value, else all other columns are "
            "features].",
        ),
    ] = None,
    config: Config = None,
    assignments: Set = None,
    json: Json = False,
) -> None:
    """Produce recorded events, keyed by sensor, partitioned as Kafka's Java clients do (murmur2).

    A time without a zone is read as UTC, an empty cell as a missing reading. A line that is no
    event is named on stderr and not sent; the others are, and the exit code is then 1.

    \b
    Examples:
      driftline produce temperature.csv
      driftline produce line-4.csv --sensor machine --timestamp when --value celsius
      driftline produce verdicts.jsonl --topic labels
      zcat events.jsonl.gz | driftline produce - -c production.toml --json
    """
    settings = load(config, assignments)
    from streams.cli.kafka import Sender
    from streams.files import Columns

    columns = Columns(sensor, timestamp, value)
    sender = Sender(settings, settings.topic(topic))
    try:
        invalid = _send_all(sender, file, topic, columns)
    finally:
        # After Ctrl-C too: what was handed over is not taken back.
        sender.flush()
    if json:
        emit({"sent": sender.sent, "invalid": invalid, "failed": sender.failed})
    else:
        say(f"{sender.sent:,} messages sent to {sender.topic}")
    if invalid:
        note(f"{invalid:,} lines are no {topic.removesuffix('s')} events and were not sent")
    if sender.failed:
        note(f"{sender.failed:,} messages were not delivered: {sender.reason}")
    if invalid or sender.failed:
        raise typer.Exit(1)


def _send_all(
    sender: Sender, file: str, kind: Literal["sensors", "labels"], columns: Columns
) -> int:
    """Send every line that is a message; return how many are none."""
    from streams.files import read_records

    invalid = 0
    with progress(file, f"to {sender.topic}") as wrap:
        for line, message in read_records(file, kind=kind, columns=columns, wrap=wrap):
            if isinstance(message, bytes):
                sender.send(_key(message, kind), message)
            else:
                invalid += 1
                note(f"line {line}: {message}")
    return invalid


def _key(message: bytes, kind: Literal["sensors", "labels"]) -> bytes:
    from schemas.codec import decode_label, decode_reading

    decoded = decode_reading(message) if kind == "sensors" else decode_label(message)
    return decoded.sensor_id.encode()
