"""What a real broker sends, read as columns and as aiokafka's own records: the same."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic

from streams import transport
from streams.slices import Slice
from tests.brokers import KafkaServer, admin

pytestmark = pytest.mark.kafka

PARTITIONS = 2
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


@pytest.fixture(scope="module")
def compacting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A Kafka that compacts at once instead of each quarter of a minute."""
    settings = {"log.cleaner.backoff.ms": "100"}
    server = KafkaServer(tmp_path_factory.mktemp("compacting"), settings).start()
    yield server
    server.kill()


def create_topic(server: KafkaServer, **config: str) -> str:
    name = f"batches-{uuid.uuid4().hex[:8]}"
    client = admin(server.bootstrap_servers)
    client.create_topics([NewTopic(name, PARTITIONS, 1, config=config)])[name].result(30.0)
    return name


def producer(server: KafkaServer, compression: str = "none", **options: Any) -> Producer:
    return Producer(
        {
            "bootstrap.servers": server.bootstrap_servers,
            "compression.type": compression,
            "linger.ms": 5,
            "log_level": 0,
            **options,
        }
    )


async def read(
    server: KafkaServer, topic: str, *, slices: bool, isolation: str = "read_committed"
) -> dict[int, list[tuple[Any, ...]]]:
    """All that a consumer is handed of a topic up to its end, by partition."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=server.bootstrap_servers,
        isolation_level=isolation,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        if slices:
            transport.fetch_slices(consumer._fetcher)
        topic_partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(topic_partitions)
        ends = await consumer.end_offsets(topic_partitions)
        read: dict[int, list[tuple[Any, ...]]] = {number: [] for number in range(PARTITIONS)}
        async with asyncio.timeout(60.0):
            while any([await consumer.position(tp) < end for tp, end in ends.items()]):
                for tp, fetched in (await consumer.getmany(timeout_ms=100)).items():
                    assert all(isinstance(part, Slice) is slices for part in fetched)
                    records = [r for part in fetched for r in part] if slices else fetched
                    read[tp.partition] += [
                        (r.offset, r.timestamp, r.key, r.value, r.headers) for r in records
                    ]
        return read
    finally:
        await consumer.stop()


@pytest.mark.parametrize("isolation", ["read_committed", "read_uncommitted"])
@pytest.mark.parametrize("compression", CODECS)
async def test_transactions_of_each_codec_are_read_as_aiokafka_reads_them(
    kafka: KafkaServer, compression: str, isolation: str
) -> None:
    topic = create_topic(kafka)
    name = uuid.uuid4().hex
    producers = [producer(kafka, compression, **{"transactional.id": f"{name}-{n}"}) for n in "ab"]
    for one in producers:
        one.init_transactions(30.0)
    kept = []
    for turn in range(6):
        for one in producers:
            one.begin_transaction()
        for n in range(300):
            for which, one in enumerate(producers):
                value = b"%d/%d/%d " % (turn, n, which) * 8
                headers = [("n", b"%d" % n), ("nothing", None)] if n % 7 == 0 else []
                key = None if n % 5 == 0 else b"press-%d" % n
                one.produce(topic, value, key, partition=n % PARTITIONS, headers=headers)
                if which == turn % 2:
                    kept.append(value)
            if n % 50 == 0:
                for one in producers:
                    assert one.flush(30.0) == 0
        producers[turn % 2].commit_transaction(30.0)
        producers[1 - turn % 2].abort_transaction(30.0)

    ours = await read(kafka, topic, slices=True, isolation=isolation)
    assert ours == await read(kafka, topic, slices=False, isolation=isolation)
    values = [record[3] for records in ours.values() for record in records]
    if isolation == "read_committed":
        assert sorted(values) == sorted(kept)
    else:
        assert set(kept) < set(values)


async def test_a_compacted_topic_is_read_across_its_gaps(compacting: KafkaServer) -> None:
    topic = create_topic(
        compacting,
        **{
            "cleanup.policy": "compact",
            "segment.ms": "200",
            "min.cleanable.dirty.ratio": "0.01",
        },
    )
    writer = producer(compacting)
    deadline = time.monotonic() + 60.0
    gaps = False
    while not gaps:
        assert time.monotonic() < deadline, "nothing was compacted"
        # A segment is closed, and may be compacted, by what is written after its time.
        for n in range(200):
            value = None if n % 9 == 0 else b"%d" % n
            writer.produce(topic, value, b"press-%d" % (n % 50), partition=n % PARTITIONS)
        assert writer.flush(30.0) == 0
        await asyncio.sleep(0.3)
        ours = await read(compacting, topic, slices=True)
        gaps = all(records[-1][0] + 1 > len(records) for records in ours.values())
    # It may have been compacted further between one reading and the other.
    for _ in range(10):
        theirs = await read(compacting, topic, slices=False)
        if ours == theirs:
            break
        ours = await read(compacting, topic, slices=True)
    assert ours == theirs
    assert {record[2] for records in ours.values() for record in records} == {
        b"press-%d" % n for n in range(50)
    }


async def test_a_topic_with_log_append_time_has_the_times_of_the_broker(kafka: KafkaServer) -> None:
    topic = create_topic(kafka, **{"message.timestamp.type": "LogAppendTime"})
    writer = producer(kafka)
    for n in range(10):
        writer.produce(topic, b"%d" % n, timestamp=1_000 + n, partition=n % PARTITIONS)
    assert writer.flush(30.0) == 0
    ours = await read(kafka, topic, slices=True)
    assert ours == await read(kafka, topic, slices=False)
    assert all(record[1] > 1_500_000_000_000 for records in ours.values() for record in records)


async def test_a_fetch_that_begins_within_a_batch_leaves_out_what_is_before(
    kafka: KafkaServer,
) -> None:
    topic = create_topic(kafka)
    writer = producer(kafka, "zstd", **{"linger.ms": 200})
    for n in range(100):
        writer.produce(topic, b"%d" % n, partition=0)
    assert writer.flush(30.0) == 0
    here = TopicPartition(topic, 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers)
    await consumer.start()
    try:
        transport.fetch_slices(consumer._fetcher)
        consumer.assign([here])
        consumer.seek(here, 42)
        async with asyncio.timeout(30.0):
            while not (fetched := await consumer.getmany(timeout_ms=100)):
                pass
    finally:
        await consumer.stop()
    ((records,),) = fetched.values()
    assert [(r.offset, r.value) for r in records] == [(n, b"%d" % n) for n in range(42, 100)]
