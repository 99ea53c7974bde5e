"""The state topic: what a partition knew at its last checkpoint.

Each key is a JSON array, so that any sensor id can stand in it:

======================================  ================================================
``["position"]``                        next offset of every input topic, and the layout
``["sensor","oven-2"]``                 signed snapshot of one sensor
``["pending","oven-2","b-1001"]``       signed prediction that waits for its label
``["fleet"]``                           episodes that opened a moment ago, and those that are
                                        told as one (`streams.fleet`)
======================================  ================================================

The end of a partition is where the broker says so (PARTITION_EOF under read_committed),
never an offset computed from the high watermark, which counts transaction markers too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import confluent_kafka as ck
import msgspec
import orjson
import structlog

from schemas.errors import BrokerGone, TopicError
from schemas.settings import Settings

LAYOUT = 2
POSITION_KEY = orjson.dumps(["position"])
FLEET = ["fleet"]
READ_SECONDS = 0.1
WATERMARK_SECONDS = 10.0

log = structlog.get_logger("driftline.changelog")


@dataclass(frozen=True)
class Position:
    """Where a partition stands.

    Parameters
    ----------
    offsets
        Next offset to process, by full topic name.
    partitions
        Partition count of the deployment that wrote it.
    layout
        Version of the layout of the state topic.
    """

    offsets: Mapping[str, int] = field(default_factory=dict)
    partitions: int = 0
    layout: int = LAYOUT

    def encode(self) -> bytes:
        """Return the JSON that stands on the state topic."""
        return orjson.dumps(
            {"layout": self.layout, "partitions": self.partitions, "offsets": dict(self.offsets)}
        )


@dataclass(frozen=True)
class Restored:
    """What the state topic holds for one partition: its position and raw rows by key."""

    position: Position
    rows: dict[bytes, bytes]


def sensor_key(sensor_id: str) -> bytes:
    """Return the state key of a sensor."""
    return orjson.dumps(["sensor", sensor_id])


def pending_key(sensor_id: str, event_id: str) -> bytes:
    """Return the state key of a prediction or label that waits for its counterpart."""
    return orjson.dumps(["pending", sensor_id, event_id])


def is_of_fleet(key: bytes) -> bool:
    """Tell whether a state key is that of the fleet, or of a part of it."""
    return key.startswith(b'["fleet"')


def parse_key(key: bytes) -> list[str]:
    """Return the parts of a state key: its kind first."""
    parts: list[str] = orjson.loads(key)
    return parts


def decode_position(raw: bytes | None) -> Position:
    """Read a stored position; None is the position of a partition that never was."""
    return Position() if raw is None else msgspec.json.decode(raw, type=Position)


def read_partition(
    settings: Settings,
    partition: int,
    wanted: Callable[[bytes], bool] = lambda _: True,
) -> Restored:
    """Read one partition of the state topic to its end. Blocks: call it in a thread.

    Parameters
    ----------
    settings
        For the broker and the topic.
    partition
        Which one.
    wanted
        Keys to keep; the position is always kept.

    Raises
    ------
    BrokerGone
        If the broker can't be reached for `kafka.outage_timeout`.
    confluent_kafka.KafkaException
        If it went away just now; trying again may help.
    TopicError
        If the position was written by a deployment with another partition count, or for
        topics that have been created anew since.
    """
    topic = settings.topic("state")
    rows: dict[bytes, bytes] = {}
    consumer = ck.Consumer(
        settings.kafka.librdkafka()
        | {
            "group.id": f"{settings.group}-restore",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,
            "fetch.queue.backoff.ms": 5,
            "queued.min.messages": 100_000,
            "log_level": 0,
        }
    )
    try:
        consumer.assign([ck.TopicPartition(topic, partition, ck.OFFSET_BEGINNING)])
        silent = 0.0
        done = False
        while not done:
            messages = consumer.consume(10_000, READ_SECONDS)
            silent = 0.0 if messages else silent + READ_SECONDS
            if silent > settings.kafka.outage_timeout:
                raise BrokerGone(
                    f"{topic}[{partition}]: no answer for {silent:.0f} s (kafka.outage_timeout)"
                )
            for message in messages:
                error = message.error()
                if error is not None:
                    done = done or error.code() == ck.KafkaError._PARTITION_EOF
                    if not done and not error.retriable() and error.fatal():
                        raise BrokerGone(f"{topic}[{partition}]: {error.str()}")
                    continue
                key, value = message.key(), message.value()
                if key is None or not (wanted(key) or key == POSITION_KEY):
                    continue
                if value is None:
                    rows.pop(key, None)
                else:
                    rows[key] = value
        position = decode_position(rows.pop(POSITION_KEY, None))
        _check_position(settings, partition, position)
        _check_against_topics(consumer, partition, position)
    finally:
        consumer.close()
    return Restored(position, rows)


def _check_position(settings: Settings, partition: int, position: Position) -> None:
    topic = settings.topic("state")
    if position.layout > LAYOUT:
        raise TopicError(
            f"{topic}[{partition}]: written by a newer version (layout {position.layout}, "
            f"this one reads up to {LAYOUT}): upgrade this worker"
        )
    if position.partitions not in (0, settings.topics.partitions):
        raise TopicError(
            f"topics.partitions: {settings.topics.partitions} is not allowed: the state of group "
            f"{settings.group!r} was written with {position.partitions}; keep that number, or move "
            "to a new topics.prefix and group and produce the history again (docs/operations.md)"
        )


def _check_against_topics(consumer: ck.Consumer, partition: int, position: Position) -> None:
    """Refuse a position that its topic can't have led to: all that is new would be skipped."""
    for topic, offset in position.offsets.items():
        low, high = consumer.get_watermark_offsets(
            ck.TopicPartition(topic, partition), timeout=WATERMARK_SECONDS
        )
        if offset > high:
            raise TopicError(
                f"{topic}[{partition}]: it ends at {high}, but {offset} records of it were "
                "processed: it was created anew; use a new group, or bring the old topic back"
            )
        if offset < low:
            log.warning(
                "records were cut by retention before they were processed",
                topic=topic,
                partition=partition,
                from_offset=offset,
                to_offset=low,
            )
