"""The worker's pipeline on recorded events, without Kafka.

Each line takes the partition and the offset that `driftline produce` into empty topics
would have given it, so the drift events are those of a worker, ids included. The policy
takes no part: it answers with a delay that a file does not have.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

from schemas.codec import decode_label, decode_reading
from schemas.errors import InvalidMessage
from schemas.settings import Settings
from streams.files import Columns, Kind, read_records
from streams.partitioner import partition_for
from streams.pipeline import Pipeline
from streams.records import Counts, FileRecord


@dataclass(slots=True)
class Totals:
    """What a backtest came to."""

    events: int = 0
    scored: int = 0
    alerts: int = 0
    refused: int = 0
    labels: dict[str, int] = field(default_factory=dict)

    def add(self, counts: Counts) -> None:
        """Add what one record did."""
        self.scored += counts.scored
        for outcome, n in counts.labels.items():
            self.labels[outcome] = self.labels.get(outcome, 0) + n


class Backtest:
    """Feeds messages to one pipeline per partition, as a worker that owns them all would.

    Parameters
    ----------
    settings
        As for a worker.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pipelines: dict[int, Pipeline] = {}
        self._offsets: dict[tuple[str, int], int] = {}
        self._alerts = settings.topic("alerts")
        self.totals = Totals()

    def feed(self, kind: str, message: bytes) -> Iterator[bytes]:
        """Process one message and yield the drift events it leads to, as on the alerts topic.

        Parameters
        ----------
        kind
            ``sensors`` or ``labels``.
        message
            A valid message: its sensor id is its Kafka key.
        """
        event = decode_reading(message) if kind == "sensors" else decode_label(message)
        key = event.sensor_id.encode()
        partition = partition_for(key, self._settings.topics.partitions)
        pipeline = self._pipelines.get(partition)
        if pipeline is None:
            pipeline = self._pipelines[partition] = Pipeline(self._settings, partition)
        offset = self._offsets.get((kind, partition), 0)
        self._offsets[kind, partition] = offset + 1
        record = FileRecord(offset, event.ts // 1000, key, message)
        self.totals.events += kind == "sensors"
        self.totals.add(pipeline.process(kind, [record]))
        for effect in pipeline.drain():
            if effect.topic == self._alerts and effect.value is not None:
                self.totals.alerts += 1
                yield effect.value


def merge(sensors: Iterable[bytes], labels: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield both streams in the order in which a live deployment would have seen them.

    Sensor events keep their order; a label comes before the first event that is later than
    it. Labels are sorted by time, equal times in file order.
    """
    waiting = deque(sorted(((decode_label(raw).ts, raw) for raw in labels), key=itemgetter(0)))
    for raw in sensors:
        now = decode_reading(raw).ts
        while waiting and waiting[0][0] < now:
            yield "labels", waiting.popleft()[1]
        yield "sensors", raw
    for _, raw in waiting:
        yield "labels", raw


def run_backtest(
    settings: Settings,
    file: Path | str,
    *,
    labels: Path | str | None = None,
    columns: Columns | None = None,
    json: bool = False,
) -> int:
    """Print the drift events of a recorded series, and what it came to.

    Parameters
    ----------
    settings
        As for a worker.
    file
        CSV or JSON lines of sensor events.
    labels
        The same of labels, or None.
    columns
        Names of the CSV's columns.
    json
        Drift events as JSON lines, nothing else on stdout.

    Returns
    -------
    int
        Exit code: 1 if a line was refused, else 0.
    """
    from streams.cli.output import emit, note, say
    from streams.cli.progress import progress

    backtest = Backtest(settings)

    def valid(path: Path | str, kind: Kind) -> Iterator[bytes]:
        with progress(path) as wrap:
            for number, message in read_records(
                path, kind=kind, columns=columns if kind == "sensors" else None, wrap=wrap
            ):
                if isinstance(message, InvalidMessage):
                    backtest.totals.refused += 1
                    note(f"{path}: line {number}: {message}")
                else:
                    yield message

    late = valid(labels, "labels") if labels is not None else ()
    for kind, message in merge(valid(file, "sensors"), late):
        for alert in backtest.feed(kind, message):
            if json:
                emit(alert)
            else:
                say(sentence(alert))
    totals = backtest.totals
    summary = (
        f"{totals.events} events, {totals.scored} scored, {totals.alerts} drift events, "
        f"{totals.refused} lines refused"
    )
    if json:
        note(summary)
    else:
        say(summary)
    return 1 if totals.refused else 0
