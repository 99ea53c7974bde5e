"""``driftline backtest``: the whole pipeline on recorded events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from schemas.errors import ConfigurationError
from streams.cli.options import Config, Json, Set, load, overrides
from streams.cli.output import note, say
from streams.cli.sweep import Wanted
from streams.cli.sweep import show as show_sweep

if TYPE_CHECKING:
    from schemas.settings import Settings
    from streams.files import Columns, Kind
    from streams.windows import Windows


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
    sweep: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="TOML like a configuration, with a list of values to try per key."
        ),
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=V1,V2", help="Values of one key to try. May be repeated: all combinations."
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A picture of the combinations: .png or .html."),
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The best combination as a configuration (TOML)."),
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

    With --sweep or --vary there is one line per combination of values instead, the best one first:
    by F1, then by false alarms. What was chosen on some windows is to be checked on others.

    \b
    Examples:
      driftline backtest temperature.csv
      driftline backtest items.csv --labels verdicts.csv --set learner.task=classification
      driftline backtest line-4.csv --sensor machine --value celsius --json
      driftline backtest temperature.csv --windows faults.csv
      driftline backtest temperature.csv --windows faults.csv --vary detectors.warmup=50,100,200
    """
    settings = load(config, assignments)
    from streams import logs
    from streams.files import Columns
    from streams.windows import read_windows

    logs.configure(settings.log)
    wanted = Wanted(sweep, vary or (), plot, write)
    wanted.check(file, labels, windows)
    labelled = None if windows is None else read_windows(windows)
    columns = Columns(sensor, timestamp, value)
    refused = Counter[str]()
    events = _valid(file, "sensors", refused, columns)
    verdicts = _valid(labels, "labels", refused) if labels is not None else iter(())
    if wanted.anything:
        from streams.sweep import Data, combinations, run

        assert labelled is not None
        made = combinations(wanted.varied(), config, overrides(assignments))
        _look_through(events, verdicts, labelled)
        show_sweep(wanted, made, run(Data(file, labels, columns, labelled), made), json=json)
        dead_letters = 0
    else:
        dead_letters = _run(settings, events, verdicts, labelled, json=json)
    if refused:
        note(f"{refused.total():,} lines are no messages and were left out")
    if dead_letters:
        note(f"{dead_letters:,} messages could not be used: a worker dead-letters them")
    if refused or dead_letters:
        raise typer.Exit(1)


def _run(
    settings: Settings,
    events: Iterator[bytes],
    verdicts: Iterator[bytes],
    windows: Windows | None,
    *,
    json: bool,
) -> int:
    """Print the drift events and what they come to; return the number of dead letters."""
    from streams.backtest import Backtest, merge
    from streams.cli import scores
    from streams.cli.alerts import Alert, show
    from streams.comparison import Recording

    recording = None if windows is None else Recording(windows, readings=True)
    backtest = Backtest(settings)
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
    if recording is not None:
        recording.check()
        scores.show(recording, list(recording.compare()), json=json)
    return totals.dead_letters


def _look_through(events: Iterator[bytes], verdicts: Iterator[bytes], windows: Windows) -> None:
    """Name what is wrong with the data once, and before all the work."""
    from streams.comparison import Recording

    recording = Recording(windows, readings=False)
    for message in events:
        recording.add(message)
    for _ in verdicts:
        pass
    recording.check()
    unused = recording.unused()
    if unused:
        note(f"{unused:,} windows hold no event of their sensor and were left out")


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
