"""The worker's pipeline on recorded events, without a worker.

Each line of a file takes the partition and the offset that `driftline produce` into empty topics
would have given it, so the drift events are those of a worker, ids included. The policy
takes no part: it answers with a delay that a file does not have.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import itemgetter

from schemas.codec import decode_label, decode_reading
from schemas.dead_letter import DeadLetter
from schemas.events import DriftEvent
from schemas.settings import Settings
from streams.partitioner import partition_for
from streams.pipeline import Pipeline
from streams.records import Counts, FileRecord, Outgoing
from streams.sensor import try_out

UNSAVED = 20_000
"""Events between two takings of state: what a defect makes a sensor play again stays bounded."""


@dataclass(slots=True)
class Totals:
    """What a backtest came to."""

    events: int = 0
    scored: int = 0
    alerts: int = 0
    dead_letters: int = 0
    labels: dict[str, int] = field(default_factory=dict)
    withheld: dict[str, int] = field(default_factory=dict)

    def add(self, counts: Counts) -> None:
        """Add what one record did."""
        self.scored += counts.scored
        self.dead_letters += sum(counts.dead_letters.values())
        for outcome, n in counts.labels.items():
            self.labels[outcome] = self.labels.get(outcome, 0) + n
        for reason, n in counts.withheld.items():
            self.withheld[reason] = self.withheld.get(reason, 0) + n


class Backtest:
    """Feeds messages to one pipeline per partition, as a worker that owns them all would.

    Parameters
    ----------
    settings
        As for a worker.
    """

    def __init__(self, settings: Settings) -> None:
        try_out(settings)
        self._settings = settings
        self._pipelines: dict[int, Pipeline] = {}
        self._offsets: dict[tuple[str, int], int] = {}
        self._alerts = settings.topic("alerts")
        self._refused = settings.topic("dead-letters")
        self._unsaved = 0
        self.totals = Totals()
        self.refusals: list[str] = []
        """Why the last message was refused; empty if it was not."""
        self.absorbed: list[DriftEvent] = []
        """What the last message led to that a drift event of the fleet stands for."""

    def feed(self, kind: str, message: bytes) -> Iterator[bytes]:
        """Process one message and yield the drift events it leads to, as on the alerts topic.

        Parameters
        ----------
        kind
            ``sensors`` or ``labels``.
        message
            A valid message: its sensor id is its Kafka key.
        """
        yield from self.take(kind, *self.placed(kind, message))

    def placed(self, kind: str, message: bytes) -> tuple[int, FileRecord]:
        """Return the partition of a valid message, and the record that it becomes there."""
        event = decode_reading(message) if kind == "sensors" else decode_label(message)
        key = event.sensor_id.encode()
        partition = partition_for(key, self._settings.topics.partitions)
        offset = self._offsets.get((kind, partition), 0)
        self._offsets[kind, partition] = offset + 1
        return partition, FileRecord(offset, event.ts // 1000, key, message)

    def take(self, kind: str, partition: int, record: FileRecord) -> Iterator[bytes]:
        """Process one record and yield the drift events it leads to, as on the alerts topic.

        Parameters
        ----------
        kind
            ``sensors`` or ``labels``.
        partition, record
            Where it stands, and what it is: anything at all.
        """
        pipeline = self._pipelines.get(partition)
        if pipeline is None:
            pipeline = self._pipelines[partition] = Pipeline(self._settings, partition)
        counts = pipeline.process(kind, [record])
        self.totals.events += kind == "sensors"
        self.totals.add(counts)
        self.absorbed = counts.absorbed
        effects = pipeline.drain()
        self._unsaved += 1
        if self._unsaved >= UNSAVED:
            self._unsaved = 0
            for each in self._pipelines.values():
                each.take()
        self.refusals = [_reason(effect) for effect in effects if effect.topic == self._refused]
        for effect in effects:
            if effect.topic == self._alerts and effect.value is not None:
                self.totals.alerts += 1
                yield effect.value


def _reason(letter: Outgoing) -> str:
    found = DeadLetter.from_headers(letter.key, letter.value, 0, letter.headers)
    return f"{found.topic.rpartition('.')[2]} record {found.offset}: {found.message}"


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
