"""What stands in for parts of aiokafka's producer, and the private names that it stands on.

A new version of aiokafka is taken on purpose: what fails here is what must be looked at again.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import aiokafka
import pytest
from aiokafka import conn
from aiokafka.producer import sender as aiokafka_sender
from aiokafka.producer.message_accumulator import BatchBuilder, MessageAccumulator
from aiokafka.producer.sender import Sender, SendProduceReqHandler
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from streams import sending
from streams.changelog import POSITION_KEY, Position
from streams.changes import BATCH_BYTES, Changes
from streams.sending import ReadyBatch

HERE = TopicPartition("driftline.state", 3)
VERSIONS = range(3, 8)


def source(of: Any) -> str:
    return inspect.getsource(of)


# The names, one by one.


def test_the_version_is_that_which_the_private_names_were_read_in() -> None:
    assert aiokafka.__version__ == "0.14.0"


def test_a_producer_has_its_sender_before_it_starts() -> None:
    assert "self._sender = Sender(" in source(aiokafka.AIOKafkaProducer.__init__)


def test_a_sender_makes_a_handler_of_batches_in_one_method_that_names_its_class() -> None:
    method = Sender._send_produce_req
    assert "self._send_produce_req(node_id, node_batches)" in source(Sender._sender_routine)
    assert "SendProduceReqHandler" in method.__code__.co_names
    assert (method.__code__.co_freevars, method.__defaults__) == ((), None)


def test_a_handler_makes_its_request_in_one_method_that_names_its_class() -> None:
    method = SendProduceReqHandler.create_request
    assert "ProduceRequest" in method.__code__.co_names
    assert "collections.defaultdict(list)" in source(method)
    assert (method.__code__.co_freevars, method.__defaults__) == ((), None)


def test_a_connection_has_a_structure_encode_itself() -> None:
    text = source(conn.AIOKafkaConnection.send)
    assert "request_struct = request.prepare(self._versions)" in text
    assert "header.encode() + request_struct.encode()" in text


def test_the_versions_of_the_request_are_known() -> None:
    assert [kind.API_VERSION for kind in ProduceRequest._CLASSES] == list(range(8))


# Batches.


class Cluster:
    """All that an accumulator asks of the cluster."""

    def leader_for_partition(self, _: TopicPartition) -> int:
        return 1


async def drained(builder: Any, *, transactional: bool) -> bytes:
    """What aiokafka's producer would send of a batch."""
    manager: Any = None
    if transactional:
        manager = TransactionManager("group-3", 60_000)
        manager.set_pid_and_epoch(11, 4)
        manager.begin_transaction()
    accumulator = MessageAccumulator(Cluster(), BATCH_BYTES, 0, 30.0, txn_manager=manager)
    await accumulator.add_batch(builder, HERE, 1.0)
    nodes, unknown = accumulator.drain_by_nodes(ignore_nodes=[])
    assert not unknown
    batch = nodes[1][HERE]
    assert not batch.is_empty()
    if transactional:
        assert manager.sequence_number(HERE) == batch.record_count
    sent = bytes(batch.get_data_buffer())
    batch.done(0)
    return sent


@pytest.mark.parametrize("transactional", [True, False])
async def test_the_producer_sends_a_ready_batch_as_one_that_it_built(transactional: bool) -> None:
    changes = Changes()
    rows: Mapping[bytes, bytes | None] = {b'["sensor","a"]': b"row", b'["sensor","b"]': None}
    usual = BatchBuilder(BATCH_BYTES, 0, is_transactional=transactional)
    for key, value in (rows | {POSITION_KEY: Position().encode()}).items():
        changes.append(key, value)
        usual.append(timestamp=changes.timestamp, key=key, value=value)
    (batch,) = changes.batches
    ready = ReadyBatch(batch, changes.timestamp, transactional=transactional)
    assert ready.closed()
    sent = await drained(ready, transactional=transactional)
    assert sent == await drained(usual, transactional=transactional)
    assert DefaultRecordBatch(sent).validate_crc()


async def test_a_ready_batch_can_be_sent_again_by_another_producer() -> None:
    changes = Changes()
    changes.append(b"key", b"value")
    (batch,) = changes.batches
    first, second = (ReadyBatch(batch, changes.timestamp, transactional=True) for _ in range(2))
    assert await drained(first, transactional=True) == await drained(second, transactional=True)


# Requests.

topics = st.lists(
    st.tuples(
        st.text(max_size=20),
        st.lists(st.tuples(st.integers(0, 2**31 - 1), st.binary(max_size=50)), max_size=3),
    ),
    max_size=3,
)


@given(
    st.sampled_from(VERSIONS), st.none() | st.text(max_size=20), st.sampled_from([-1, 1]), topics
)
def test_a_request_has_the_bytes_of_that_of_aiokafka(
    version: int, transactional_id: str | None, acks: int, records: list[Any]
) -> None:
    arguments = (transactional_id, acks, 40_000, records)
    supported = {0: (0, version)}
    usual = ProduceRequest(*arguments).prepare(supported)
    views = [(topic, [(n, memoryview(of)) for n, of in given]) for topic, given in records]
    ours = sending._Request(transactional_id, acks, 40_000, views).prepare(supported)
    assert type(ours) is type(usual)
    assert ours.encode() == usual.encode()


@pytest.mark.parametrize("version", range(3))
def test_a_request_to_a_broker_of_long_ago_is_that_of_aiokafka(version: int) -> None:
    arguments = (None, -1, 40_000, [("topic", [(0, b"records")])])
    supported = {0: (0, version)}
    ours = sending._Request(*arguments).prepare(supported)
    assert ours.encode() == ProduceRequest(*arguments).prepare(supported).encode()


async def test_a_producer_sends_such_requests_and_goes_on_as_before() -> None:
    sent: list[Any] = []
    broken = ConnectionError("gone")

    class Client:
        async def send(self, node: int, request: Any) -> Any:
            sent.append((node, request))
            raise broken

    sender: Any = SimpleNamespace(
        client=Client(),
        _txn_manager=None,
        _acks=-1,
        _request_timeout_ms=40_000,
        _retry_backoff=0.0,
        _in_flight={1},
        _muted_partitions={HERE},
    )
    sending.join_once(SimpleNamespace(_sender=sender))
    batch = SimpleNamespace(get_data_buffer=lambda: memoryview(b"records"))
    with pytest.raises(ConnectionError):
        await sender._send_produce_req(1, {HERE: batch})
    ((node, request),) = sent
    assert node == 1
    assert isinstance(request, sending._Request)
    assert isinstance(request, aiokafka_sender.ProduceRequest)
    structure = request.prepare({0: (0, 7)})
    assert structure.topics == [("driftline.state", [(3, memoryview(b"records"))])]
    assert structure.encode().endswith(b"\0\0\0\7records")
