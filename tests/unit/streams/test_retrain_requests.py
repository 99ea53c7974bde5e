"""The retrain worker: what it is asked, what it answers, and what it refuses."""

from __future__ import annotations

import threading
import time
from typing import Any

import orjson
import pytest

from schemas.dead_letter import DeadLetter
from schemas.errors import InvalidMessage
from streams import retrain_worker
from streams.changelog import POSITION_KEY, Position
from tests.brokers import EmbeddedServer, produce, read_topic, wait_for
from tests.pipelines import START, Partition, configured, label, reading

RANGE = {"topic": "driftline.sensors", "partition": 0, "from_offset": 0, "to_offset": 300}


def request(**fields: Any) -> dict[str, Any]:
    return {
        "id": "r-1",
        "ts": START,
        "sensor_id": "oven-2",
        "model": "oven-2",
        "reason": None,
        "drift_event_id": "d-1",
        "range": RANGE,
        **fields,
    }


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"sensor_id": None}, "$.sensor_id: expected the id of a sensor"),
        ({"range": {**RANGE, "topic": "other"}}, "$.range.topic: expected driftline.sensors"),
        ({"range": {**RANGE, "partition": 8}}, "$.range.partition: expected less than 8"),
        ({"range": {**RANGE, "from_offset": 300}}, "$.range.to_offset: expected more than 300"),
        ({"range": {**RANGE, "from_offset": 900}}, "$.range.to_offset: expected more than 900"),
    ],
)
def test_a_request_for_what_cannot_be_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidMessage) as refused:
        retrain_worker.read_request(configured(), orjson.dumps(request(**fields)))
    assert str(refused.value) == message


def test_a_request_names_a_sensor_and_a_range() -> None:
    read, sensor = retrain_worker.read_request(configured(), orjson.dumps(request()))
    assert (sensor, read.range.from_offset, read.range.to_offset) == ("oven-2", 0, 300)


@pytest.mark.embedded
def test_each_request_is_answered_or_dead_lettered_and_the_worker_goes_on(
    embedded_broker: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = embedded_broker.bootstrap_servers
    settings = configured(
        kafka={"bootstrap_servers": servers},
        topics={"prefix": "retraining", "partitions": 1},
        guarantee="at_least_once",
        learner={"task": "classification"},
        policy={"retrain_min_events": 100, "enabled": False},
    )
    embedded_broker.create_topics(settings)
    # A champion that was taught the opposite of what holds from event 300 on.
    partition = Partition(settings)
    events, labels = [], []
    for n in range(600):
        x = (n * 7 % 20) / 10.0 - 0.95
        events.append(reading("oven-2", n=n, features={"x": x}, event_id=f"e-{n}"))
        labels.append(label("oven-2", f"e-{n}", int((x > 0.0) ^ (n >= 300)), n=n))
    for event, truth in zip(events[:300], labels[:300], strict=True):
        partition.feed("sensors", event)
        partition.feed("labels", truth)
    position = Position({}, settings.topics.partitions).encode()
    produce(servers, "retraining.sensors", [(b"oven-2", event) for event in events])
    produce(servers, "retraining.labels", [(b"oven-2", truth) for truth in labels])
    rows = [*partition.rows.items(), (POSITION_KEY, position)]
    produce(servers, "retraining.state", rows)

    def asked(number: str, start: int, end: int, **fields: Any) -> bytes:
        chosen = {"topic": "retraining.sensors", "partition": 0}
        stretch = {**chosen, "from_offset": start, "to_offset": end}
        return orjson.dumps(request(id=number, range=stretch, **fields))

    genuine = retrain_worker._retrain

    def broken(*arguments: Any) -> Any:
        if arguments[2].id == "defect":
            raise ZeroDivisionError("a defect of ours")
        return genuine(*arguments)

    monkeypatch.setattr(retrain_worker, "_retrain", broken)
    requests = [
        b"no JSON",
        asked("backwards", 600, 300),
        asked("defect", 300, 600),
        asked("unknown", 300, 600, sensor_id="nobody"),
        asked("beyond", 5000, 6000),
        asked("too few", 580, 600),
        asked("good", 300, 600),
    ]
    produce(servers, "retraining.retrain", [(b"oven-2", raw) for raw in requests])
    stop = threading.Event()
    worker = threading.Thread(target=retrain_worker.work, args=(settings, stop))
    worker.start()

    def answers() -> dict[str, dict[str, Any]]:
        found = [orjson.loads(m.value() or b"") for m in read_topic(servers, "retraining.models")]
        return {each["request_id"]: each for each in found}

    try:
        wait_for(lambda: "good" in answers(), 60.0, lambda: str(answers()))
    finally:
        stop.set()
        worker.join(15.0)
    assert not worker.is_alive()
    stages = {number: each["stage"] for number, each in answers().items()}
    refused = {"unknown": "rejected", "beyond": "rejected", "too few": "rejected"}
    assert stages == {**refused, "good": "candidate"}
    assert answers()["beyond"]["reason"] == "no record of the range is kept any more"
    good = answers()["good"]
    assert (good["metrics"]["n_train"], good["metrics"]["n_test"]) == (210, 90)
    assert good["metrics"]["error"] < 0.1 < good["metrics"]["champion_error"]
    letters = [
        DeadLetter.from_headers(m.key(), m.value(), m.timestamp()[1], m.headers() or [])
        for m in read_topic(servers, "retraining.dead-letters")
    ]
    assert [(each.stage, each.offset) for each in letters] == [
        ("decode", 0),
        ("decode", 1),
        ("processing", 2),
    ]
    # The owner takes it, and is the better for it.
    partition.feed("models", orjson.dumps(good))
    assert [a["action"] for a in partition.written("adaptations")] == ["promote"]
    assert partition.sensor("oven-2").champion.learner.predict({"x": 0.5}) == 0


@pytest.mark.embedded
def test_a_retrain_worker_stops_within_seconds(embedded_broker: EmbeddedServer) -> None:
    settings = configured(
        kafka={"bootstrap_servers": embedded_broker.bootstrap_servers},
        topics={"prefix": "idle", "partitions": 1},
    )
    embedded_broker.create_topics(settings)
    stop = threading.Event()
    worker = threading.Thread(target=retrain_worker.work, args=(settings, stop))
    worker.start()
    time.sleep(1.0)
    stop.set()
    worker.join(15.0)
    assert not worker.is_alive()
