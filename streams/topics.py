"""The topics of a deployment: what each must look like, creating them, and checking them.

`create` makes what is missing and never changes what is there; `check` says what is wrong with
what is there, before a worker starts on it. What differs silently is what loses data: a state
topic cut by time forgets sensors, compacted dead letters are gone, and with a partition more a
sensor's events and its state no longer meet.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from schemas.errors import BrokerGone, TopicError
from schemas.settings import Settings, TopicName

_MEBIBYTE = 1024 * 1024
_DAY_MS = 86_400_000
_ANSWER_SECONDS = 10.0
_MIGRATE = (
    "keep its count in topics.partitions; to change it, choose a new topics.prefix and group, "
    "run `driftline topics create` and replay the events there"
)

# Small segments, since only closed ones are compacted and a restore reads what is left.
_COMPACTED = {"cleanup.policy": "compact", "segment.bytes": str(64 * _MEBIBYTE)}
_LARGE = {"max.message.bytes": str(10 * _MEBIBYTE)}
# Dead letters keep the timestamps of their records: a cut by time would take old ones at once,
# and one that claims to lie in the future would be refused.
_KEPT = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "message.timestamp.after.max.ms": str(2**63 - 1),
}


@dataclass(frozen=True, slots=True)
class Topic:
    """What one topic must look like.

    Each has ``topics.partitions`` partitions: what concerns a sensor lies in the same partition
    number everywhere, and has one owner.

    Attributes
    ----------
    name
        Its name without the prefix.
    config
        Its settings on the broker, under Kafka's names.
    by_time
        Whether it is cut after ``topics.retention``.
    """

    name: TopicName
    config: Mapping[str, str]
    by_time: bool = False


_DELETED = {"cleanup.policy": "delete"}

TOPICS = (
    Topic("sensors", _DELETED, by_time=True),
    Topic("labels", _DELETED, by_time=True),
    Topic("control", _DELETED, by_time=True),
    Topic("predictions", _DELETED, by_time=True),
    Topic("alerts", _DELETED, by_time=True),
    Topic("adaptations", _DELETED, by_time=True),
    Topic("retrain", _DELETED, by_time=True),
    Topic(
        "models",
        {**_COMPACTED, **_LARGE, "min.compaction.lag.ms": str(30 * _DAY_MS)},
    ),
    Topic("dead-letters", {**_KEPT, **_LARGE}),
    Topic(
        "state",
        {**_COMPACTED, **_LARGE, "min.cleanable.dirty.ratio": "0.3"},
    ),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a topic; ``str`` of it is one line."""

    topic: str
    what: str
    remedy: str

    def __str__(self) -> str:
        """Return topic, fault and remedy on one line."""
        return f"{self.topic}: {self.what}: {self.remedy}"


@dataclass(frozen=True, slots=True)
class Created:
    """What `create` found and did: names of topics, and what is wrong with those there before."""

    created: tuple[str, ...]
    present: tuple[str, ...]
    problems: tuple[Problem, ...]


def partitions(settings: Settings) -> dict[str, int]:
    """Return the number of partitions of each topic, by its full name."""
    return {settings.topic(topic.name): settings.topics.partitions for topic in TOPICS}


def create(settings: Settings) -> Created:
    """Create the topics that are missing, and leave those that exist as they are.

    On the embedded broker, which takes no such request, a topic is created by asking for it and
    has that broker's 4 partitions.

    Raises
    ------
    BrokerGone
        When no broker answers.
    TopicError
        When the broker refuses to create a topic.
    """
    admin = _Admin(settings)
    before = admin.partitions()
    wanted = {settings.topic(topic.name): topic for topic in TOPICS}
    missing = [name for name in wanted if name not in before]
    if missing and admin.embedded:
        touch(settings.kafka.bootstrap_servers, missing)
    elif missing:
        replicas = admin.replicas(settings.topics.replication_factor)
        admin.create(
            NewTopic(
                name,
                num_partitions=settings.topics.partitions,
                replication_factor=-1 if replicas is None else replicas,
                config=_config(settings, wanted[name], replicas),
            )
            for name in missing
        )
    return Created(
        created=tuple(missing),
        present=tuple(name for name in wanted if name in before),
        problems=tuple(_problems(settings, admin)),
    )


def check(settings: Settings) -> list[Problem]:
    """Return what is wrong with the topics; nothing is changed.

    Raises
    ------
    BrokerGone
        When no broker answers.
    """
    return _problems(settings, _Admin(settings))


def summary(problems: Iterable[Problem]) -> str:
    """Return all problems on one line, what several topics have in common said once."""
    alike: dict[tuple[str, str], list[str]] = {}
    for problem in problems:
        alike.setdefault((problem.what, problem.remedy), []).append(problem.topic)
    return "; ".join(
        str(Problem(", ".join(names), what, remedy)) for (what, remedy), names in alike.items()
    )


def touch(bootstrap_servers: str, names: Iterable[str]) -> dict[str, int]:
    """Bring topics into being by asking for them, on a broker that creates topics so.

    Returns
    -------
    dict
        Name -> number of partitions that the broker gave it.

    Raises
    ------
    BrokerGone
        When no broker answers.
    TopicError
        When the broker does not create topics so.
    """
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    return {name: _touch(admin, bootstrap_servers, name) for name in names}


def _touch(admin: AdminClient, bootstrap_servers: str, name: str) -> int:
    """Create a topic by asking for it, as the embedded broker wants it; return its partitions."""
    deadline = time.monotonic() + _ANSWER_SECONDS
    while True:
        try:
            found = admin.list_topics(name, timeout=_ANSWER_SECONDS).topics[name]
        except KafkaException as error:
            raise _gone(bootstrap_servers, error) from error
        if found.partitions:
            return len(found.partitions)
        if time.monotonic() > deadline:
            raise TopicError(f"{name}: not created by asking for it: {found.error}")
        time.sleep(0.05)


def _config(settings: Settings, topic: Topic, replicas: int | None) -> dict[str, str]:
    config = dict(topic.config)
    if topic.by_time:
        config["retention.ms"] = str(int(settings.topics.retention * 1000))
    if replicas is not None:
        # Two of three replicas: one broker may be away, and no acknowledged write is lost.
        config["min.insync.replicas"] = "2" if replicas >= 3 else "1"
    return config


def _problems(settings: Settings, admin: _Admin) -> list[Problem]:
    """Hold the topics against what they should be."""
    found = admin.partitions()
    names = {settings.topic(topic.name): topic for topic in TOPICS}
    there = [name for name in names if name in found]
    configs = {} if admin.embedded else admin.configs(there)
    problems = []
    for name, topic in names.items():
        if name not in found:
            problems.append(Problem(name, "is missing", "run `driftline topics create`"))
            continue
        count, expected = found[name], settings.topics.partitions
        if count != expected:
            what = f"has {count} partitions where topics.partitions is {expected}"
            problems.append(Problem(name, what, _MIGRATE))
        if name in configs:
            problems.extend(_config_problems(name, topic, configs[name]))
    problems.extend(_size_problems(settings, configs))
    return problems


def _config_problems(name: str, topic: Topic, config: Mapping[str, str]) -> Iterable[Problem]:
    """Hold cleanup and retention of one topic against what they should be."""
    keys = (
        ("cleanup.policy", "retention.ms", "retention.bytes")
        if topic.config.get("retention.ms")
        else ("cleanup.policy",)
    )
    for key in keys:
        expected = topic.config[key]
        value = config.get(key)
        if value is not None and value != expected:
            remedy = (
                f"kafka-configs --alter --entity-type topics --entity-name {name} "
                f"--add-config {key}={expected}"
            )
            yield Problem(name, f"{key} is {value}, must be {expected}", remedy)


def _size_problems(
    settings: Settings, configs: Mapping[str, Mapping[str, str]]
) -> Iterable[Problem]:
    """See that a dead letter of the largest record is no larger than its topic takes."""
    key = "max.message.bytes"
    letters = settings.topic("dead-letters")
    limit = configs.get(letters, {}).get(key)
    sources: tuple[TopicName, ...] = ("sensors", "labels", "control")
    for source in sources:
        size = configs.get(settings.topic(source), {}).get(key)
        if size is not None and limit is not None and int(limit) <= int(size):
            what = f"{key} is {limit}, not above the {size} of {settings.topic(source)}"
            remedy = "raise it: a dead letter is its record and a few hundred bytes of reason"
            yield Problem(letters, what, remedy)


class _Admin:
    """What this module asks of a broker, each answer within bounded time."""

    def __init__(self, settings: Settings) -> None:
        self._servers = settings.kafka.bootstrap_servers
        self._troubles: list[str] = []
        self._client = AdminClient(
            {
                **settings.kafka.librdkafka(),
                "log_level": 0,
                "error_cb": lambda error: self._troubles.append(error.str()),
            }
        )
        self._metadata: Any = self._ask()
        # librdkafka's mock cluster names itself; it answers no admin request at all.
        self.embedded = str(self._metadata.cluster_id).startswith("mockCluster")

    def _ask(self) -> Any:
        try:
            return self._client.list_topics(timeout=_ANSWER_SECONDS)
        except KafkaException as error:
            self._client.poll(0)
            raise _gone(self._servers, error, self._troubles) from error

    def partitions(self) -> dict[str, int]:
        topics = self._ask().topics
        return {name: len(topic.partitions) for name, topic in topics.items()}

    def replicas(self, wanted: int) -> int | None:
        """Return the replication factor; None where the broker does not tell its default."""
        if wanted > 0:
            return wanted
        broker = ConfigResource(ResourceType.BROKER, str(min(self._metadata.brokers)))
        try:
            entries = self._describe([broker])[0]
        except KafkaException:
            return None
        default = entries.get("default.replication.factor")
        return None if default is None else int(default)

    def create(self, topics: Iterable[NewTopic]) -> None:
        requested = self._client.create_topics(
            list(topics), request_timeout=_ANSWER_SECONDS, operation_timeout=_ANSWER_SECONDS
        )
        for name, answer in requested.items():
            try:
                answer.result()
            except KafkaException as error:
                code = error.args[0].code()
                # Two workers or operators may create at the same moment: both are served.
                if code != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise TopicError(f"{name}: not created: {error.args[0].str()}") from error
        deadline = time.monotonic() + _ANSWER_SECONDS
        while not requested.keys() <= self.partitions().keys():
            if time.monotonic() > deadline:
                raise TopicError(f"{', '.join(requested)}: created, but not to be seen yet")
            time.sleep(0.05)

    def configs(self, names: list[str]) -> dict[str, dict[str, str]]:
        """Return each topic's settings; nothing for those that may not be read."""
        if not names:
            return {}
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        try:
            return dict(zip(names, self._describe(resources), strict=True))
        except KafkaException as error:
            denied = (
                KafkaError.TOPIC_AUTHORIZATION_FAILED,
                KafkaError.CLUSTER_AUTHORIZATION_FAILED,
            )
            if error.args[0].code() in denied:
                return {}
            raise _gone(self._servers, error, self._troubles) from error

    def _describe(self, resources: list[ConfigResource]) -> list[dict[str, str]]:
        answers: dict[ConfigResource, Future[Any]] = self._client.describe_configs(
            resources, request_timeout=_ANSWER_SECONDS
        )
        found = {resource.name: answer.result() for resource, answer in answers.items()}
        return [
            {key: entry.value for key, entry in found[resource.name].items()}
            for resource in resources
        ]


def _gone(servers: str, error: KafkaException, troubles: Iterable[str] = ()) -> BrokerGone:
    reason = next(iter(troubles), None) or error.args[0].str()
    return BrokerGone(
        f"kafka.bootstrap_servers: no broker answers at {servers!r} "
        f"within {_ANSWER_SECONDS:g} s: {reason}"
    )
