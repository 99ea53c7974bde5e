"""``driftline backtest``: the whole pipeline on recorded events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeGuard

import orjson
import typer

from schemas.errors import ConfigurationError
from streams.cli.options import Config, Json, Set, load, overrides
from streams.cli.output import note, say
from streams.cli.sweep import Wanted
from streams.cli.sweep import show as show_sweep

if TYPE_CHECKING:
    from schemas.settings import Settings
    from streams.backtest import Backtest
    from streams.files import Columns, Kind
    from streams.records import FileRecord
    from streams.windows import Windows

_OF_FILES: Final = ("--labels", "--sensor", "--timestamp", "--value")


def backtest(
    file: Annotated[
        str | None,
        typer.Argument(metavar="FILE", help="CSV or JSON lines, also gzip; - is stdin."),
    ] = None,
    topic: Annotated[
        bool,
        typer.Option(
            "--topic", help="Instead of FILE: what stands on the sensors and labels topics."
        ),
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="With --topic: records from this Kafka time on: 2026-01-05T12:00:00Z, or 2h ago.",
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="With --topic: records before this time.")
    ] = None,
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
    """Run learner, detectors, calibration and episodes on recorded events, without a worker.

    Prints the drift events that a worker would, in the same order, the same from run to run.

    With --windows, a table on stderr then says which labelled windows were found, how soon, and
    how many alarms were false, beside River's detectors at River's defaults and as many alarms
    that are evenly spaced. With --json it is the last line instead, of the kind "scores".

    With --sweep or --vary there is one line per combination of values instead, the best one first:
    by F1, then by false alarms. What was chosen on some windows is to be checked on others.

    With --topic the events come from Kafka, where they are left as they are, with the partitions
    and offsets that they have there; in the order of Kafka's timestamps, labels included. The
    first of them meet untrained models.

    \b
    Examples:
      driftline backtest temperature.csv
      driftline backtest items.csv --labels verdicts.csv --set learner.task=classification
      driftline backtest line-4.csv --sensor machine --value celsius --json
      driftline backtest --topic --since 24h --set detectors.warmup=200
      driftline backtest temperature.csv --windows faults.csv
      driftline backtest temperature.csv --windows faults.csv --vary detectors.warmup=50,100,200
    """
    settings = load(config, assignments)
    from schemas.settings_errors import Words
    from streams import logs
    from streams.files import Columns
    from streams.windows import read_windows

    logs.configure(settings.log)
    wanted = Wanted(sweep, vary or (), plot, write)
    wanted.check(file or "", labels, windows)
    labelled = None if windows is None else read_windows(windows)
    columns = Columns(sensor, timestamp, value)
    refused = Counter[str]()
    if file is None:
        if not topic:
            raise ConfigurationError("FILE", Words("nothing"), "a file, or --topic")
        of_files = (labels, sensor, timestamp, value)
        _refuse(zip(_OF_FILES, of_files, strict=True), "FILE beside it: --topic reads messages")
        if wanted.anything:
            raise ConfigurationError("--topic", Words("its use"), "FILE with --sweep and --vary")
        dead_letters = _run_topic(settings, since, until, labelled, json=json)
        if dead_letters:
            note(f"{dead_letters:,} messages could not be used: a worker dead-letters them")
            raise typer.Exit(1)
        return
    if topic:
        raise ConfigurationError("FILE", file, "nothing beside --topic")
    _refuse((("--since", since), ("--until", until)), "--topic beside it")
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
        from streams.backtest import Backtest, merge

        of_file = Backtest(settings)
        placed = ((kind, *of_file.placed(kind, raw)) for kind, raw in merge(events, verdicts))
        dead_letters = _run(of_file, placed, labelled, json=json)
    if refused:
        note(f"{refused.total():,} lines are no messages and were left out")
    if dead_letters:
        note(f"{dead_letters:,} messages could not be used: a worker dead-letters them")
    if refused or dead_letters:
        raise typer.Exit(1)


def _refuse(options: Iterable[tuple[str, str | None]], allowed: str) -> None:
    for name, given in options:
        if given is not None:
            raise ConfigurationError(name, given, allowed)


def _run_topic(
    settings: Settings,
    since: str | None,
    until: str | None,
    windows: Windows | None,
    *,
    json: bool,
) -> int:
    """Run on what stands on Kafka; return the number of dead letters."""
    from streams.backtest import Backtest
    from streams.cli.options import moment
    from streams.cli.recorded import read_recorded

    begin = None if since is None else moment("--since", since)
    end = None if until is None else moment("--until", until)
    if begin is not None and end is not None and end <= begin:
        raise ConfigurationError("--until", until, f"a time later than --since {since}")
    return _run(Backtest(settings), read_recorded(settings, begin, end), windows, json=json)


def _run(
    backtest: Backtest,
    records: Iterable[tuple[str, int, FileRecord]],
    windows: Windows | None,
    *,
    json: bool,
) -> int:
    """Print the drift events and what they come to; return the number of dead letters."""
    from streams.cli import scores
    from streams.cli.alert_topic import Alert, show
    from streams.comparison import Recording

    recording = None if windows is None else Recording(windows, readings=True)
    for kind, partition, record in records:
        if recording is not None and kind == "sensors" and _is_reading(record.value):
            recording.add(record.value)
        for alert in backtest.take(kind, partition, record):
            event = orjson.loads(alert)
            show(Alert(alert, event), json=json)
            if recording is not None:
                recording.note(event)
        if recording is not None:
            recording.note_absorbed(backtest.absorbed)
        for refusal in backtest.refusals:
            note(refusal)
    totals = backtest.totals
    summary = f"{totals.scored:,} events scored, {totals.alerts:,} drift events"
    if totals.labels:
        summary += f", {totals.labels.get('matched', 0):,} labels matched"
    if totals.withheld:
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in sorted(totals.withheld.items()))
        summary += f", {sum(totals.withheld.values()):,} events kept from the model ({reasons})"
    (note if json else say)(summary)
    if recording is not None:
        recording.check()
        scores.show(recording, list(recording.compare()), json=json)
    return totals.dead_letters


def _is_reading(message: bytes | None) -> TypeGuard[bytes]:
    from schemas.codec import decode_reading
    from schemas.errors import InvalidMessage

    try:
        decode_reading(message)
    except InvalidMessage:
        return False
    return True


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
