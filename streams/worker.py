"""The worker: Faust agents over the owned partitions.

Faust gives membership of the group, agents and co-partitioning; `OwnedPartition` does
the rest. The worker opens what it is assigned, hands slices over in order, checkpoints
each interval, and gives up what is revoked only after a checkpoint.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import faust
import structlog
from faust.types import TP

from schemas.errors import DriftlineError, Fenced
from schemas.settings import Settings
from streams import transport
from streams.clients import faust_credentials
from streams.metrics import Metrics
from streams.pace import Pace
from streams.partition import OwnedPartition
from streams.records import INPUTS, Counts
from streams.status import WorkerStatus

log = structlog.get_logger("driftline.worker")

REVOKE_SECONDS = 5.0
STOP_CHECKPOINT_SECONDS = 5.0
STOP_SECONDS = 3.0
QUEUED_SLICES = 8
"""Of one topic, each of a megabyte at most: enough to fetch while others are processed."""
METADATA_SECONDS = 5


class Worker:
    """One member of the consumer group.

    Parameters
    ----------
    settings
        Of the whole deployment.
    metrics
        Counted in.
    status
        Told what is owned and what was found.
    compiled_is_ready
        See `streams.pipeline.Pipeline`.
    """

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        status: WorkerStatus,
        compiled_is_ready: Callable[[], bool] = lambda: True,
    ) -> None:
        self._compiled_is_ready = compiled_is_ready
        self._settings = settings
        self._metrics = metrics
        self._status = status
        self._kinds = {settings.topic(kind): kind for kind in INPUTS}
        self._partitions: dict[int, OwnedPartition] = {}
        self._opening: dict[int, asyncio.Task[None]] = {}
        self._generation: int | None = None
        self._assigned = asyncio.Event()
        self._failure: asyncio.Future[None] | None = None
        self._committed: dict[TP, int] = {}
        self._durable: dict[TP, int] = {}
        self._committing: asyncio.Task[None] | None = None
        self._pace = Pace()
        self._app: Any = None

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then checkpoint and leave the group.

        Raises
        ------
        Fenced, BrokerGone, TopicError, SnapshotError
            Reasons to end the process.
        RuntimeError
            Faust gave up; a new worker in the same process may go on.
        """
        self._failure = asyncio.get_running_loop().create_future()
        with tempfile.TemporaryDirectory(prefix="driftline-") as scratch:
            app = self._app = self._build(scratch)
            starting = asyncio.create_task(app.start())
            ticking = asyncio.create_task(self._tick())
            stopping = asyncio.create_task(stop.wait())
            watching = asyncio.create_task(self._watch_faust(starting))
            try:
                waited: list[asyncio.Future[Any]] = [self._failure, stopping, watching]
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            finally:
                clean = stop.is_set() and not self._failure.done()
                for task in (ticking, stopping, watching):
                    task.cancel()
                await self._shut_down(app, clean=clean)
                starting.cancel()
        if self._failure.done():
            self._failure.result()
        if not stop.is_set():
            raise RuntimeError(f"the Kafka consumer stopped: {app.crash_reason!r}")

    def _build(self, scratch: str) -> Any:
        """Make the Faust app: agents alone, no tables, no web server."""
        settings = self._settings
        transport.register()
        app = faust.App(
            settings.group,
            broker=[
                f"{transport.SCHEME}://{server.strip()}"
                for server in settings.kafka.bootstrap_servers.split(",")
            ],
            broker_credentials=faust_credentials(settings.kafka),
            broker_client_id=settings.group,
            broker_session_timeout=settings.kafka.session_timeout,
            broker_heartbeat_interval=settings.kafka.session_timeout / 5,
            broker_request_timeout=max(40.0, settings.kafka.session_timeout * 2),
            # A checkpoint may wait for the broker as long as an outage may last.
            broker_max_poll_interval=settings.kafka.outage_timeout + 60.0,
            broker_commit_interval=3600.0,
            consumer_auto_offset_reset="earliest",
            # Where the broker went away as topics were subscribed to, aiokafka never asks again
            # before this age, and the leader hands nothing to the whole group.
            consumer_metadata_max_age_ms=METADATA_SECONDS * 1000,
            stream_buffer_maxsize=QUEUED_SLICES,
            stream_wait_empty=False,
            topic_disable_leader=True,
            topic_allow_declare=False,
            topic_partitions=settings.topics.partitions,
            web_enabled=False,
            datadir=f"{scratch}/faust",
        )
        app.in_worker = True
        for topic in self._kinds:
            channel = app.topic(
                topic, schema=transport.SliceSchema(), partitions=settings.topics.partitions
            )
            app.agent(channel, name=f"driftline.{self._kinds[topic]}", concurrency=1)(self._consume)
        app.on_partitions_assigned.connect(self._on_assigned)
        app.on_partitions_revoked.connect(self._on_revoked)
        app.finalize()
        return app

    async def _consume(self, stream: Any) -> None:
        async for event in stream.noack().events():
            try:
                await self._slice(event.message)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - Faust would ack it and go on
                self._fail(error)

    async def _slice(self, message: Any) -> None:
        """Process a slice if its partition is ours, restored, and of this generation."""
        await self._assigned.wait()
        if self._stale(message):
            return
        opening = self._opening.get(message.partition)
        if opening is not None:
            await asyncio.shield(opening)
        partition = self._partitions.get(message.partition)
        if partition is None or not partition.ready or partition.suspended:
            return
        if self._stale(message):
            return
        if partition.pipeline.position.get(message.topic, 0) < (message.key or 0):
            # The slice before it was not processed: to go on would skip what was in it.
            raise RuntimeError(f"{message.tp}: a slice is missing before offset {message.key}")
        await self._process(partition, message)

    async def _process(self, partition: OwnedPartition, message: Any) -> None:
        """Process a slice, stretch by stretch, as long as it is still to be processed here."""
        kind, records, begin = self._kinds[message.topic], message.value, 0
        while begin < len(records) and not self._stale(message):
            stretch = records[begin : begin + self._pace.records]
            counts = await partition.process(kind, stretch)
            if counts is None:
                return
            self._pace.took(len(stretch), counts.seconds)
            self._count(counts)
            begin += len(stretch)
            await asyncio.sleep(0)

    def _stale(self, message: Any) -> bool:
        """Tell whether a slice was fetched before the last rebalance, or work has ended."""
        assert self._failure is not None
        return self._failure.done() or message.generation_id != self._app.consumer_generation_id

    async def _on_assigned(self, _: Any, assigned: Iterable[TP], **__: Any) -> None:
        """Open partitions that are new, and keep those that were ours in the generation before."""
        numbers = {
            kind: {tp.partition for tp in assigned if tp.topic == topic}
            for topic, kind in self._kinds.items()
        }
        wanted = numbers["sensors"]
        if any(owned != wanted for owned in numbers.values()):
            self._fail(RuntimeError(f"the topics are not co-partitioned here: {numbers}"))
            return
        generation = self._app.consumer_generation_id
        consecutive = self._generation is not None and generation == self._generation + 1
        self._generation = generation
        self._metrics.rebalances.inc()
        for number in [n for n in self._partitions if n not in wanted or not consecutive]:
            await self._drop(number)
        for number in sorted(wanted):
            if number in self._partitions:
                self._partitions[number].suspended = False
            else:
                self._open(number)
        self._committed.clear()
        self._durable.clear()
        self._status.owned(self._partitions)
        log.info("partitions assigned", partitions=sorted(wanted), generation=generation)
        self._assigned.set()

    async def _on_revoked(self, _: Any, revoked: Iterable[TP], **__: Any) -> None:
        self._assigned.clear()
        for number, task in list(self._opening.items()):
            # Opening fences other owners: it must not end after the hand-over.
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self._drop(number)
        await self._hand_over(REVOKE_SECONDS)

    async def _hand_over(self, seconds: float) -> None:
        """Checkpoint all that is owned and stop processing it; what can't be saved is dropped."""
        owned = dict(self._partitions)
        for partition in owned.values():
            partition.suspended = True
        results = await asyncio.gather(
            *(asyncio.wait_for(p.checkpoint(), seconds) for p in owned.values()),
            return_exceptions=True,
        )
        for number, result in zip(owned, results, strict=True):
            if isinstance(result, Fenced):
                self._fail(result)
            elif isinstance(result, BaseException):
                log.warning(
                    "partition handed over without a last checkpoint: the next owner replays",
                    partition=number,
                    reason=f"{type(result).__name__}: {result}",
                )
                await self._drop(number)
        if self._committing is not None:
            # What is not committed by then is replayed, and skipped.
            await asyncio.wait([self._committing], timeout=seconds)

    def _open(self, number: int) -> None:
        partition = OwnedPartition(
            number,
            self._settings,
            self._metrics,
            self._commit,
            self._status.written,
            self._compiled_is_ready,
        )
        self._partitions[number] = partition
        self._opening[number] = asyncio.create_task(self._open_and_report(number, partition))

    async def _open_and_report(self, number: int, partition: OwnedPartition) -> None:
        try:
            await partition.open()
        except asyncio.CancelledError:
            await partition.close()
            raise
        except Exception as error:  # noqa: BLE001 - it ends the worker, with its reason
            self._fail(error)
        finally:
            self._opening.pop(number, None)
        self._status.owned(self._partitions)

    async def _drop(self, number: int) -> None:
        partition = self._partitions.pop(number, None)
        if partition is not None:
            await partition.close()
        for topic in self._kinds:
            self._metrics.forget_partition(topic, number)
        self._status.owned(self._partitions)

    async def _tick(self) -> None:
        """Checkpoint every interval from one beginning to the next, all partitions side by side."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            await asyncio.sleep(began + self._settings.checkpoint.interval - loop.time())
            began = loop.time()
            if not self._assigned.is_set():
                continue
            ready = [p for p in self._partitions.values() if p.ready and not p.suspended]
            results = await asyncio.gather(
                *(_checkpoint(p, turns) for turns, p in enumerate(ready)), return_exceptions=True
            )
            for partition, result in zip(ready, results, strict=True):
                # A partition given up meanwhile fails its last write; its owner replays.
                if isinstance(result, Exception) and (
                    not partition.suspended or isinstance(result, Fenced)
                ):
                    self._fail(result)
            if self._app.consumer is not None:
                self._status.lag(self._app.consumer.ends, self._app.consumer.committable)

    def _commit(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Have offsets committed for the group, together with those of other partitions."""
        self._durable.update((TP(*key), position) for key, position in offsets.items())
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit_durable())

    async def _commit_durable(self) -> None:
        try:
            while self._durable:
                durable, self._durable = self._durable, {}
                consumer = self._app.consumer
                wanted = {tp: consumer.committable(tp, to) for tp, to in durable.items()}
                new = {tp: to for tp, to in wanted.items() if self._committed.get(tp) != to}
                if new and await consumer.commit_positions(new):
                    self._committed.update(new)
        except Exception as error:  # noqa: BLE001 - it ends the worker, with its reason
            self._fail(error)

    async def _watch_faust(self, starting: asyncio.Task[Any]) -> None:
        """Return when Faust has crashed or could not start."""
        while not self._app.should_stop:
            if starting.done() and starting.exception() is not None:
                log.error("could not start", reason=repr(starting.exception()))
                return
            await asyncio.sleep(0.2)

    async def _shut_down(self, app: Any, *, clean: bool) -> None:
        """Checkpoint if all is well, leave the group, give all partitions up: in bounded time."""
        started = time.monotonic()
        self._assigned.clear()
        for task in list(self._opening.values()):
            task.cancel()
        if clean:
            await self._hand_over(STOP_CHECKPOINT_SECONDS)
        try:
            await asyncio.wait_for(app.stop(), STOP_SECONDS)
        except (TimeoutError, Exception) as error:  # noqa: BLE001 - leaving all the same
            log.warning(
                "left the group without an answer", reason=f"{type(error).__name__}: {error}"
            )
        await asyncio.gather(*(self._drop(number) for number in list(self._partitions)))
        if self._committing is not None:
            self._committing.cancel()
        log.info("worker stopped", seconds=round(time.monotonic() - started, 2), clean=clean)

    def _fail(self, error: BaseException) -> None:
        assert self._failure is not None
        if not self._failure.done():
            if not isinstance(error, DriftlineError):
                log.error("worker failed", exc_info=error)
            self._failure.set_exception(error)

    def _count(self, counts: Counts) -> None:
        metrics = self._metrics
        metrics.events.inc(counts.scored)
        for reason, n in counts.withheld.items():
            metrics.withheld.labels(reason).inc(n)
        metrics.skipped.inc(counts.skipped)
        for reason, n in counts.dead_letters.items():
            metrics.dead_letters.labels(reason).inc(n)
        for outcome, n in counts.labels.items():
            metrics.labels.labels(outcome).inc(n)
        for key, n in counts.drift_events.items():
            metrics.drift_events.labels(*key).inc(n)
        metrics.absorbed.inc(len(counts.absorbed))
        for action, n in counts.adaptations.items():
            metrics.adaptations.labels(action).inc(n)
        for part, n in counts.begun_anew.items():
            metrics.begun_anew.labels(part).inc(n)
        metrics.evicted_sensors.inc(counts.adaptations.get("evict", 0))
        self._status.processed(counts)


async def _checkpoint(partition: OwnedPartition, turns: int) -> None:
    """Checkpoint after some turns of the event loop.

    To pack very many rows takes long: slices are processed between one partition and the next.
    """
    for _ in range(turns):
        await asyncio.sleep(0)
    if partition.ready and not partition.suspended:
        await partition.checkpoint()
