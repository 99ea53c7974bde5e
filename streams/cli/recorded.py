"""What stands on the sensors and labels topics between two times, in the order of its coming."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from typing import Any, Final, Literal

import confluent_kafka as ck

from schemas.errors import BrokerGone, DriftlineError
from schemas.settings import Settings
from streams.cli.kafka import CONNECT_SECONDS, POLL_SECONDS, open_consumer, partitions_of
from streams.records import FileRecord

_KINDS: Final[tuple[Literal["sensors"], Literal["labels"]]] = ("sensors", "labels")
_MOST_WAITING: Final = 5_000
"""Records of a partition that wait for those of the others; then it is no longer read."""
_MILLISECOND: Final = 1_000
_ASK_SECONDS: Final = 10.0


class _Lane:
    """One partition of one topic, read as far as it goes."""

    def __init__(self, kind: str, place: ck.TopicPartition, end: int) -> None:
        self.kind = kind
        self.place = place
        self.end = end
        self.ended = place.offset >= end
        self.paused = False
        self.waiting: deque[FileRecord] = deque()

    @property
    def rank(self) -> tuple[int, int, int]:
        """Of the first record that waits: by time; then events, which labels come after."""
        return self.waiting[0].timestamp, _KINDS.index(self.kind), self.place.partition


def read_recorded(
    settings: Settings, since: int | None, until: int | None
) -> Iterator[tuple[str, int, FileRecord]]:
    """Yield kind, partition and record of what is committed on both topics.

    Within a partition of a topic in the order of offsets; across them in that of Kafka's
    timestamps, as a worker that always was up to date would have seen them. What comes while it
    reads is left out.

    Parameters
    ----------
    settings
        For the broker and the topics. A labels topic need not be there.
    since, until
        Kafka time in microseconds: from the first record of that time on, up to and without the
        first of the other; None: from the beginning, to the end.

    Raises
    ------
    BrokerGone
        No broker answers.
    TopicError
        There is no sensors topic.
    """
    with open_consumer(settings, **{"queued.max.messages.kbytes": 65_536}) as (consumer, metadata):
        lanes: dict[tuple[str, int], _Lane] = {}
        for kind in _KINDS:
            topic = settings.topic(kind)
            if kind == "labels" and topic not in metadata.topics:
                continue
            for partition in partitions_of(metadata, topic):
                begin, end = _range(consumer, topic, partition, since, until)
                place = ck.TopicPartition(topic, partition, begin)
                lanes[topic, partition] = _Lane(kind, place, end)
        consumer.assign([lane.place for lane in lanes.values() if not lane.ended])
        silent_since = time.monotonic()
        while True:
            while all(lane.waiting or lane.ended for lane in lanes.values()):
                waiting = [lane for lane in lanes.values() if lane.waiting]
                if not waiting:
                    return
                first = min(waiting, key=lambda lane: lane.rank)
                yield first.kind, first.place.partition, first.waiting.popleft()
                silent_since = time.monotonic()
            if _read_on(consumer, lanes):
                silent_since = time.monotonic()
            elif time.monotonic() - silent_since > 3 * CONNECT_SECONDS:
                topic = settings.topic("sensors")
                raise BrokerGone(f"{topic}: no answer for {3 * CONNECT_SECONDS:.0f} s")


def _range(
    consumer: ck.Consumer, topic: str, partition: int, since: int | None, until: int | None
) -> tuple[int, int]:
    """First offset, and the one after the last."""
    low, high = consumer.get_watermark_offsets(
        ck.TopicPartition(topic, partition), timeout=_ASK_SECONDS
    )
    begin = low if since is None else _offset_at(consumer, topic, partition, since, high)
    end = high if until is None else _offset_at(consumer, topic, partition, until, high)
    return max(begin, low), min(end, high)


def _offset_at(consumer: ck.Consumer, topic: str, partition: int, us: int, high: int) -> int:
    # The first record that is not earlier: a fraction of a millisecond counts up.
    asked = ck.TopicPartition(topic, partition, max(-(-us // _MILLISECOND), 0))
    (found,) = consumer.offsets_for_times([asked], timeout=_ASK_SECONDS)
    return high if found.offset < 0 else int(found.offset)


def _read_on(consumer: ck.Consumer, lanes: dict[tuple[str, int], _Lane]) -> bool:
    """Read some more; a partition that is far ahead of the others is stopped for a while."""
    for lane in lanes.values():
        full = len(lane.waiting) >= _MOST_WAITING
        if not lane.ended and full != lane.paused:
            (consumer.pause if full else consumer.resume)([lane.place])
            lane.paused = full
    messages = consumer.consume(1000, POLL_SECONDS)
    for message in messages:
        _take(lanes[message.topic(), message.partition()], message)
    return bool(messages)


def _take(lane: _Lane, message: Any) -> None:
    """Keep a message of a lane, up to where the lane ended when it was opened."""
    error = message.error()
    if error is not None:
        if error.code() == ck.KafkaError._PARTITION_EOF:
            lane.ended = True
        elif not error.retriable() and error.code() != ck.KafkaError._TRANSPORT:
            raise DriftlineError(f"{lane.place.topic}[{lane.place.partition}]: {error.str()}")
        return
    offset = message.offset()
    lane.ended = lane.ended or offset >= lane.end - 1
    if offset < lane.end:
        lane.waiting.append(
            FileRecord(
                offset,
                message.timestamp()[1],
                message.key(),
                message.value(),
                message.headers() or (),
            )
        )
