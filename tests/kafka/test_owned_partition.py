"""The owned partition by itself, on a real Kafka: its checkpoint is all or nothing, and its own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Producer
from prometheus_client import CollectorRegistry

from schemas.errors import Fenced, SnapshotError
from schemas.settings import Settings, load_settings
from streams import partition as module
from streams.changelog import read_partition
from streams.metrics import Metrics
from streams.partition import OwnedPartition
from streams.records import FileRecord
from streams.sensor import Challenge
from tests.brokers import KafkaServer
from tests.chaos.verifier import first_difference
from tests.deployment import Deployment

pytestmark = pytest.mark.kafka

TS = 1_767_614_400
NUMBER = 1


def records(first: int, n: int, sensor: str = "press-1") -> list[FileRecord]:
    return [
        FileRecord(
            offset,
            1_767_614_400_000,
            sensor.encode(),
            orjson.dumps({"sensor_id": sensor, "ts": TS + offset, "value": 20.0 + offset % 3}),
        )
        for offset in range(first, first + n)
    ]


class Owner:
    """A partition with what a worker would give it."""

    def __init__(self, settings: Settings) -> None:
        self.committed: dict[tuple[str, int], int] = {}
        self.partition = OwnedPartition(
            NUMBER, settings, Metrics.create(CollectorRegistry()), self._commit
        )

    def _commit(self, offsets: Mapping[tuple[str, int], int]) -> None:
        self.committed |= offsets

    async def take_in(self, first: int, n: int, sensor: str = "press-1") -> None:
        assert await self.partition.process("sensors", records(first, n, sensor)) is not None


def deployment_with_events(server: KafkaServer, tmp_path: Path, **overrides: Any) -> Deployment:
    """Topics whose sensors topic is long enough for the positions of these tests."""
    deployment = Deployment(server, tmp_path, **{"policy.enabled": False, **overrides})
    server.create_topics(deployment.settings)
    producer = Producer({"bootstrap.servers": server.bootstrap_servers, "log_level": 0})
    for _ in range(1_000):
        producer.produce(deployment.settings.topic("sensors"), b"x", partition=NUMBER)
    assert producer.flush(30.0) == 0
    return deployment


async def test_what_a_checkpoint_wrote_is_what_the_next_owner_restores(
    kafka: KafkaServer, tmp_path: Path
) -> None:
    settings = deployment_with_events(kafka, tmp_path).settings
    first = Owner(settings)
    await first.partition.open()
    await first.take_in(0, 50)
    await first.partition.checkpoint()
    await first.take_in(50, 50)  # and is lost with its owner
    await first.partition.close()
    second = Owner(settings)
    await second.partition.open()
    assert second.partition.position == {settings.topic("sensors"): 50}
    counts = await second.partition.process("sensors", records(0, 100))
    assert counts is not None
    assert (counts.skipped, counts.scored) == (50, 50)
    await second.partition.checkpoint()
    assert second.committed == {(settings.topic("sensors"), NUMBER): 100}
    sensor = second.partition.pipeline.sensor("press-1")
    assert sensor is not None
    assert (sensor.events, sensor.last_offset) == (100, 99)
    await second.partition.close()


async def test_an_owner_that_was_replaced_is_fenced_at_its_next_checkpoint(
    kafka: KafkaServer, tmp_path: Path
) -> None:
    settings = deployment_with_events(kafka, tmp_path).settings
    old, new = Owner(settings), Owner(settings)
    await old.partition.open()
    await old.take_in(0, 10)
    await old.partition.checkpoint()
    await old.take_in(10, 10)
    await new.partition.open()
    with pytest.raises(Fenced, match="has another owner"):
        await old.partition.checkpoint()
    with pytest.raises(Fenced):  # and ever after
        await old.partition.checkpoint()
    await new.take_in(10, 5)
    await new.partition.checkpoint()
    assert (await asyncio.to_thread(read_partition, settings, NUMBER)).position.offsets == {
        settings.topic("sensors"): 15
    }
    await old.partition.close()
    await new.partition.close()


async def test_a_caller_that_stops_waiting_does_not_tear_a_checkpoint(
    own_kafka: KafkaServer, tmp_path: Path
) -> None:
    settings = deployment_with_events(own_kafka, tmp_path).settings
    owner = Owner(settings)
    await owner.partition.open()
    await owner.take_in(0, 30, "press-1")
    own_kafka.pause()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(owner.partition.checkpoint(), 1.0)
    own_kafka.resume()
    await owner.take_in(30, 10, "press-2")
    await owner.partition.checkpoint()
    await owner.partition.close()
    heir = Owner(settings)
    await heir.partition.open()
    first, second = (heir.partition.pipeline.sensor(name) for name in ("press-1", "press-2"))
    assert first is not None
    assert second is not None
    assert (first.events, second.events) == (30, 10)
    await heir.partition.close()


async def test_a_partition_given_up_in_mid_checkpoint_leaves_its_heir_alone(
    own_kafka: KafkaServer, tmp_path: Path
) -> None:
    settings = deployment_with_events(own_kafka, tmp_path).settings
    owner, heir = Owner(settings), Owner(settings)
    await owner.partition.open()
    await owner.take_in(0, 30)
    own_kafka.pause()
    writing = asyncio.create_task(owner.partition.checkpoint())
    await asyncio.sleep(0.5)
    await owner.partition.close()
    own_kafka.resume()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await heir.partition.open()
    begun = heir.partition.position.get(settings.topic("sensors"), 0)
    assert begun in (0, 30)  # all of it or nothing
    await heir.take_in(begun, 10)
    await asyncio.sleep(2.0)
    await heir.partition.checkpoint()  # nobody has fenced it
    await heir.partition.close()


async def test_a_broker_that_comes_back_gets_the_checkpoint_once(
    own_kafka: KafkaServer, tmp_path: Path
) -> None:
    deployment = deployment_with_events(own_kafka, tmp_path, **{"predictions.enabled": True})
    owner = Owner(deployment.settings)
    await owner.partition.open()
    await owner.take_in(0, 30)
    own_kafka.kill()
    writing = asyncio.create_task(owner.partition.checkpoint())
    await asyncio.sleep(2.0)
    assert not writing.done()
    await asyncio.to_thread(own_kafka.start)
    await asyncio.wait_for(writing, 60.0)
    await owner.partition.close()
    assert len(deployment.read("predictions")) == 30


async def test_a_row_larger_than_a_message_may_be_is_split_and_put_together_again(
    kafka: KafkaServer, tmp_path: Path
) -> None:
    deployment = deployment_with_events(kafka, tmp_path)
    owner = Owner(deployment.settings)
    await owner.partition.open()
    await owner.take_in(0, 10)
    sensor = owner.partition.pipeline.sensor("press-1")
    assert sensor is not None
    sensor.challenge = Challenge(None, "a rule of three megabytes" * 120_000)
    await owner.partition.checkpoint()
    await owner.partition.close()
    sizes = [len(message.value() or b"") for message in deployment.read("state")]
    assert sum(sizes) > 3_000_000
    assert max(sizes) < 1_000_000
    heir = Owner(deployment.settings)
    await heir.partition.open()
    assert first_difference(sensor, heir.partition.pipeline.sensor("press-1")) is None
    await heir.partition.close()


async def test_processing_waits_when_too_much_is_not_saved_yet(
    own_kafka: KafkaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_UNSAVED", 100)
    settings = deployment_with_events(own_kafka, tmp_path).settings
    owner = Owner(settings)
    await owner.partition.open()
    await owner.take_in(0, 100)
    own_kafka.pause()
    more = asyncio.create_task(owner.take_in(100, 10))
    await asyncio.sleep(0.3)
    waited = not more.done()
    own_kafka.resume()
    assert waited
    await asyncio.wait_for(more, 10.0)
    await owner.partition.close()


@pytest.mark.parametrize("bound", ["MAX_UNSAVED", "MAX_EFFECTS"])
async def test_a_checkpoint_does_not_wait_to_be_asked_for_when_much_is_not_saved_yet(
    kafka: KafkaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(module, bound, 100)
    deployment = deployment_with_events(kafka, tmp_path, **{"predictions.enabled": True})
    owner = Owner(deployment.settings)
    await owner.partition.open()
    for first in range(0, 1000, 10):
        await asyncio.wait_for(owner.take_in(first, 10), 10.0)
    await owner.partition.checkpoint()
    await owner.partition.close()
    assert list(owner.committed.values()) == [1000]
    assert len(deployment.read("predictions")) == 1000


async def test_a_checkpoint_that_was_not_asked_for_tells_whoever_asks_next_of_its_failure(
    kafka: KafkaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_UNSAVED", 100)
    settings = deployment_with_events(kafka, tmp_path).settings
    owner, heir = Owner(settings), Owner(settings)
    await owner.partition.open()
    await heir.partition.open()
    await owner.take_in(0, 60)
    with pytest.raises(Fenced):
        await owner.partition.checkpoint()
    await owner.partition.close()
    await heir.partition.close()


async def test_state_signed_with_another_key_is_refused(kafka: KafkaServer, tmp_path: Path) -> None:
    deployment = deployment_with_events(kafka, tmp_path)
    owner = Owner(deployment.settings)
    await owner.partition.open()
    await owner.take_in(0, 10)
    await owner.partition.checkpoint()
    await owner.partition.close()
    changed = {**deployment.overrides, "state.signing_key": "another key than the one before"}
    other = Owner(load_settings(None, changed))
    with pytest.raises(SnapshotError, match="signature"):
        await other.partition.open()
    await other.partition.close()
