"""Kafka for commands: look, read to the end, follow, send; trouble is one line."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import confluent_kafka as ck

from schemas.errors import BrokerGone, DriftlineError, TopicError
from schemas.settings import Settings

CONNECT_SECONDS = 10.0
POLL_SECONDS = 0.2
DELIVERY_SECONDS = 60.0

Headers = Sequence[tuple[str, bytes | None]]


class _Trouble:
    """The last thing librdkafka complained about, for the message to the user."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self.fatal = False

    def __call__(self, error: ck.KafkaError) -> None:
        # "All brokers down" only sums up what was said before it.
        if error.code() != ck.KafkaError._ALL_BROKERS_DOWN or self.reason is None:
            self.reason = error.str()
        self.fatal = self.fatal or error.code() in (
            ck.KafkaError._AUTHENTICATION,
            ck.KafkaError._SSL,
        )


@contextlib.contextmanager
def open_consumer(
    settings: Settings, **options: Any
) -> Iterator[tuple[ck.Consumer, ck.cimpl.ClusterMetadata]]:
    """A read_committed consumer that answers, with the cluster's metadata.

    Raises
    ------
    BrokerGone
        No broker answers within 10 s.
    """
    trouble = _Trouble()
    consumer = ck.Consumer(
        settings.kafka.librdkafka()
        | {
            "group.id": f"{settings.group}-cli",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 50,
            "fetch.queue.backoff.ms": 5,
            "error_cb": trouble,
            "log_level": 0,
        }
        | options
    )
    try:
        yield consumer, cluster(consumer, settings, trouble)
    finally:
        consumer.close()


def cluster(client: Any, settings: Settings, trouble: _Trouble) -> Any:
    """What brokers and topics there are.

    Raises
    ------
    BrokerGone
        No broker answers within 10 s.
    """
    deadline = time.monotonic() + CONNECT_SECONDS
    while True:
        try:
            # Asking for all topics, since asking for one by name may bring it into being.
            return client.list_topics(timeout=max(deadline - time.monotonic(), 0.1))
        except ck.KafkaException as error:
            client.poll(0)  # Lets librdkafka say what the matter is.
            if time.monotonic() >= deadline or trouble.fatal:
                reason = trouble.reason or error.args[0].str()
                raise BrokerGone(
                    f"kafka.bootstrap_servers: '{settings.kafka.bootstrap_servers}': no broker "
                    f"answers ({reason}): is it running, and is this its address?"
                ) from None
            time.sleep(0.2)


def partitions_of(metadata: Any, topic: str) -> list[int]:
    """The partition numbers of a topic.

    Raises
    ------
    TopicError
        There is no such topic.
    """
    found = metadata.topics.get(topic)
    if found is None or found.error is not None:
        raise TopicError(f"{topic}: no such topic: create it with `driftline topics create`")
    return sorted(found.partitions)


def read_to_end(
    settings: Settings, topic: str, keep: Callable[[Any], bool] | None = None
) -> list[Any]:
    """All committed messages of a topic, in the order of partition and offset.

    Parameters
    ----------
    settings
        For the broker.
    topic
        Full name.
    keep
        Which messages to keep; all by default.

    Raises
    ------
    BrokerGone
        No broker answers.
    TopicError
        There is no such topic.
    """
    with open_consumer(settings) as (consumer, metadata):
        partitions = partitions_of(metadata, topic)
        consumer.assign([ck.TopicPartition(topic, p, ck.OFFSET_BEGINNING) for p in partitions])
        found = [m for m in until_end(consumer, topic, len(partitions)) if not keep or keep(m)]
    return sorted(found, key=lambda message: (message.partition(), message.offset()))


def until_end(consumer: ck.Consumer, topic: str, partitions: int) -> Iterator[Any]:
    """The messages of what is assigned, until each partition has said that it has no more."""
    ended: set[int] = set()
    silent_since = time.monotonic()
    while len(ended) < partitions:
        for message in consumer.consume(1000, POLL_SECONDS):
            silent_since = time.monotonic()
            error = message.error()
            if error is None:
                yield message
            elif error.code() == ck.KafkaError._PARTITION_EOF:
                ended.add(message.partition())
            elif not error.retriable() and error.code() != ck.KafkaError._TRANSPORT:
                raise DriftlineError(f"{topic}[{message.partition()}]: {error.str()}")
        if time.monotonic() - silent_since > 3 * CONNECT_SECONDS:
            raise BrokerGone(f"{topic}: no answer for {3 * CONNECT_SECONDS:.0f} s")


def follow(consumer: ck.Consumer) -> Iterator[Any]:
    """Messages as they come, without end; a broker that is away is waited for."""
    while True:
        for message in consumer.consume(100, POLL_SECONDS):
            if message.error() is None:
                yield message


class Sender:
    """A producer for one topic that knows what became of each message.

    Parameters
    ----------
    settings
        For the broker.
    topic
        Full name; it has to exist.

    Raises
    ------
    BrokerGone
        No broker answers within 10 s.
    TopicError
        There is no such topic. (A producer would bring it into being with the wrong number of
        partitions.)
    """

    def __init__(self, settings: Settings, topic: str, **options: Any) -> None:
        trouble = _Trouble()
        self.topic = topic
        self.sent = 0
        self.failed = 0
        self.reason: str | None = None
        self.producer = ck.Producer(
            settings.kafka.librdkafka()
            | {
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 5,
                "delivery.timeout.ms": int(DELIVERY_SECONDS * 1000),
                "error_cb": trouble,
                "log_level": 0,
            }
            | options
        )
        self.partitions = partitions_of(cluster(self.producer, settings, trouble), topic)

    def send(
        self,
        key: bytes | None,
        value: bytes | None,
        *,
        headers: Headers = (),
        partition: int | None = None,
    ) -> None:
        """Hand one message over; waits while the queue is full."""
        where: Mapping[str, Any] = {} if partition is None else {"partition": partition}
        while True:
            try:
                self.producer.produce(
                    self.topic,
                    key=key,
                    value=value,
                    headers=list(headers),
                    on_delivery=self._delivered,
                    **where,
                )
                break
            except BufferError:
                self.producer.poll(POLL_SECONDS)
            except ck.KafkaException as error:
                # Refused before it was queued: larger than the client may send.
                self._delivered(error.args[0], None)
                break
        self.producer.poll(0)

    def flush(self) -> None:
        """Wait until each message is delivered or has failed."""
        while self.producer.flush(POLL_SECONDS):
            pass

    def finish(self) -> None:
        """Wait, and fail if any message did.

        Raises
        ------
        DriftlineError
            Some message was not delivered.
        """
        self.flush()
        if self.failed:
            raise DriftlineError(f"{self.topic}: {self.failed} not delivered: {self.reason}")

    def _delivered(self, error: ck.KafkaError | None, _: Any) -> None:
        if error is None:
            self.sent += 1
        else:
            self.failed += 1
            self.reason = error.str()


def send_control(settings: Settings, **fields: Any) -> bytes:
    """Write one control event, keyed by its sensor, and return its bytes."""
    from schemas.codec import encode
    from schemas.events import ControlEvent
    from streams.cli.options import now

    event = ControlEvent(ts=now(), **fields)
    message = encode(event)
    sender = Sender(settings, settings.topic("control"))
    sender.send(event.sensor_id.encode(), message)
    sender.finish()
    return message
