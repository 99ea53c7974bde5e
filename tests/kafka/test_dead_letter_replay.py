"""``driftline dlq replay`` on a real Kafka: letters and the mark of how far it came are one."""

from __future__ import annotations

import json

import pytest
from confluent_kafka import Producer

from schemas.dead_letter import DeadLetter
from schemas.settings import Settings
from streams import topics
from streams.cli import main
from tests.brokers import KafkaServer, read_topic

pytestmark = pytest.mark.kafka


@pytest.fixture
def deployment(kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch) -> Settings:
    settings = Settings(
        kafka={"bootstrap_servers": kafka.bootstrap_servers},
        topics={"prefix": "replay", "partitions": 2},
        group="replay",
    )
    for name, value in (
        ("KAFKA__BOOTSTRAP_SERVERS", kafka.bootstrap_servers),
        ("TOPICS__PREFIX", "replay"),
        ("TOPICS__PARTITIONS", "2"),
        ("GROUP", "replay"),
    ):
        monkeypatch.setenv(f"DRIFTLINE_{name}", value)
    topics.create(settings)
    return settings


def letters(settings: Settings, *values: bytes | None) -> None:
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap_servers})
    for number, value in enumerate(values):
        letter = DeadLetter(
            key=b"k",
            value=value,
            timestamp_ms=1,
            headers=[("trace", b"\xff"), ("none", None)],
            topic=settings.topic("sensors"),
            partition=number % 2,
            offset=number,
            stage="decode",
            exception_class="schemas.errors.InvalidMessage",
            message="$: expected one JSON object",
        )
        producer.produce(
            settings.topic("dead-letters"),
            key=letter.key,
            value=letter.value,
            partition=letter.partition,
            headers=letter.to_headers(),
        )
    assert producer.flush(30) == 0


def replayed(capsys: pytest.CaptureFixture[str]) -> int:
    capsys.readouterr()
    code = main(["dlq", "replay", "--json"])
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    count: int = json.loads(out)["replayed"]
    return count


def test_each_dead_letter_is_put_back_once_in_a_transaction(
    deployment: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.cli.dead_letters._BATCH", 3)
    letters(deployment, *(b"%d" % n for n in range(10)), None)
    assert replayed(capsys) == 11
    assert replayed(capsys) == 0
    letters(deployment, b"late")
    assert replayed(capsys) == 1
    back = read_topic(deployment.kafka.bootstrap_servers, deployment.topic("sensors"))
    assert sorted(m.value() or b"" for m in back) == sorted(
        [b"", b"late", *(b"%d" % n for n in range(10))]
    )
    assert {tuple(m.headers()) for m in back} == {(("trace", b"\xff"), ("none", None))}


def test_a_replay_that_fails_half_way_puts_nothing_back(
    deployment: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sensors = deployment.topic("sensors")
    before = len(read_topic(deployment.kafka.bootstrap_servers, sensors))
    letters(deployment, b"a", b"b")
    from streams.cli import dead_letters

    put_back = dead_letters._Replayer.put_back

    def failing(self: dead_letters._Replayer, message: object) -> None:
        put_back(self, message)
        if self.pending == 2:
            raise OSError("the power went out")

    with monkeypatch.context() as patch:
        patch.setattr(dead_letters._Replayer, "put_back", failing)
        assert main(["dlq", "replay"]) == 1
    assert len(read_topic(deployment.kafka.bootstrap_servers, sensors)) == before
    assert replayed(capsys) == 2
    assert len(read_topic(deployment.kafka.bootstrap_servers, sensors)) == before + 2
