"""A Faust transport that hands over one message per partition and fetch.

Faust's own path costs tens of microseconds a message, nearly all of it in waiting
for each one. Here a message is a *slice*: all records that one fetch returned for one
partition. What else differs from the driver it extends:

- records are read with isolation ``read_committed`` (the driver does so only under its
  own exactly-once, which is not used);
- offsets are committed by the worker after its checkpoint, never by Faust's tracking
  of single messages;
- a commit that fails is reported, not fatal: the checkpoint already holds the position.

It leans on private names of faust-streaming and aiokafka, so both are pinned and
``tests/unit/test_transport.py`` holds one check per name.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from types import FunctionType, MappingProxyType, MethodType
from typing import Any

import faust
import structlog
from aiokafka.consumer import fetcher as aiokafka_fetcher
from aiokafka.errors import KafkaError
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from schemas.compiled import AVAILABLE
from streams.batches import Slice, read_batches, warm_up
from streams.fetching import PackedFetchRequest

log = structlog.get_logger("driftline.transport")

SCHEME = "driftline"
FETCH_WAIT_MS = 50
"""How long a broker may hold a fetch. aiokafka has one fetch in flight per broker, so a partition
that was just drained waits so long for its next one; Faust's own 1500 ms is felt."""
FETCH_AT_MOST_BYTES = 4 * 1024 * 1024
"""What a broker answers at most. aiokafka's own 50 MiB are reached with many partitions: such an
answer is copied from one new piece of memory to the next, none of which any cache holds."""
FETCH_BYTES = 64 * 1024
"""What a broker waits for, no longer than that: under a steady load many small fetches cost more
than all that is done with the events."""


class SliceSchema(faust.Schema):  # type: ignore[misc]
    """Marks a topic whose messages are slices; nothing in them is decoded by Faust."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> None:
        """Return nothing: a slice has no key of its own."""
        return

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:
        """Return the slice as it was fetched."""
        return message.value


class RawBatches(MemoryRecords):  # type: ignore[misc]
    """Record batches of one partition as they were fetched, to be read later."""

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self.raw = raw


class PartitionSlice:
    """What a fetch returned for one partition, as an iterator over one `Slice` or none.

    Stands in for aiokafka's ``PartitionRecords``: nothing is parsed before it is asked for, and
    after an error it has ended, so that the same is fetched again.
    """

    def __init__(
        self,
        tp: Any,
        records: RawBatches,
        aborted_transactions: Sequence[tuple[int, int]] | None,
        fetch_offset: int,
        _key_deserializer: None,
        _value_deserializer: None,
        check_crcs: bool,
        isolation_level: int,
    ) -> None:
        self.next_fetch_offset = fetch_offset
        self._arguments = (aborted_transactions, isolation_level, check_crcs, tp)
        self._slices = self._read(records.raw)

    def __iter__(self) -> Iterator[Slice]:
        """Iterate over what is left."""
        return self._slices

    def _read(self, raw: bytes) -> Iterator[Slice]:
        records, behind = read_batches(raw, self.next_fetch_offset, *self._arguments)
        self.next_fetch_offset = behind
        if records is not None:
            yield records


def fetch_slices(fetcher: Any) -> None:
    """Make one fetcher return slices, for less; all others go on with records."""
    names = {"MemoryRecords": RawBatches, "PartitionRecords": PartitionSlice}
    method = FunctionType(
        aiokafka_fetcher.Fetcher._proc_fetch_request.__code__, vars(aiokafka_fetcher) | names
    )
    fetcher._proc_fetch_request = MethodType(method, fetcher)
    asks = FunctionType(
        aiokafka_fetcher.Fetcher._get_actions_per_node.__code__,
        vars(aiokafka_fetcher) | {"FetchRequest": PackedFetchRequest},
    )
    fetcher._get_actions_per_node = MethodType(asks, fetcher)


class ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """The driver's thread, reading committed records only and calm about commits.

    Attributes
    ----------
    fetched_in
        Generation of the group in which the last fetch ended.
    fetched_to
        Next offset to fetch by partition, past transaction markers, as of the last fetch.
    ends
        Offset up to which committed records can be read; None while it is not known.
    """

    fetched_in: int | None = None
    fetched_to: Mapping[TP, int] = MappingProxyType({})
    ends: Mapping[TP, int | None] = MappingProxyType({})

    async def on_start(self) -> None:
        """Start the consumer, ready to parse what it will fetch."""
        if AVAILABLE:
            warm_up()
        await super().on_start()
        if AVAILABLE:
            fetch_slices(self._ensure_consumer()._fetcher)

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        consumer._fetch_min_bytes = FETCH_BYTES
        consumer._fetch_max_bytes = FETCH_AT_MOST_BYTES
        return consumer

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        owned = self.assignment()
        wanted = {
            driver.ensure_aiokafka_TP(tp): OffsetAndMetadata(offset, "")
            for tp, offset in offsets.items()
            if tp in owned
        }
        consumer = self._ensure_consumer()
        if not wanted or consumer._coordinator.generation != self.app.consumer_generation_id:
            # One who was thrown out of the group commits as a stranger, and if the group is
            # empty just then, the broker takes it: the offsets would go back.
            return False
        try:
            await consumer.commit(wanted)
        except KafkaError as error:
            # The position in the state topic is what counts; the next checkpoint
            # commits again, and a replayed event is skipped.
            log.info("offset commit put off", reason=f"{type(error).__name__}: {error}")
            return False
        return True

    async def on_thread_stop(self) -> None:
        """Leave the group; a broker that does not answer is no reason to end otherwise."""
        try:
            await super().on_thread_stop()
        except (asyncio.CancelledError, KafkaError) as error:
            log.info("left the group without an answer", reason=f"{type(error).__name__}: {error}")

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Judge nothing here: readiness looks at the committed position and the lag."""

    async def _fetch_records(self, *args: Any, **kwargs: Any) -> Any:
        records = await super()._fetch_records(*args, **kwargs)
        # Taken in the same step as the records, which are those of the assignment that holds
        # now, whenever the fetch began: these positions count exactly what has been handed
        # over so far, and the transaction markers after it.
        self.fetched_in = self.app.consumer_generation_id
        self.fetched_to = {
            TP(tp.topic, tp.partition): state.position
            for tp, state in self._states()
            if state.has_valid_position
        }
        self.ends = {
            TP(tp.topic, tp.partition): state.lso if (state.lso or 0) > 0 else state.highwater
            for tp, state in self._states()
        }
        return {tp: slices[0] for tp, slices in records.items()} if AVAILABLE else records

    async def rewind(self, firsts: Mapping[TP, int]) -> None:
        """Fetch again from `firsts` where the fetch already stands behind it."""
        await self.call_thread(self._rewind, firsts)

    async def _rewind(self, firsts: Mapping[TP, int]) -> None:
        consumer = self._ensure_consumer()
        for tp, state in list(self._states()):
            first = firsts.get(TP(tp.topic, tp.partition))
            if first is not None and state.has_valid_position and state.position > first:
                consumer.seek(tp, first)

    def _states(self) -> Iterator[tuple[Any, Any]]:
        subscription = self._ensure_consumer()._subscription.subscription
        if subscription is not None and subscription.assignment is not None:
            for tp in subscription.assignment.tps:
                yield tp, subscription.assignment.state_value(tp)


class Consumer(driver.Consumer):  # type: ignore[misc]
    """The driver's consumer, one message per slice.

    Attributes
    ----------
    delivered
        One past the last record handed over, by partition; forgotten at each rebalance.
    drained
        Where the fetch stood at the same moment: past the markers behind those records.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.delivered: dict[TP, int] = {}
        self.drained: dict[TP, int] = {}

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Yield slices as they are fetched.

        Parameters
        ----------
        timeout
            Seconds to wait for records.
        """
        records, _ = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        if records is None or self.should_stop:
            return
        if not self.flow_active or self._thread.fetched_in != generation:
            # Fetched before or during a rebalance: what came before it in the queue has been
            # dropped, so it must not be handed over, and is fetched again.
            if records or not self.flow_active:
                await self._seek_back(records)
            return
        before = {tp: self.delivered.get(tp) for tp in records}
        for tp, fetched in records.items():
            self.delivered[tp] = fetched[-1].offset + 1
        self.drained = dict(self._thread.fetched_to)
        for tp, fetched in records.items():
            if not self.flow_active or generation != self.app.consumer_generation_id:
                return
            yield tp, _slice(tp, fetched, generation, before[tp])

    async def _seek_back(self, dropped: Mapping[TP, Sequence[Any]]) -> None:
        """Fetch again from the committed offsets: what is durable by then is skipped.

        A partition without a committed offset stays where it is by that, so what was dropped
        of it is sought by its first offset.
        """
        try:
            await self.perform_seek()
        except (KafkaError, AssertionError) as error:
            log.warning("could not seek back", reason=f"{type(error).__name__}: {error}")
        await self._thread.rewind({tp: records[0].offset for tp, records in dropped.items()})
        self.delivered.clear()
        self.drained.clear()

    def on_buffer_full(self, tp: TP) -> None:
        """Go on: a full queue makes whoever puts into it wait, which is enough.

        To leave a partition out, as Faust does, holds up all others with it: aiokafka asks a broker
        for nothing while something that it returned has not been taken.
        """

    def on_buffer_drop(self, tp: TP) -> None:
        """Go on, as nothing was left out."""

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Keep no book of gaps: offsets are committed by position."""

    def committable(self, tp: TP, position: int) -> int:
        """Return what to commit for a partition whose records below `position` are durable.

        Where all that was delivered is durable, that is the place behind the transaction
        markers that follow: the group then stands at the end of the topic, not before it.
        """
        delivered = self.delivered.get(tp)
        if delivered is not None and position < delivered:
            return position
        return max(position, self.drained.get(tp, position))

    async def commit_positions(self, offsets: Mapping[TP, int]) -> bool:
        """Commit `offsets` (the next offset of each partition) for the group."""
        done: bool = await self._thread.commit(offsets)
        return done

    @property
    def ends(self) -> Mapping[TP, int | None]:
        """Return the end of each assigned partition, as far as it is known."""
        ends: Mapping[TP, int | None] = self._thread.ends
        return ends

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget what was delivered: after the rebalance it is fetched again."""
        await super().on_partitions_revoked(revoked)
        self.delivered.clear()
        self.drained.clear()


def _slice(tp: TP, records: Sequence[Any], generation: int, after: int | None) -> ConsumerMessage:
    """Make a message of records; its key is where the slice before it ended, None for the first."""
    last = records[-1]
    return ConsumerMessage(
        tp.topic,
        tp.partition,
        last.offset,
        last.timestamp / 1000.0,
        0,
        None,
        after,
        records,
        None,
        0,
        0,
        tp,
        generation_id=generation,
    )


class Transport(driver.Transport):  # type: ignore[misc]
    """Registered under the scheme ``driftline://``."""

    Consumer = Consumer


def register() -> None:
    """Make ``driftline://host:port`` known to Faust as a broker URL."""
    TRANSPORTS.aliases[SCHEME] = f"{__name__}:Transport"
