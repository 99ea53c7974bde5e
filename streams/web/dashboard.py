"""The page for a whole deployment: one process beside the workers that only reads Kafka.

It shows what the topics and the group's committed offsets tell, so it needs no address of any
worker, and works while there is none. It joins no group and commits nothing.
"""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson
import structlog
from confluent_kafka import (
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec
from prometheus_client import CollectorRegistry

from schemas.settings import Settings
from streams.logs import one_line
from streams.web.health import DeadLetterStatus, PartitionStatus, Status
from streams.web.server import start_web

log = structlog.get_logger()

_RECENT: Final = 50
_REFRESH_SECONDS: Final = 2.0
_REQUEST_SECONDS: Final = 5.0
_ERROR_HEADER: Final = "__connect.errors."


def run_dashboard(settings: Settings, announce: Callable[[str], object] | None = None) -> None:
    """Serve the page until SIGINT or SIGTERM.

    Parameters
    ----------
    settings
        Which broker, group and topics to read, and where to listen (``http``).
    announce
        Called once with the address of the page; by default it is logged.

    Raises
    ------
    ConfigurationError
        If it is not possible to listen at ``http.host`` and ``http.port``.
    """
    asyncio.run(_serve(settings, announce or _log_address))


def _log_address(url: str) -> None:
    log.info("dashboard", url=url)


async def _serve(settings: Settings, announce: Callable[[str], object]) -> None:
    """Answer and follow Kafka until a signal comes."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    watch = Watch(settings)
    server = await start_web(settings.http, CollectorRegistry(), watch)
    reading = asyncio.create_task(asyncio.to_thread(watch.follow))
    stopped = asyncio.create_task(stop.wait())
    try:
        announce(server.url)
        await asyncio.wait((reading, stopped), return_when=asyncio.FIRST_COMPLETED)
    finally:
        watch.stop()
        stopped.cancel()
        await server.stop()
        await reading


class Watch:
    """What Kafka tells about a deployment, read again every two seconds by a thread.

    A `streams.web.HealthSource`: the thread (`follow`) replaces what the event loop reads, and
    changes nothing in place.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._dead = False
        self._reasons: list[str] = ["Kafka has not answered yet"]
        self._last_error: str | None = None
        self._partitions: list[PartitionStatus] = []
        self._drift = _Recent()
        self._adaptations = _Recent()
        self._letters: deque[DeadLetterStatus] = deque(maxlen=_RECENT)

    @property
    def alive(self) -> bool:
        """False once the reading thread has ended."""
        return not self._dead

    @property
    def ready(self) -> tuple[bool, list[str]]:
        """Ready once Kafka has told the lag of every partition."""
        return not self._reasons, list(self._reasons)

    def status(self) -> Mapping[str, Any]:
        """Return what is known of the whole group."""
        partitions = self._partitions
        return Status(
            role="dashboard",
            group=self._settings.group,
            guarantee=self._settings.guarantee,
            task=self._settings.learner.task,
            events=sum(p["position"] or 0 for p in partitions) if partitions else None,
            partitions=partitions,
            recent_drift=self._drift.newest_first(),
            recent_adaptations=self._adaptations.newest_first(),
            recent_dead_letters=list(reversed(self._letters.copy())),
        )

    def stop(self) -> None:
        """Ask `follow` to return; it does so within the time of one request to Kafka."""
        self._stop.set()

    def follow(self) -> None:
        """Read until stopped. A broker that is away is a reason not to be ready, not an error."""
        connection = {
            **self._settings.kafka.librdkafka(),
            # librdkafka repeats itself many times a second while a broker is away: what it would
            # say is kept as the reason instead, and logged when it changes.
            "log_level": 0,
            "error_cb": self._note_error,
        }
        consumer = Consumer(
            {
                **connection,
                # The group is asked how far it is, but never joined: this one reads the partitions
                # that it is given, and commits nothing. An AdminClient that asks crashes while a
                # broker that comes back does not know the group yet (librdkafka 2.16 answers such
                # a refusal with a lookup in a consumer that an AdminClient does not have).
                "group.id": self._settings.group,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "latest",
                "allow.auto.create.topics": False,
            },
        )
        try:
            admin = AdminClient(connection)
            while not self._stop.is_set():
                begin = time.monotonic()
                try:
                    self._assign_new(consumer)
                    self._change_reasons(self._measure(admin, consumer))
                    self._last_error = None
                except KafkaException as error:
                    self._read(consumer, 0.0)  # which also hands over what librdkafka says of it
                    why = self._last_error or _text(error)
                    self._change_reasons([f"Kafka does not answer: {why}"])
                while not self._stop.is_set() and time.monotonic() - begin < _REFRESH_SECONDS:
                    self._read(consumer, 0.25)
        finally:
            self._dead = not self._stop.is_set()
            consumer.close()

    def _note_error(self, error: KafkaError) -> None:
        # "All brokers are down" says less than the error of one of them.
        if error.code() != KafkaError._ALL_BROKERS_DOWN or self._last_error is None:
            self._last_error = error.str()

    def _change_reasons(self, reasons: list[str]) -> None:
        # The text of an error holds times: only what comes before it tells one state from another.
        if [r.partition(":")[0] for r in reasons] != [r.partition(":")[0] for r in self._reasons]:
            if reasons:
                log.warning("not ready", reasons=reasons)
            else:
                log.info("ready")
        self._reasons = reasons

    def _assign_new(self, consumer: Consumer) -> None:
        """Read the newest records of partitions not read so far, and what follows them."""
        known = {(tp.topic, tp.partition) for tp in consumer.assignment()}
        topics = consumer.list_topics(timeout=_REQUEST_SECONDS).topics
        new = []
        for name in ("alerts", "adaptations", "dead-letters"):
            topic = self._settings.topic(name)
            if topic not in topics:
                continue
            for partition in topics[topic].partitions:
                if (topic, partition) not in known:
                    asked = TopicPartition(topic, partition)
                    low, high = consumer.get_watermark_offsets(asked, timeout=_REQUEST_SECONDS)
                    asked.offset = max(low, high - _RECENT)
                    new.append(asked)
        if new:
            consumer.incremental_assign(new)

    def _measure(self, admin: AdminClient, consumer: Consumer) -> list[str]:
        """Read how far the group is in each partition of the sensors topic; return what lacks."""
        topic = self._settings.topic("sensors")
        found = admin.list_topics(timeout=_REQUEST_SECONDS).topics.get(topic)
        if found is None or not found.partitions:
            self._partitions = []
            return [f"topic {topic} does not exist: create it with `driftline topics create`"]
        asked = [TopicPartition(topic, partition) for partition in sorted(found.partitions)]
        committed = _committed(consumer, asked)
        first = _offsets(admin, asked, OffsetSpec.earliest())
        end = _offsets(admin, asked, OffsetSpec.latest())
        workers = _workers(admin, self._settings.group)
        self._partitions = [
            PartitionStatus(
                partition=partition,
                state="unowned" if workers == 0 else "running",
                position=(position := max(committed.get(partition, 0), first[partition])),
                behind=max(0, end[partition] - position),
                sensors=None,
            )
            for partition in sorted(first.keys() & end.keys())
        ]
        return [f"no worker is in group {self._settings.group}"] if workers == 0 else []

    def _read(self, consumer: Consumer, seconds: float) -> None:
        for message in consumer.consume(500, timeout=seconds):
            self._keep(message)

    def _keep(self, message: Message) -> None:
        if message.error() is not None:
            log.warning("read failed", topic=message.topic(), error=message.error().str())
        elif message.topic() == self._settings.topic("dead-letters"):
            self._letters.append(_dead_letter(message))
        elif message.topic() == self._settings.topic("alerts"):
            self._drift.add(message.value())
        else:
            self._adaptations.add(message.value())


class _Recent:
    """The newest JSON objects of a topic, each id once; what is none is passed over."""

    def __init__(self) -> None:
        self._kept: deque[Mapping[str, Any]] = deque(maxlen=_RECENT)

    def add(self, raw: bytes | None) -> None:
        try:
            found = orjson.loads(raw or b"null")
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            log.warning("not a JSON object: passed over", value=(raw or b"")[:100])
        elif all(kept.get("id") != found.get("id") for kept in self._kept):
            self._kept.append(found)

    def newest_first(self) -> list[Mapping[str, Any]]:
        """Sort by event time: the partitions of a topic arrive in no order."""
        return sorted(self._kept.copy(), key=lambda event: str(event.get("ts")), reverse=True)


def _committed(consumer: Consumer, asked: list[TopicPartition]) -> dict[int, int]:
    answer = consumer.committed(asked, timeout=_REQUEST_SECONDS)
    for tp in answer:
        if tp.error is not None:
            raise KafkaException(tp.error)
    return {tp.partition: tp.offset for tp in answer if tp.offset >= 0}


def _offsets(
    admin: AdminClient, asked: Iterable[TopicPartition], which: OffsetSpec
) -> dict[int, int]:
    answer = admin.list_offsets(
        dict.fromkeys(asked, which),
        isolation_level=IsolationLevel.READ_COMMITTED,
        request_timeout=_REQUEST_SECONDS,
    )
    return {tp.partition: future.result().offset for tp, future in answer.items()}


def _workers(admin: AdminClient, group: str) -> int | None:
    """Count the members of the group; None where the broker can't tell (the embedded one)."""
    answer = admin.describe_consumer_groups([group], request_timeout=_REQUEST_SECONDS)
    try:
        return len(answer[group].result().members)
    except KafkaException as error:
        return 0 if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND else None


def _dead_letter(message: Message) -> DeadLetterStatus:
    """Return what is shown of a dead letter."""
    # The last of equal names is ours: the record may have carried its own.
    headers = dict(message.headers() or ())

    def text(name: str) -> str:
        value = headers.get(_ERROR_HEADER + name)
        return "" if value is None else value.decode("utf-8", "replace")

    def number(name: str) -> int:
        digits = text(name)
        return int(digits) if digits.isdecimal() else -1

    kind, timestamp = message.timestamp()
    written = None if kind == TIMESTAMP_NOT_AVAILABLE else _rfc3339(timestamp)
    return DeadLetterStatus(
        topic=text("topic"),
        partition=number("partition"),
        offset=number("offset"),
        message=text("exception.message") or "no reason given",
        ts=written,
    )


def _rfc3339(milliseconds: int) -> str | None:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return None


def _text(error: KafkaException) -> str:
    return one_line(error) if not error.args else str(getattr(error.args[0], "str", str)())
