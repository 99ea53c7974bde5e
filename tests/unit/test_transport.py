"""The private names of Faust and aiokafka that the transport stands on, and what it does with them.

A new version of either is taken on purpose: what fails here is what must be looked at again.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator, Iterable
from types import SimpleNamespace
from typing import Any

import aiokafka
import faust
import pytest
from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import (
    Assignment,
    SubscriptionState,
    TopicPartitionState,
)
from aiokafka.errors import (
    CorruptRecordException,
    IllegalOperation,
    KafkaError,
    ProducerFenced,
)
from aiokafka.producer.sender import Sender
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from faust.tables.recovery import Recovery
from faust.transport import consumer as faust_consumer
from faust.transport.conductor import Conductor, ConductorCompiler
from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from streams import transport
from streams.slices import Slice

HERE = TP("driftline.sensors", 0)


def source(of: Any) -> str:
    return inspect.getsource(of)


# The names, one by one.


def test_the_versions_are_those_that_the_private_names_were_read_in() -> None:
    assert (faust.__version__, aiokafka.__version__) == ("0.15.3", "0.14.0")


def test_a_url_scheme_is_registered_in_the_aliases_of_the_drivers() -> None:
    transport.register()
    assert TRANSPORTS.by_url(f"{transport.SCHEME}://127.0.0.1:9092") is transport.Transport


def test_a_transport_names_its_consumer_class() -> None:
    assert driver.Transport.Consumer is driver.Consumer
    assert "Consumer(" in source(driver.Transport.create_consumer)


def test_a_consumer_makes_its_thread_in_one_method() -> None:
    assert list(inspect.signature(driver.Consumer._new_consumer_thread).parameters) == ["self"]
    assert "self._new_consumer_thread()" in source(faust_consumer.ThreadDelegateConsumer)


def test_the_thread_makes_its_aiokafka_consumer_in_one_method() -> None:
    parameters = inspect.signature(driver.AIOKafkaConsumerThread._create_worker_consumer).parameters
    assert list(parameters) == ["self", "transport"]


def test_isolation_and_fetch_wait_are_read_when_the_consumer_starts() -> None:
    assert "isolation_level=self._isolation_level" in source(aiokafka.AIOKafkaConsumer.start)
    assert "fetch_max_wait_ms=self._fetch_max_wait_ms" in source(aiokafka.AIOKafkaConsumer.start)
    assert "fetch_min_bytes=self._fetch_min_bytes" in source(aiokafka.AIOKafkaConsumer.start)
    assert "fetch_max_bytes=self._fetch_max_bytes" in source(aiokafka.AIOKafkaConsumer.start)


def test_the_thread_fetches_in_one_method() -> None:
    thread = driver.AIOKafkaConsumerThread
    assert inspect.iscoroutinefunction(thread._fetch_records)
    assert "self._fetch_records" in source(thread.getmany)


def test_the_thread_makes_and_starts_its_consumer_in_one_method() -> None:
    text = source(driver.AIOKafkaConsumerThread.on_start)
    assert 0 < text.index("self._consumer = ") < text.index("await self._consumer.start()")


def test_a_consumer_that_was_started_has_its_fetcher() -> None:
    assert "self._fetcher = Fetcher(" in source(aiokafka.AIOKafkaConsumer.start)


def test_a_fetcher_takes_answers_in_one_method_that_names_two_classes_and_keeps_nothing() -> None:
    method = Fetcher._proc_fetch_request
    assert "self._proc_fetch_request(" in source(Fetcher._fetch_requests_routine)
    assert {"MemoryRecords", "PartitionRecords"} <= set(method.__code__.co_names)
    assert (method.__code__.co_freevars, method.__defaults__) == ((), None)
    assert method.__kwdefaults__ is None


def test_batches_of_a_partition_are_made_of_bytes_and_asked_whether_they_hold_one() -> None:
    assert transport.RawBatches(b"").has_next() is MemoryRecords(b"").has_next() is False
    assert "records = MemoryRecords(part_data[-1])" in source(Fetcher._proc_fetch_request)


def test_records_of_a_partition_are_made_of_eight_things_by_position() -> None:
    theirs = list(inspect.signature(PartitionRecords).parameters)
    ours = [name.lstrip("_") for name in inspect.signature(transport.PartitionSlice).parameters]
    assert theirs == ours


def test_the_records_of_a_fetch_are_iterated_over_and_then_their_position_is_taken() -> None:
    text = source(FetchResult.getall)
    assert "for msg in self._partition_records" in text
    assert "consumed_to(self._partition_records.next_fetch_offset)" in source(
        FetchResult._update_position
    )


def test_a_fetch_has_no_limit_of_records() -> None:
    # A slice would count as one.
    assert faust.App("test").conf.broker_max_poll_records is None


def test_the_thread_commits_in_one_method() -> None:
    thread = driver.AIOKafkaConsumerThread
    assert list(inspect.signature(thread._commit).parameters) == ["self", "offsets"]
    assert "self._commit, offsets" in source(thread.commit)


def test_a_coordinator_that_was_thrown_out_has_no_generation() -> None:
    assert "self.generation = OffsetCommitRequest.DEFAULT_GENERATION_ID" in source(
        GroupCoordinator.reset_generation
    )
    assert "self._coordinator = GroupCoordinator(" in source(aiokafka.AIOKafkaConsumer)


def test_the_thread_leaves_in_one_method() -> None:
    assert inspect.iscoroutinefunction(driver.AIOKafkaConsumerThread.on_thread_stop)


def test_the_thread_judges_progress_in_one_method_that_is_overridden() -> None:
    parameters = inspect.signature(driver.AIOKafkaConsumerThread.verify_event_path).parameters
    assert list(parameters) == ["self", "now", "tp"]


def test_topic_partitions_are_turned_into_those_of_aiokafka() -> None:
    assert driver.ensure_aiokafka_TP(HERE) == aiokafka.TopicPartition("driftline.sensors", 0)


async def test_the_state_of_a_partition_holds_position_end_and_last_stable_offset() -> None:
    state = TopicPartitionState(SimpleNamespace())
    assert state.has_valid_position is False
    assert state.highwater is None
    assert state.lso is None
    state.reset_to(7)
    assert (state.has_valid_position, state.position) == (True, 7)


def test_a_subscription_leads_to_its_partitions_and_their_states() -> None:
    text = source(aiokafka.AIOKafkaConsumer)
    assert "self._subscription.subscription" in text
    assert callable(Assignment.state_value)
    assert isinstance(inspect.getattr_static(Assignment, "tps"), property)


def test_the_next_records_come_with_the_active_partitions() -> None:
    consumer = faust_consumer.Consumer
    assert inspect.iscoroutinefunction(consumer._wait_next_records)
    assert "return records, active_partitions" in source(consumer._wait_next_records)


def test_a_full_queue_is_told_of_in_one_method_and_makes_whoever_puts_into_it_wait() -> None:
    text = source(ConductorCompiler.build)
    assert "app.consumer.on_buffer_full" in text
    assert "app.consumer.on_buffer_drop" in text
    assert 0 < text.index("if queue.full():") < text.index("dest_chan.put(dest_event)")


def test_gaps_are_noted_in_one_method() -> None:
    parameters = inspect.signature(faust_consumer.Consumer._add_gap).parameters
    assert list(parameters) == ["self", "tp", "offset_from", "offset_to"]


def test_after_a_rebalance_the_consumer_seeks_before_it_goes_on() -> None:
    text = source(Recovery._resume_streams)
    assert 0 < text.index("perform_seek()") < text.index("resume_flow()")


def test_the_flow_stops_as_a_rebalance_begins() -> None:
    assert "on_rebalance_start()" in source(driver.ConsumerRebalanceListener)
    assert callable(Conductor.on_partitions_assigned)


def test_the_generation_is_set_before_the_assignment_is_handed_on() -> None:
    text = source(driver.ConsumerRebalanceListener.on_partitions_assigned)
    assert 0 < text.index("consumer_generation_id") < text.index("on_partitions_assigned(ensure")


def test_a_producer_holds_its_transaction_manager_and_its_sender() -> None:
    text = source(aiokafka.AIOKafkaProducer.__init__)
    assert "self._txn_manager" in text
    assert "self._sender" in text
    assert inspect.iscoroutinefunction(TransactionManager.wait_for_pid)
    assert isinstance(inspect.getattr_static(Sender, "sender_task"), property)


def test_a_producer_whose_sender_has_ended_answers_with_errors_that_are_no_kafka_errors() -> None:
    # Which is why `checkpoint` looks at the sender's own end.
    assert not issubclass(IllegalOperation, KafkaError)
    assert "assert TransactionState.is_transition_valid" in source(TransactionManager)
    assert issubclass(ProducerFenced, KafkaError)


# What is done with them.

TIME = 1_767_614_400_000


def written(offsets: Iterable[int]) -> bytes:
    """A batch of records at these offsets, each with its offset as value."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 24)
    for offset in offsets:
        builder.append(offset, TIME, None, b"%d" % offset, [])
    return bytes(builder.build())


class Broker:
    """A client whose broker answers fetches of one partition with what the test says."""

    _metadata_max_age_ms = 60_000

    def __init__(self, *answers: bytes) -> None:
        self._loop = asyncio.get_running_loop()
        self._answers = list(answers)
        self.asked: list[int] = []
        self.cluster = SimpleNamespace(leader_for_partition=lambda _: 0)

    async def send(self, _: int, request: Any) -> Any:
        ((_, ((_, offset, _),)),) = request.topics
        if not self._answers:
            await asyncio.Event().wait()
        self.asked.append(offset)
        partition: tuple[Any, ...] = (HERE.partition, 0, 99, 99, [], self._answers.pop(0))
        return SimpleNamespace(API_VERSION=4, topics=[(HERE.topic, [partition])])


@contextlib.asynccontextmanager
async def fetcher(broker: Broker) -> AsyncIterator[Any]:
    """A real fetcher that is to return slices of `HERE`, from its beginning."""
    subscriptions = SubscriptionState()
    here = aiokafka.TopicPartition(*HERE)
    subscriptions.assign_from_user({here})
    subscriptions.subscription.assignment.state_value(here).reset_to(0)
    made = Fetcher(broker, subscriptions, isolation_level="read_committed")
    transport.fetch_slices(made)
    try:
        yield made
    finally:
        await made.close()


async def test_a_fetcher_returns_one_slice_for_what_a_fetch_brought() -> None:
    async with fetcher(Broker(written(range(3)) + written([3, 7]))) as made:
        ((tp, slices),) = (await made.fetched_records([], timeout=5)).items()
    assert tp == HERE
    assert [type(part) for part in slices] == [Slice]
    assert [record.value for record in slices[0]] == [b"0", b"1", b"2", b"3", b"7"]


async def test_a_fetcher_asks_next_for_what_is_behind_a_slice() -> None:
    broker = Broker(written(range(3)), written(range(3, 5)))
    async with fetcher(broker) as made:
        for expected in ([0, 1, 2], [3, 4]):
            (slices,) = (await made.fetched_records([], timeout=5)).values()
            assert slices[0].offsets.tolist() == expected
    assert broker.asked == [0, 3]


async def test_what_was_corrupt_is_fetched_again() -> None:
    good = written(range(3))
    broker = Broker(good[:-1] + b"!", good)
    async with fetcher(broker) as made:
        with pytest.raises(CorruptRecordException):
            await made.fetched_records([], timeout=5)
        (slices,) = (await made.fetched_records([], timeout=5)).values()
    assert slices[0].offsets.tolist() == [0, 1, 2]
    assert broker.asked == [0, 0]


async def test_other_fetchers_go_on_with_records() -> None:
    async with fetcher(Broker()) as ours:
        other = Fetcher(Broker(), SubscriptionState())
        assert "_proc_fetch_request" in vars(ours)
        assert "_proc_fetch_request" not in vars(other)
        await other.close()
    assert Fetcher._proc_fetch_request.__globals__["PartitionRecords"] is PartitionRecords


@pytest.mark.parametrize("compiled", [True, False])
async def test_the_thread_fetches_slices_where_code_can_be_compiled_and_records_elsewhere(
    monkeypatch: pytest.MonkeyPatch, compiled: bool
) -> None:
    monkeypatch.setattr(transport, "AVAILABLE", compiled)
    thread = transport.ConsumerThread.__new__(transport.ConsumerThread)
    thread.app = SimpleNamespace(consumer_generation_id=4)
    monkeypatch.setattr(transport.ConsumerThread, "_states", lambda _: iter(()))
    warmed: list[bool] = []
    monkeypatch.setattr(transport, "warm_up", lambda: warmed.append(True))
    of_a_fetch = ["a slice"] if compiled else ["a record", "a record"]

    async def start(self: Any) -> None:
        self._consumer = SimpleNamespace(_fetcher=SimpleNamespace())

    async def fetch(*_: Any, **__: Any) -> dict[TP, list[Any]]:
        return {HERE: of_a_fetch}

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "on_start", start)
    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_fetch_records", fetch)
    await thread.on_start()
    assert bool(warmed) is compiled
    assert hasattr(thread._consumer._fetcher, "_proc_fetch_request") is compiled
    taken = await thread._fetch_records()
    assert taken == {HERE: "a slice" if compiled else of_a_fetch}


class Thread(SimpleNamespace):
    """The thread as the consumer sees it."""


@pytest.fixture
def consumer(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A consumer without a broker: what was fetched is what the test says."""
    made = transport.Consumer.__new__(transport.Consumer)
    made.delivered, made.drained = {}, {}
    made.flow_active = True
    made.app = SimpleNamespace(consumer_generation_id=5)
    made._thread = Thread(fetched_in=5, fetched_to={}, ends={})
    monkeypatch.setattr(transport.Consumer, "should_stop", False, raising=False)
    return made


def fetched(consumer: Any, *offsets: int, to: int) -> list[ConsumerMessage]:
    """Let the next fetch return records at these offsets and hand them over."""
    records = [SimpleNamespace(offset=o, timestamp=0, timestamp_type=0) for o in offsets]

    async def next_records(_: float) -> Any:
        consumer._thread.fetched_to = {HERE: to}
        return ({HERE: records} if records else {}), {HERE}

    async def handed_over() -> list[ConsumerMessage]:
        return [message async for _, message in consumer.getmany(0.1)]

    consumer._wait_next_records = next_records
    return asyncio.run(handed_over())


def test_the_records_of_one_fetch_are_one_message(consumer: Any) -> None:
    (message,) = fetched(consumer, 3, 4, 7, to=8)
    assert [record.offset for record in message.value] == [3, 4, 7]
    assert (message.offset, message.tp, message.generation_id) == (7, HERE, 5)


def test_a_slice_tells_where_the_one_before_it_ended(consumer: Any) -> None:
    (first,) = fetched(consumer, 3, 4, 7, to=9)
    (second,) = fetched(consumer, 9, to=10)
    assert first.key is None
    assert second.key == 8


def test_all_partitions_stay_in_the_next_fetch_while_a_queue_is_full(consumer: Any) -> None:
    consumer._active_partitions = {HERE}
    consumer.on_buffer_full(HERE)
    assert consumer._active_partitions == {HERE}


def test_the_position_is_committed_while_records_are_on_their_way(consumer: Any) -> None:
    fetched(consumer, 3, 4, 7, to=9)
    assert consumer.committable(HERE, 4) == 4


def test_markers_behind_the_last_record_are_committed_with_it(consumer: Any) -> None:
    fetched(consumer, 3, 4, 7, to=9)
    assert consumer.committable(HERE, 8) == 9


def test_markers_that_come_alone_are_committed_too(consumer: Any) -> None:
    fetched(consumer, 3, to=5)
    fetched(consumer, to=11)
    assert consumer.committable(HERE, 4) == 11


@pytest.mark.parametrize("why", ["an earlier generation", "a rebalance that goes on"])
def test_what_is_not_handed_over_is_not_committed_and_is_fetched_again(
    consumer: Any, why: str
) -> None:
    sought: list[Any] = []

    async def seek() -> None:
        sought.append("committed")

    async def rewind(firsts: dict[TP, int]) -> None:
        sought.append(firsts)

    consumer.perform_seek = seek
    consumer._thread.rewind = rewind
    if why == "an earlier generation":
        consumer._thread.fetched_in = 4
    else:
        consumer.flow_active = False
    assert fetched(consumer, 3, 4, to=9) == []
    assert sought == ["committed", {HERE: 3}]
    assert consumer.committable(HERE, 2) == 2


@pytest.mark.parametrize(("stands_at", "sought"), [(9, [(HERE, 3)]), (3, []), (0, [])])
async def test_a_partition_without_a_committed_offset_is_sought_by_what_was_dropped_of_it(
    monkeypatch: pytest.MonkeyPatch, stands_at: int, sought: list[tuple[TP, int]]
) -> None:
    # Seeking to committed offsets moves nothing that has none: the records would be lost.
    calls: list[tuple[TP, int]] = []
    thread = transport.ConsumerThread.__new__(transport.ConsumerThread)
    thread._consumer = SimpleNamespace(seek=lambda tp, offset: calls.append((tp, offset)))
    state = SimpleNamespace(has_valid_position=True, position=stands_at)
    monkeypatch.setattr(transport.ConsumerThread, "_states", lambda _: iter([(HERE, state)]))
    await thread._rewind({HERE: 3})
    assert calls == sought


async def test_records_belong_to_the_generation_in_which_their_fetch_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A fetch that waits through a rebalance returns what the new assignment brought.
    thread = transport.ConsumerThread.__new__(transport.ConsumerThread)
    thread.app = SimpleNamespace(consumer_generation_id=4)
    monkeypatch.setattr(transport.ConsumerThread, "_states", lambda _: iter(()))

    async def fetch(*_: Any, **__: Any) -> dict[TP, list[Any]]:
        thread.app.consumer_generation_id = 5
        return {}

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_fetch_records", fetch)
    await thread._fetch_records()
    assert thread.fetched_in == 5


def test_an_assignment_that_has_ended_returns_nothing_of_what_it_fetched() -> None:
    assert "assignment.active" in source(FetchResult.check_assignment)


@pytest.mark.parametrize(("generation", "committed"), [(5, True), (4, False), (-1, False)])
async def test_only_a_member_of_the_present_generation_commits(
    monkeypatch: pytest.MonkeyPatch, generation: int, committed: bool
) -> None:
    thread = transport.ConsumerThread.__new__(transport.ConsumerThread)
    thread.app = SimpleNamespace(consumer_generation_id=5)
    asked = []

    async def commit(offsets: Any) -> None:
        asked.append(offsets)

    monkeypatch.setattr(transport.ConsumerThread, "assignment", lambda _: {HERE})
    thread._consumer = SimpleNamespace(
        _coordinator=SimpleNamespace(generation=generation), commit=commit
    )
    assert await thread._commit({HERE: 7}) is committed
    assert len(asked) == committed
