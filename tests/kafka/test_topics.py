"""Topics: created with what keeps the data, checked before a worker starts on them."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, KafkaException, Producer
from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from schemas.errors import BrokerGone, TopicError
from schemas.settings import Settings, TopicName, load_settings
from streams import topics
from tests.brokers import KafkaServer, Server, admin, free_ports, read_topic, wait_for

CONTRACT: set[TopicName] = {
    "sensors",
    "labels",
    "control",
    "predictions",
    "alerts",
    "adaptations",
    "retrain",
    "models",
    "dead-letters",
    "state",
}


def settings_for(server: Server, **overrides: Any) -> Settings:
    return load_settings(
        None,
        {
            "kafka.bootstrap_servers": server.bootstrap_servers,
            "topics.prefix": f"test-{uuid.uuid4().hex[:8]}",
            **overrides,
        },
    )


def config_of(server: KafkaServer, topic: str) -> dict[str, str]:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    client = admin(server.bootstrap_servers)
    answer = client.describe_configs([resource])[resource].result()
    return {key: entry.value for key, entry in answer.items()}


def alter(server: KafkaServer, topic: str, key: str, value: str) -> None:
    entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    client = admin(server.bootstrap_servers)
    client.incremental_alter_configs([resource])[resource].result()
    wait_for(lambda: config_of(server, topic)[key] == value, 10.0, f"{topic} is not altered")


def create_topic(server: KafkaServer, topic: str, partitions: int) -> None:
    client = admin(server.bootstrap_servers)
    client.create_topics([NewTopic(topic, partitions, 1)])[topic].result()


def test_every_topic_of_the_contract_is_described_once() -> None:
    names = [topic.name for topic in topics.TOPICS]
    assert len(names) == len(set(names))
    assert set(names) == CONTRACT


def test_what_several_topics_have_in_common_is_said_once() -> None:
    found = [
        topics.Problem("a", "is missing", "create it"),
        topics.Problem("b", "has 4 partitions", "keep 4"),
        topics.Problem("c", "is missing", "create it"),
    ]
    assert topics.summary(found) == "a, c: is missing: create it; b: has 4 partitions: keep 4"


def test_what_is_created_has_nothing_wrong_with_it(broker: Server) -> None:
    settings = settings_for(broker, **{"topics.partitions": 4})
    done = topics.create(settings)
    assert set(done.created) == {settings.topic(name) for name in CONTRACT}
    assert done.problems == ()
    assert topics.check(settings) == []


def test_creating_again_changes_nothing(broker: Server) -> None:
    settings = settings_for(broker, **{"topics.partitions": 4})
    first = topics.create(settings)
    second = topics.create(settings)
    assert second.created == ()
    assert set(second.present) == set(first.created)


def test_both_brokers_give_the_topics_the_partitions_that_are_configured(broker: Server) -> None:
    settings = settings_for(broker, **{"topics.partitions": 6})
    broker.create_topics(settings)
    found = admin(broker.bootstrap_servers).list_topics(timeout=10.0).topics
    for topic, count in topics.partitions(settings).items():
        assert count == 6
        assert (topic, len(found[topic].partitions)) == (topic, count)


def test_a_missing_topic_is_named_with_the_command_that_creates_it(broker: Server) -> None:
    settings = settings_for(broker)
    problems = topics.check(settings)
    assert {problem.topic for problem in problems} == {settings.topic(n) for n in CONTRACT}
    assert all("driftline topics create" in problem.remedy for problem in problems)


def test_another_partition_count_is_refused_with_the_way_to_migrate(broker: Server) -> None:
    settings = settings_for(broker, **{"topics.partitions": 4})
    broker.create_topics(settings)
    changed = settings_for(
        broker, **{"topics.partitions": 5, "topics.prefix": settings.topics.prefix}
    )
    problems = topics.check(changed)
    assert {problem.topic for problem in problems} == {settings.topic(n) for n in CONTRACT}
    for problem in problems:
        assert "has 4 partitions where topics.partitions is 5" in problem.what
        assert "new topics.prefix and group" in problem.remedy
        assert "\n" not in str(problem)


def test_touch_brings_topics_into_being_and_tells_their_partitions(broker: Server) -> None:
    name = f"test-{uuid.uuid4().hex[:8]}"
    assert topics.touch(broker.bootstrap_servers, [name]) == {name: 4}


@pytest.mark.kafka
def test_only_state_and_models_are_compacted_and_only_the_rest_is_cut_by_time(
    kafka: KafkaServer,
) -> None:
    settings = settings_for(kafka, **{"topics.retention": 3600.0})
    topics.create(settings)
    policies = {}
    for name in CONTRACT:
        config = config_of(kafka, settings.topic(name))
        policies[name] = (config["cleanup.policy"], config["retention.ms"])
    week = "604800000"
    assert policies == {
        **dict.fromkeys(CONTRACT, ("delete", "3600000")),
        "state": ("compact", week),
        "models": ("compact", week),
        "dead-letters": ("delete", "-1"),
    }


@pytest.mark.kafka
def test_large_records_fit_where_state_models_and_dead_letters_go(kafka: KafkaServer) -> None:
    settings = settings_for(kafka)
    topics.create(settings)
    for name in ("state", "models", "dead-letters"):
        assert config_of(kafka, settings.topic(name))["max.message.bytes"] == "10485760"


@pytest.mark.kafka
@pytest.mark.parametrize("timestamp_ms", [1, 4_102_444_800_000])
def test_dead_letters_keep_timestamps_long_past_and_far_ahead(
    kafka: KafkaServer, timestamp_ms: int
) -> None:
    settings = settings_for(kafka)
    topics.create(settings)
    letters = settings.topic("dead-letters")
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    producer.produce(letters, b"x", timestamp=timestamp_ms)
    assert producer.flush(10.0) == 0
    (letter,) = read_topic(kafka.bootstrap_servers, letters)
    assert letter.timestamp() == (TIMESTAMP_CREATE_TIME, timestamp_ms)


@pytest.mark.kafka
def test_a_replaced_model_stays_readable_for_thirty_days(kafka: KafkaServer) -> None:
    settings = settings_for(kafka)
    topics.create(settings)
    config = config_of(kafka, settings.topic("models"))
    assert config["min.compaction.lag.ms"] == str(30 * 24 * 3600 * 1000)


@pytest.mark.kafka
def test_one_replica_asks_for_one_in_sync(kafka: KafkaServer) -> None:
    settings = settings_for(kafka)
    topics.create(settings)
    assert config_of(kafka, settings.topic("state"))["min.insync.replicas"] == "1"


@pytest.mark.kafka
def test_more_replicas_than_brokers_are_refused_in_one_line(kafka: KafkaServer) -> None:
    settings = settings_for(kafka, **{"topics.replication_factor": 3})
    with pytest.raises(TopicError, match="not created") as caught:
        topics.create(settings)
    assert "\n" not in str(caught.value)


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("state", "cleanup.policy", "delete"),
        ("state", "cleanup.policy", "compact,delete"),
        ("sensors", "cleanup.policy", "compact"),
        ("alerts", "cleanup.policy", "compact"),
        ("dead-letters", "cleanup.policy", "compact"),
        ("dead-letters", "retention.ms", "604800000"),
        ("dead-letters", "retention.bytes", "1073741824"),
    ],
)
def test_a_setting_that_would_lose_data_is_named_with_its_remedy(
    kafka: KafkaServer, name: TopicName, key: str, value: str
) -> None:
    settings = settings_for(kafka)
    topics.create(settings)
    alter(kafka, settings.topic(name), key, value)
    (problem,) = topics.check(settings)
    assert problem.topic == settings.topic(name)
    assert problem.what.startswith(f"{key} is {value}, must be ")
    assert f"--add-config {key}=" in problem.remedy


@pytest.mark.kafka
def test_dead_letters_that_could_not_hold_a_large_event_are_a_problem(kafka: KafkaServer) -> None:
    settings = settings_for(kafka)
    topics.create(settings)
    alter(kafka, settings.topic("dead-letters"), "max.message.bytes", "1000")
    problems = topics.check(settings)
    assert {problem.topic for problem in problems} == {settings.topic("dead-letters")}
    assert all("max.message.bytes is 1000" in problem.what for problem in problems)


@pytest.mark.kafka
def test_creating_leaves_what_is_there_as_it_is_and_says_what_is_wrong(kafka: KafkaServer) -> None:
    settings = settings_for(kafka)
    create_topic(kafka, settings.topic("sensors"), 3)
    done = topics.create(settings)
    assert done.present == (settings.topic("sensors"),)
    assert [problem.topic for problem in done.problems] == [settings.topic("sensors")]
    found = admin(kafka.bootstrap_servers).list_topics(timeout=10.0).topics
    assert len(found[settings.topic("sensors")].partitions) == 3


def test_no_broker_is_one_line_that_names_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "_ANSWER_SECONDS", 1.0)
    (port,) = free_ports(1)
    settings = load_settings(None, {"kafka.bootstrap_servers": f"127.0.0.1:{port}"})
    with pytest.raises(BrokerGone, match=r"kafka\.bootstrap_servers: no broker answers") as caught:
        topics.check(settings)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value.__cause__, KafkaException)
