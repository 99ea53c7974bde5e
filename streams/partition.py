"""The owned partition: one partition number of every input topic, its state, one owner.

Fence, restore, process, checkpoint, hand over. Nothing is sent while processing; a
checkpoint writes effects, state and position together, and only then are the input
offsets committed for the group. docs/guarantees.md tells what follows from each failure.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

import structlog
from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException

from schemas.errors import BrokerGone, Fenced
from schemas.settings import Settings
from streams.changelog import POSITION_KEY, Position, Restored, read_partition
from streams.changes import Changes
from streams.checkpoint import Writer, create_writer
from streams.metrics import Metrics
from streams.pipeline import Pipeline
from streams.records import Counts, Outgoing, Record

log = structlog.get_logger("driftline.partition")

MAX_UNSAVED = 20_000_000
"""Events that may be processed beyond the last finished checkpoint, then it waits: after a crash
they are processed again."""
MAX_EFFECTS = 50_000
"""What may be kept in memory to be written with the next checkpoint, then processing waits for it.
At half of either the checkpoint does not wait for its interval."""
RETRY_SECONDS = 0.5

Commit = Callable[[Mapping[tuple[str, int], int]], None]


class OwnedPartition:
    """State and effects of one partition number while this process owns it.

    Parameters
    ----------
    number
        Partition number, the same in every input topic.
    settings
        Of the worker.
    metrics
        Where durations and counts go.
    commit
        Has next offsets by (topic, partition) committed for the group, if they are new to it.
    on_effects
        Called after each checkpoint with what it made visible.
    compiled_is_ready
        See `streams.pipeline.Pipeline`.
    """

    def __init__(
        self,
        number: int,
        settings: Settings,
        metrics: Metrics,
        commit: Commit,
        on_effects: Callable[[Sequence[Outgoing]], None] = lambda _: None,
        compiled_is_ready: Callable[[], bool] = lambda: True,
    ) -> None:
        self.number = number
        self.pipeline = Pipeline(settings, number, compiled_is_ready)
        self.suspended = False
        self.ready = False
        self._settings = settings
        self._metrics = metrics
        self._commit = commit
        self._on_effects = on_effects
        self._writer: Writer = create_writer(settings, number)
        self._running: asyncio.Task[None] | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._unsaved = 0
        self._saved: dict[str, int] = {}
        self._told_of_new_beginnings = False

    async def open(self) -> None:
        """Fence earlier owners, then restore. Retries until `kafka.outage_timeout`.

        Raises
        ------
        BrokerGone
            If the broker stays away for too long.
        TopicError
            If the state belongs to another layout or partition count.
        SnapshotError
            If a row's signature does not hold.
        """
        started = time.perf_counter()
        restored = await self._fence_and_read()
        # Compiled code lets go of the interpreter, so partitions are restored side by side too.
        await asyncio.to_thread(self.pipeline.restore, restored)
        self._saved = dict(restored.position.offsets)
        self.ready = True
        seconds = time.perf_counter() - started
        self._metrics.restore_duration.observe(seconds)
        log.info(
            "partition restored",
            partition=self.number,
            sensors=self.pipeline.sensors,
            position=self._saved.get(self._settings.topic("sensors"), 0),
            seconds=round(seconds, 3),
        )
        self._tell_of_new_beginnings(self.pipeline.kept.to_begin_anew)

    async def process(self, kind: str, records: Sequence[Record]) -> Counts | None:
        """Process a slice, once there is room for it.

        Returns
        -------
        Counts or None
            None if the partition was given up while waiting: the slice was not touched.
        """
        await self._room.wait()
        if self.suspended:
            return None
        started = time.perf_counter()
        counts = self.pipeline.process(kind, records)
        counts.seconds = time.perf_counter() - started
        self._tell_of_new_beginnings(counts.begun_anew)
        self._unsaved += len(records)
        if self._full() >= 1.0:
            self._room.clear()
        self._hurry()
        return counts

    async def checkpoint(self) -> None:
        """Make everything processed so far durable and visible, then have its offsets committed.

        A caller may stop waiting for it, but what was begun goes on: only `close` ends it,
        and after a failure there is no other checkpoint of this partition.

        Raises
        ------
        Fenced
            If another owner took over: this process must not go on.
        BrokerGone
            If it could not be written within `kafka.outage_timeout`.
        """
        running = self._running
        if running is not None:
            # It may have begun before what is to be durable was processed.
            await asyncio.shield(running)
        await asyncio.shield(self._running or self._begin())

    async def close(self) -> None:
        """Give the partition up: nothing of it is processed or written any more."""
        self.suspended = True
        self.ready = False
        self._room.set()
        if self._running is not None:
            # It must not open the writer again: that would fence the next owner.
            self._running.cancel()
            await asyncio.wait([self._running])
        await self._writer.close()

    @property
    def position(self) -> Mapping[str, int]:
        """Next offset by topic that the last finished checkpoint holds."""
        return self._saved

    def _tell_of_new_beginnings(self, found: Mapping[str, int]) -> None:
        """Say once that what was learned of sensors is no longer of use."""
        if found and not self._told_of_new_beginnings:
            self._told_of_new_beginnings = True
            log.warning(
                "stored sensors begin anew when they next send something, since they were stored "
                "under another configuration, or by another version of River or Driftline: "
                "driftline_begun_anew_total counts them",
                partition=self.number,
                learners=found.get("learner", 0),
                detectors=found.get("detectors", 0),
            )

    def _full(self) -> float:
        """Return how much of what may wait for a checkpoint is waiting."""
        return max(self._unsaved / MAX_UNSAVED, self.pipeline.effects / MAX_EFFECTS)

    def _hurry(self) -> None:
        """Begin a checkpoint that nobody has asked for, if much is waiting for one.

        Whoever asks for the next is told of its failure.
        """
        if self._running is None and not self.suspended and self._full() >= 0.5:
            self._begin()

    def _begin(self) -> asyncio.Task[None]:
        self._running = asyncio.create_task(self._checkpoint())
        self._running.add_done_callback(self._ended)
        return self._running

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Take note of an end; what failed stays, for whoever asks for the next checkpoint."""
        if not task.cancelled() and task.exception() is None and self._running is task:
            self._running = None
            self._hurry()

    async def _checkpoint(self) -> None:
        target = dict(self.pipeline.position)
        if target != self._saved:
            await self._write(target)
        self._ack()

    async def _write(self, target: dict[str, int]) -> None:
        started = time.perf_counter()
        effects, changes = self.pipeline.take()
        rows = len(changes)
        position = Position(target, self._settings.topics.partitions).encode()
        changes.append(POSITION_KEY, position)
        taken, self._unsaved = self._unsaved, 0
        try:
            async with asyncio.timeout(self._settings.kafka.outage_timeout):
                await self._write_until_done(effects, changes, target)
        except TimeoutError:
            raise BrokerGone(
                f"partition {self.number}: no checkpoint for "
                f"{self._settings.kafka.outage_timeout:.0f} s (kafka.outage_timeout)"
            ) from None
        self._saved = target
        self._room.set()
        self._metrics.checkpoints.labels("committed").inc()
        self._metrics.state_bytes.inc(changes.value_bytes)
        self._on_effects(effects)
        seconds = time.perf_counter() - started
        self._metrics.checkpoint_duration.observe(seconds)
        log.debug(
            "checkpoint",
            partition=self.number,
            events=taken,
            effects=len(effects),
            rows=rows,
            seconds=round(seconds, 4),
        )

    async def _write_until_done(
        self, effects: Sequence[Outgoing], changes: Changes, target: dict[str, int]
    ) -> None:
        """Write once, however often it takes: an unknown outcome is looked up, not guessed."""
        while True:
            try:
                await self._writer.write(effects, changes)
                return
            except (KafkaError, OSError) as error:
                self._metrics.checkpoints.labels("failed").inc()
                log.warning(
                    "checkpoint failed, trying again",
                    partition=self.number,
                    reason=f"{type(error).__name__}: {error}",
                )
            await self._writer.close()
            await asyncio.sleep(RETRY_SECONDS)
            stored = dict((await self._fence_and_read(position_only=True)).position.offsets)
            if stored == target:
                return
            if stored != self._saved:
                raise Fenced(f"partition {self.number} was written to by another owner")

    async def _fence_and_read(self, *, position_only: bool = False) -> Restored:
        """Open the writer, which ends all other owners' transactions, then read the state."""
        deadline = time.monotonic() + self._settings.kafka.outage_timeout
        wanted = _nothing if position_only else _everything
        while True:
            try:
                await self._writer.open()
                return await asyncio.to_thread(read_partition, self._settings, self.number, wanted)
            except (KafkaError, KafkaException, OSError) as error:
                await self._writer.close()
                if time.monotonic() > deadline:
                    raise BrokerGone(
                        f"{self._settings.kafka.bootstrap_servers}: no answer for "
                        f"{self._settings.kafka.outage_timeout:.0f} s (kafka.outage_timeout)"
                    ) from error
                await asyncio.sleep(RETRY_SECONDS)

    def _ack(self) -> None:
        if self._saved:
            self._commit({(topic, self.number): to for topic, to in self._saved.items()})


def _everything(_: bytes) -> bool:
    return True


def _nothing(_: bytes) -> bool:
    return False
