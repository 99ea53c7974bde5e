"""Writing a checkpoint: everything that happened since the last one, or nothing of it.

`TransactionalWriter` is the exactly-once way: one transactional id per group and
partition, so that opening it fences every earlier owner and aborts what that one left
open (KIP-98, and KIP-447's argument for one id per input partition). `PlainWriter` is for
brokers without transactions; it writes effects before state and state before the position,
so that a crash in between repeats effects under the same ids and loses none.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import IllegalOperation, KafkaError, ProducerFenced

from schemas.errors import Fenced
from schemas.settings import Settings
from streams.changes import BATCH_BYTES, Batch, Changes
from streams.clients import aiokafka_options
from streams.records import Outgoing
from streams.sending import ReadyBatch, join_once

log = structlog.get_logger("driftline.checkpoint")

CLOSE_SECONDS = 2.0
TRANSACTION_SECONDS = 60.0
"""When the broker gives an open transaction up. The next owner ends it at once, so this only
keeps a worker from being fenced by a broker that did not answer for a while."""


class Writer(Protocol):
    """Writes one checkpoint after the other for one partition."""

    async def open(self) -> None:
        """Become the only writer; raises KafkaError while the broker can't be reached."""

    async def write(self, effects: Sequence[Outgoing], changes: Changes) -> None:
        """Write both; raises Fenced if another owner has taken over, else KafkaError."""

    async def close(self) -> None:
        """Let go, in bounded time."""


class _Producer:
    """What both writers share: a producer, batches for one partition number."""

    def __init__(self, settings: Settings, partition: int, **options: Any) -> None:
        self._settings = settings
        self._partition = partition
        self._options = options
        self._producer: AIOKafkaProducer | None = None

    async def _start(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **aiokafka_options(self._settings.kafka),
            client_id=f"{self._settings.group}-{self._partition}",
            linger_ms=0,
            max_batch_size=BATCH_BYTES,
            max_request_size=64 * 1024 * 1024,
            acks="all",
            **self._options,
        )
        join_once(producer)
        try:
            await producer.start()
        except BaseException:
            await _stop(producer)
            raise
        self._producer = producer
        return producer

    async def close(self) -> None:
        """Stop the producer; what is not committed is aborted by the next owner."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stop(producer)

    async def _send(self, records: Iterable[Outgoing]) -> list[asyncio.Future[Any]]:
        producer = self._producer
        assert producer is not None
        futures: list[asyncio.Future[Any]] = []
        batches: dict[str, Any] = {}
        for record in records:
            batch = batches.get(record.topic)
            if batch is None:
                batch = batches[record.topic] = producer.create_batch()
            if not _append(batch, record):
                futures.append(
                    await producer.send_batch(batch, record.topic, partition=self._partition)
                )
                batch = batches[record.topic] = producer.create_batch()
                _append(batch, record)
        for topic, batch in batches.items():
            futures.append(await producer.send_batch(batch, topic, partition=self._partition))
        return futures

    async def _send_ready(
        self, batches: Iterable[Batch], timestamp: int
    ) -> list[asyncio.Future[Any]]:
        producer = self._producer
        assert producer is not None
        topic = self._settings.topic("state")
        transactional = "transactional_id" in self._options
        return [
            await producer.send_batch(
                ReadyBatch(batch, timestamp, transactional=transactional),
                topic,
                partition=self._partition,
            )
            for batch in batches
        ]


class TransactionalWriter(_Producer):
    """One transaction per checkpoint.

    Parameters
    ----------
    settings
        For the broker and the group.
    partition
        The owned partition's number.
    """

    def __init__(self, settings: Settings, partition: int) -> None:
        super().__init__(
            settings,
            partition,
            transactional_id=f"{settings.group}-{partition}",
            transaction_timeout_ms=int(TRANSACTION_SECONDS * 1000),
        )

    async def open(self) -> None:
        """Fence every earlier owner; returns when what it left open has been aborted."""
        producer = await self._start()
        await producer._txn_manager.wait_for_pid()

    async def write(self, effects: Sequence[Outgoing], changes: Changes) -> None:
        """Write and commit.

        Raises
        ------
        Fenced
            If another process has opened the same partition since.
        KafkaError
            If the outcome is unknown: open again and look at the stored position.
        """
        producer = self._producer
        if producer is None:
            raise KafkaError("the writer is closed")
        try:
            await producer.begin_transaction()
            futures = await self._send(effects)
            futures += await self._send_ready(changes.batches, changes.timestamp)
            await asyncio.gather(*futures)
            await producer.commit_transaction()
        except ProducerFenced as error:
            raise self._fenced() from error
        except (IllegalOperation, AssertionError) as error:
            # What aiokafka makes of a call after its sender has ended: the reason lies there.
            ended = producer._sender.sender_task
            reason = ended.exception() if ended.done() and not ended.cancelled() else None
            if isinstance(reason, ProducerFenced):
                raise self._fenced() from reason
            raise KafkaError(f"the producer has ended: {reason or error}") from error

    def _fenced(self) -> Fenced:
        return Fenced(
            f"partition {self._partition} has another owner: this process was frozen or "
            "cut off for longer than kafka.session_timeout"
        )


class PlainWriter(_Producer):
    """No transaction: effects, then rows, then those of the batch that ends with the position.

    Each is acknowledged before the next, and a batch is written as a whole or not at all.
    """

    def __init__(self, settings: Settings, partition: int) -> None:
        super().__init__(settings, partition, enable_idempotence=False)

    async def open(self) -> None:
        """Connect."""
        await self._start()

    async def write(self, effects: Sequence[Outgoing], changes: Changes) -> None:
        """Write in order; the position is the last of `changes`."""
        if self._producer is None:
            raise KafkaError("the writer is closed")
        await asyncio.gather(*await self._send(effects))
        for part in (changes.batches[:-1], changes.batches[-1:]):
            await asyncio.gather(*await self._send_ready(part, changes.timestamp))


def create_writer(settings: Settings, partition: int) -> Writer:
    """Return the writer that `settings.guarantee` asks for."""
    if settings.guarantee == "exactly_once":
        return TransactionalWriter(settings, partition)
    return PlainWriter(settings, partition)


def _append(batch: Any, record: Outgoing) -> bool:
    return (
        batch.append(
            timestamp=record.timestamp,
            key=record.key,
            value=record.value,
            headers=list(record.headers),
        )
        is not None
    )


async def _stop(producer: AIOKafkaProducer) -> None:
    try:
        await asyncio.wait_for(producer.stop(), CLOSE_SECONDS)
    except (TimeoutError, KafkaError, OSError, ssl.SSLError) as error:
        log.debug("producer stopped without an answer", reason=f"{type(error).__name__}: {error}")
        if producer._sender.sender_task is not None:
            # It would go on sending for a partition that was given up.
            producer._sender.sender_task.cancel()
        await producer.client.close()
