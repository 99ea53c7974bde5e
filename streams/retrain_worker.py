"""The retrain worker: one request after the other, from the retrain topic to the models topic.

It reads the exact range that a request names, fits an untrained model, judges it against
the one in use on held-out events, and publishes it signed. The owner of the partition decides.
A request is done again after a crash; its id lets the owner see that it knows the answer.
"""

from __future__ import annotations

import base64
import hashlib
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import confluent_kafka as ck
import msgspec
import structlog

from learners.retrain import RetrainResult, fit_and_evaluate
from learners.snapshot import dumps, signing_key
from schemas.codec import Label, Reading, decode, decode_label, decode_reading, encode
from schemas.dead_letter import DeadLetter
from schemas.errors import BrokerGone, DriftlineError, InvalidMessage, SnapshotError
from schemas.events import ModelRecord, RetrainRequest, SourceRange, Stage
from schemas.settings import Settings
from streams.inspection import stored_sensor

log = structlog.get_logger("driftline.retrain")

POLL_SECONDS = 0.2
PAUSE_SECONDS = 1.0
ARTIFACT_BYTES = 7 * 1024 * 1024
"""What is left of the models topic's 10 MiB once the artifact is base64 text."""
MESSAGE_BYTES = 10 * 1024 * 1024


class _Refused(Exception):
    """A request that can't be carried out, with the reason for the models topic."""


class _Stopped(Exception):
    """The worker was told to stop in the middle of a request: it is for the next one."""


@dataclass(frozen=True)
class _Clients:
    requests: ck.Consumer
    source: ck.Consumer
    producer: ck.Producer
    stop: threading.Event
    outage_timeout: float


def run(settings: Settings) -> int:
    """Work on retrain requests until SIGTERM or SIGINT.

    Returns
    -------
    int
        Exit code 0.

    Raises
    ------
    BrokerGone
        If no broker has answered for `kafka.outage_timeout`.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    work(settings, stop)
    return 0


def work(settings: Settings, stop: threading.Event, clock: Any = time.time) -> None:
    """Take requests until `stop` is set.

    Parameters
    ----------
    settings
        Of the deployment; the signing key is that of the workers.
    stop
        Ends the loop. A request that is not answered by then stays for the next worker.
    clock
        Seconds since the epoch, for the time of a model's record.
    """
    key = signing_key(settings.state)
    clients = _connect(settings, stop)
    log.info("retrain worker starting", group=f"{settings.group}-retrain")
    answered = time.monotonic()
    try:
        clients.requests.subscribe([settings.topic("retrain")])
        while not stop.is_set():
            message = clients.requests.poll(POLL_SECONDS)
            if message is None or message.error() is not None:
                answered = _still_there(settings, clients, message, answered)
                continue
            answered = time.monotonic()
            try:
                _answer(settings, clients, message, key, int(clock() * 1_000_000))
                clients.requests.commit(message=message, asynchronous=False)
            except ck.KafkaException as error:
                # Answered twice at worst, which its id tells.
                log.warning("request not answered yet", reason=str(error))
                _again(clients.requests, message)
                stop.wait(PAUSE_SECONDS)
            except _Stopped:
                break
    finally:
        clients.source.close()
        clients.requests.close()
    log.info("retrain worker stopped")


def _again(requests: ck.Consumer, message: ck.Message) -> None:
    """Read a request once more, unless another worker has its partition by now."""
    try:
        requests.seek(
            ck.TopicPartition(message.topic() or "", message.partition() or 0, message.offset())
        )
    except ck.KafkaException as error:
        log.debug("request left to another worker", reason=str(error))


def _connect(settings: Settings, stop: threading.Event) -> _Clients:
    """Open the clients: for requests, for what a request names, and for answers."""
    common = settings.kafka.librdkafka() | {"log_level": 0}
    reading = common | {
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "enable.partition.eof": True,
    }
    return _Clients(
        ck.Consumer(
            reading
            | {
                "group.id": f"{settings.group}-retrain",
                "session.timeout.ms": int(settings.kafka.session_timeout * 1000),
                # A fit may take long; another worker must not take the request meanwhile.
                "max.poll.interval.ms": 3_600_000,
            }
        ),
        ck.Consumer(reading | {"group.id": f"{settings.group}-retrain-source"}),
        ck.Producer(common | {"enable.idempotence": True, "message.max.bytes": MESSAGE_BYTES}),
        stop,
        settings.kafka.outage_timeout,
    )


def _still_there(settings: Settings, clients: _Clients, message: Any, answered: float) -> float:
    """Return when the broker last answered; give up after an outage that is too long."""
    eof = message is not None and message.error().code() == ck.KafkaError._PARTITION_EOF
    if eof or time.monotonic() - answered < 5.0:
        return time.monotonic() if eof else answered
    try:
        clients.source.list_topics(settings.topic("retrain"), timeout=5.0)
    except ck.KafkaException as error:
        silent = time.monotonic() - answered
        log.warning("no answer from the broker", seconds=round(silent, 1))
        if silent > settings.kafka.outage_timeout:
            raise BrokerGone(
                f"{settings.kafka.bootstrap_servers}: no answer for {silent:.0f} s "
                "(kafka.outage_timeout)"
            ) from error
        return answered
    return time.monotonic()


def read_request(settings: Settings, raw: bytes | None) -> tuple[RetrainRequest, str]:
    """Read a request, and the id of its sensor.

    Raises
    ------
    InvalidMessage
        If it is none, or asks for something that this deployment can't have.
    """
    request = decode(raw, RetrainRequest)
    source = request.range
    if request.sensor_id is None:
        raise InvalidMessage("$.sensor_id", "the id of a sensor")
    if source.topic != settings.topic("sensors"):
        raise InvalidMessage("$.range.topic", settings.topic("sensors"))
    if source.partition >= settings.topics.partitions:
        raise InvalidMessage("$.range.partition", f"less than {settings.topics.partitions}")
    if source.to_offset <= source.from_offset:
        raise InvalidMessage("$.range.to_offset", f"more than {source.from_offset}")
    return request, request.sensor_id


def _send(clients: _Clients, topic: str, **record: Any) -> None:
    """Write one record; returns when the broker has it."""
    failures: list[ck.KafkaError] = []

    def delivered(error: ck.KafkaError | None, _: ck.Message) -> None:
        if error is not None:
            failures.append(error)

    clients.producer.produce(topic, on_delivery=delivered, **record)
    clients.producer.flush()
    if failures:
        raise ck.KafkaException(failures[0])


def _answer(
    settings: Settings, clients: _Clients, message: ck.Message, key: bytes, now: int
) -> None:
    """Answer one request with a model, or with the reason why there is none."""
    try:
        request, sensor_id = read_request(settings, message.value())
    except InvalidMessage as error:
        _dead_letter(settings, clients, message, "decode", error)
        return
    started = time.monotonic()
    try:
        record = _retrain(settings, clients, request, sensor_id, key, now)
    except (_Refused, SnapshotError) as error:
        record = _record(request, sensor_id, 0, "rejected", now, reason=str(error))
    except (DriftlineError, ck.KafkaException, _Stopped):
        raise
    except Exception as error:
        log.error("defect while answering a request", request=request.id, exc_info=error)
        _dead_letter(settings, clients, message, "processing", error)
        return
    _send(
        clients,
        settings.topic("models"),
        key=sensor_id.encode(),
        value=encode(record),
        partition=request.range.partition,
    )
    log.info(
        "retrain request answered",
        request=request.id,
        sensor=request.sensor_id,
        stage=record.stage,
        reason=record.reason,
        seconds=round(time.monotonic() - started, 3),
    )


def _retrain(
    settings: Settings,
    clients: _Clients,
    request: RetrainRequest,
    sensor_id: str,
    key: bytes,
    now: int,
) -> ModelRecord:
    """Fit a model on what a request names; refused where it is not better."""
    source = request.range
    sensor = stored_sensor(settings, source.partition, sensor_id)
    if sensor is None:
        raise _Refused(f"no checkpoint of {settings.group!r} knows {sensor_id}")
    champion = sensor.champion.learner
    readings = list(_readings(clients, source, sensor_id))
    if not readings:
        raise _Refused("no record of the range is kept any more")
    labels: Iterator[Label] | tuple[()] = ()
    if champion.needs_label:
        labels = _labels(clients, settings.topic("labels"), source.partition, sensor_id)
    policy = settings.for_sensor(sensor_id).policy
    result = fit_and_evaluate(readings, labels, champion, policy)
    if not result.better:
        raise _Refused(result.reason)
    artifact = dumps(result.candidate, key, max_bytes=ARTIFACT_BYTES)
    return _record(
        request,
        sensor_id,
        sensor.champion.newest + 1,
        "candidate",
        now,
        reason=result.reason,
        result=result,
        artifact=artifact,
    )


def _record(
    request: RetrainRequest,
    sensor_id: str,
    version: int,
    stage: Stage,
    now: int,
    *,
    reason: str,
    result: RetrainResult | None = None,
    artifact: bytes | None = None,
) -> ModelRecord:
    """Make the record of the answer."""
    metrics: dict[str, float | int | None] = {}
    if result is not None:
        metrics = {
            "error": result.candidate_error,
            "champion_error": result.champion_error,
            "n_train": result.n_train,
            "n_test": result.n_test,
        }
    return ModelRecord(
        name=request.model or sensor_id,
        version=version,
        stage=stage,
        sensor_id=sensor_id,
        ts=now,
        metrics=metrics,
        training_range=request.range,
        digest=None if artifact is None else hashlib.sha256(artifact).hexdigest(),
        artifact=None if artifact is None else base64.b64encode(artifact).decode(),
        reason=reason,
        drift_event_id=request.drift_event_id,
        request_id=request.id,
    )


def _readings(clients: _Clients, source: SourceRange, sensor_id: str) -> Iterator[Reading]:
    """Yield the sensor's events of the range; what was dead-lettered is passed over."""
    for message in _read(
        clients, source.topic, source.partition, source.from_offset, source.to_offset
    ):
        try:
            reading = decode_reading(message.value())
        except InvalidMessage:
            continue
        if reading.sensor_id == sensor_id:
            event_id = reading.event_id or f"{source.partition}-{message.offset()}"
            yield msgspec.structs.replace(reading, event_id=event_id)


def _labels(clients: _Clients, topic: str, partition: int, sensor_id: str) -> Iterator[Label]:
    """Yield all labels of the sensor that are kept; those of a range may come much later."""
    low, high = clients.source.get_watermark_offsets(
        ck.TopicPartition(topic, partition), timeout=10.0
    )
    for message in _read(clients, topic, partition, low, high):
        try:
            label = decode_label(message.value())
        except InvalidMessage:
            continue
        if label.sensor_id == sensor_id:
            yield label


def _read(
    clients: _Clients, topic: str, partition: int, start: int, end: int
) -> Iterator[ck.Message]:
    """Yield the records from `start` up to, not including, `end`; fewer if fewer are kept."""
    clients.source.assign([ck.TopicPartition(topic, partition, start)])
    answered = time.monotonic()
    while True:
        if clients.stop.is_set():
            raise _Stopped
        message = clients.source.poll(POLL_SECONDS)
        if message is None:
            if time.monotonic() - answered > clients.outage_timeout:
                raise BrokerGone(f"{topic}[{partition}]: no answer (kafka.outage_timeout)")
            continue
        answered = time.monotonic()
        error = message.error()
        if error is not None:
            if error.code() == ck.KafkaError._PARTITION_EOF:
                return
            continue
        if message.offset() >= end:
            return
        # A start beyond the end of the topic begins at its beginning.
        if message.offset() >= start:
            yield message
        if message.offset() == end - 1:
            return


def _dead_letter(
    settings: Settings, clients: _Clients, message: ck.Message, stage: str, error: Exception
) -> None:
    """Set a request aside that can't be read or answered."""
    letter = DeadLetter(
        key=message.key(),
        value=message.value(),
        timestamp_ms=message.timestamp()[1],
        headers=tuple(message.headers() or ()),
        topic=message.topic() or "",
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        stage=stage,
        exception_class=f"{type(error).__module__}.{type(error).__qualname__}",
        message=str(error),
    )
    _send(
        clients,
        settings.topic("dead-letters"),
        key=message.key(),
        value=message.value(),
        headers=letter.to_headers(),
        timestamp=message.timestamp()[1],
        partition=message.partition() or 0,
    )
    log.warning("retrain request refused", reason=str(error))
