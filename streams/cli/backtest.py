"""``driftline backtest``: the whole pipeline on recorded events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from schemas.errors import ConfigurationError
from streams.cli.options import Config, Json, Set, load
from streams.cli.output import note, say

if TYPE_CHECKING:
    from streams.files import Columns, Kind


def backtest(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="CSV or JSON lines, also gzip; - is stdin.")
    ],
    labels: Annotated[
        str | None, typer.Option(metavar="FILE", help="Labels: sensor_id, event_id, ts, label.")
    ] = None,
    sensor: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="CSV: the column with the sensor id.")
    ] = None,
    timestamp: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="CSV: the column with the time.")
    ] = None,
    value: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="CSV: the column with the reading.")
    ] = None,
    windows: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Labelled windows to hold the alarms against: JSON as NAB's, or CSV with the "
            "columns sensor, start and end.",
        ),
    ] = None,
    config: Config = None,
    assignments: Set = None,
    json: Json = False,
) -> None:
    """Run learner, detectors, calibration and episodes on recorded events. No Kafka.

    Prints the drift events that a worker would, in the same order, the same from run to run.

    With --windows, a table on stderr then says which labelled windows were found, how soon, and
    how many alarms were false, beside River's detectors at River's defaults and as many alarms
    that are evenly spaced. With --json it is the last line instead, of the kind "scores".

    \b
    Examples:
      driftline backtest temperature.csv
      driftline backtest items.csv --labels verdicts.csv --set learner.task=classification
      driftline backtest line-4.csv --sensor machine --value celsius --json
      driftline backtest temperature.csv --windows faults.csv
    """
    settings = load(config, assignments)
    from streams import logs
    from streams.backtest import Backtest, merge
    from streams.cli.alerts import Alert, show
    from streams.comparison import Recording
    from streams.files import Columns
    from streams.windows import read_windows

    recording = None if windows is None else Recording(read_windows(windows), readings=True)
    logs.configure(settings.log)
    backtest = Backtest(settings)
    refused = Counter[str]()
    events = _valid(file, "sensors", refused, Columns(sensor, timestamp, value))
    verdicts = _valid(labels, "labels", refused) if labels is not None else iter(())
    for kind, message in merge(events, verdicts):
        if recording is not None and kind == "sensors":
            recording.add(message)
        for alert in backtest.feed(kind, message):
            event = orjson.loads(alert)
            show(Alert(alert, event), json=json)
            if recording is not None:
                recording.note(event)
        for refusal in backtest.refusals:
            note(refusal)
    totals = backtest.totals
    summary = f"{totals.scored:,} events scored, {totals.alerts:,} drift events"
    if totals.labels:
        summary += f", {totals.labels.get('matched', 0):,} labels matched"
    (note if json else say)(summary)
    if refused:
        note(f"{refused.total():,} lines are no messages and were left out")
    if totals.dead_letters:
        note(f"{totals.dead_letters:,} messages could not be used: a worker dead-letters them")
    if recording is not None:
        from streams.cli import scores

        recording.check()
        scores.show(recording, list(recording.compare()), json=json)
    if refused or totals.dead_letters:
        raise typer.Exit(1)


def _valid(
    path: str, kind: Kind, refused: Counter[str], columns: Columns | None = None
) -> Iterator[bytes]:
    """Yield the messages of a file; name each line that is none."""
    from streams.cli.progress import progress
    from streams.files import read_records

    try:
        with progress(path) as wrap:
            for number, message in read_records(path, kind=kind, columns=columns, wrap=wrap):
                if isinstance(message, bytes):
                    yield message
                else:
                    refused[path] += 1
                    note(f"{path}: line {number}: {message}")
    except ConfigurationError as error:
        if kind == "sensors" or error.field != "FILE":
            raise
        raise ConfigurationError("--labels", error.value, error.allowed) from None
