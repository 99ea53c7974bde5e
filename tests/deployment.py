"""A deployment of a test's own: its topics on a shared broker, and workers as processes."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import orjson
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from schemas.settings import Settings, TopicName, load_settings
from streams.changelog import POSITION_KEY, Position, Restored
from streams.pipeline import Pipeline
from streams.sensor import Sensor
from tests.brokers import Server, produce, read_topic, wait_for

SIGNING_KEY = "the key of a test and nothing else"
INPUTS: tuple[TopicName, ...] = ("sensors", "labels", "control", "alerts", "models")
UP_SECONDS = 60.0
STOP_SECONDS = 15.0
"""What the contract allows between SIGTERM and the end."""

EAGER: Mapping[str, Any] = {
    "detectors.value": ["page-hinkley"],
    "detectors.error": [],
    "detectors.warmup": 30,
    "detectors.params": {"page-hinkley": {"threshold": 8.0}},
    "episodes.quiet_events": 20,
}
"""Detectors that find something in every few hundred events of `tests.chaos.workload`."""


class WorkerProcess:
    """``driftline run`` as an operating system sees it.

    Attributes
    ----------
    log
        Its standard output and error.
    """

    def __init__(self, number: int, arguments: list[str], environment: dict[str, str], log: Path):
        self.number = number
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streams", *arguments],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self.process.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self.exit_code is None:
            self.process.send_signal(number)

    def stop(self, seconds: float = STOP_SECONDS) -> int:
        """End it with SIGTERM, as an operator would; return its exit code."""
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        return self.wait(seconds)

    def wait(self, seconds: float) -> int:
        """Wait for its end and return its exit code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds:g} s:\n{self.tail()}") from None

    def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()

    def text(self) -> str:
        """All that it wrote so far."""
        return self.log.read_text(errors="replace")

    def tail(self, size: int = 4000) -> str:
        """The end of what it wrote."""
        return self.text()[-size:]


class Deployment:
    """Topics, a group and workers that no other test shares.

    Parameters
    ----------
    server
        The broker.
    directory
        For logs.
    overrides
        Settings by dotted key, for the workers and the test alike.
    """

    def __init__(self, server: Server, directory: Path, **overrides: Any) -> None:
        name = f"t{uuid.uuid4().hex[:8]}"
        self.server = server
        self.directory = directory
        self.overrides: dict[str, Any] = {
            "kafka.bootstrap_servers": server.bootstrap_servers,
            "kafka.session_timeout": 6.0,
            "group": name,
            "topics.prefix": name,
            "topics.partitions": 4,
            "guarantee": server.guarantee,
            "checkpoint.interval": 0.3,
            "http.port": 0,
            "log.format": "json",
            "state.signing_key": SIGNING_KEY,
            **overrides,
        }
        self.workers: list[WorkerProcess] = []
        self._numbers = itertools.count(1)

    @cached_property
    def settings(self) -> Settings:
        """As a worker reads them."""
        return load_settings(None, self.overrides)

    def __enter__(self) -> Self:
        self.server.create_topics(self.settings)
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.kill()
        self._observer.close()

    def start(self, command: str = "run", **overrides: Any) -> WorkerProcess:
        """Start a worker, or another command that stays; does not wait for it."""
        number = next(self._numbers)
        arguments = command.split()
        given = {**self.overrides, **overrides}
        secret = given.pop("state.signing_key")
        for key, value in given.items():
            text = value if isinstance(value, str) else json.dumps(value)
            arguments += ["--set", f"{key}={text}"]
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("DRIFTLINE_")
        } | {"DRIFTLINE_STATE__SIGNING_KEY": secret}
        log = self.directory / f"{given['group']}-{number}.log"
        worker = WorkerProcess(number, arguments, environment, log)
        self.workers.append(worker)
        return worker

    def produce(self, topic: TopicName, *messages: Mapping[str, Any] | bytes) -> int:
        """Produce messages; a mapping is written as JSON under its sensor id."""
        return produce(
            self.server.bootstrap_servers,
            self.settings.topic(topic),
            (
                (None, message)
                if isinstance(message, bytes)
                else (str(message["sensor_id"]).encode(), orjson.dumps(message))
                for message in messages
            ),
        )

    def read(self, topic: TopicName, *, isolation: str = "read_committed") -> list[Message]:
        """All committed messages of a topic."""
        return read_topic(
            self.server.bootstrap_servers, self.settings.topic(topic), isolation=isolation
        )

    def values(self, topic: TopicName) -> list[dict[str, Any]]:
        """All committed messages of a topic as objects."""
        return [orjson.loads(message.value() or b"null") for message in self.read(topic)]

    def sensors(self) -> dict[str, Sensor]:
        """Every sensor as the last checkpoints hold it."""
        rows: dict[int, dict[bytes, bytes]] = {}
        for message in self.read("state"):
            partition = rows.setdefault(message.partition() or 0, {})
            key, value = message.key() or b"", message.value()
            if key != POSITION_KEY:
                partition.pop(key, None) if value is None else partition.update({key: value})
        found = {}
        for number, partition in rows.items():
            pipeline = Pipeline(self.settings, number)
            pipeline.restore(Restored(Position(), partition))
            for sensor_id in pipeline.sensor_ids():
                sensor = pipeline.sensor(sensor_id)
                assert sensor is not None
                found[sensor_id] = sensor
        return found

    def behind(self, topics: Iterable[TopicName] = INPUTS) -> dict[str, tuple[int, int]]:
        """(committed, end) of each partition where the group has not reached the end."""
        names = [self.settings.topic(topic) for topic in topics]
        try:
            wanted = [
                TopicPartition(name, number)
                for name in names
                for number in range(self._partitions(name))
            ]
            done = {
                (entry.topic, entry.partition): max(entry.offset, 0)
                for entry in self._observer.committed(wanted, timeout=10.0)
            }
            ends = {
                (p.topic, p.partition): self._observer.get_watermark_offsets(p, timeout=10.0)[1]
                for p in wanted
            }
        except KafkaException:  # the broker has just come back
            return dict.fromkeys(names, (-1, -1))
        return {
            f"{place[0]}[{place[1]}]": (done[place], end)
            for place, end in ends.items()
            if done[place] != end
        }

    @cached_property
    def _observer(self) -> Consumer:
        """Asks about the group without being a member of it."""
        return Consumer(
            {
                "bootstrap.servers": self.server.bootstrap_servers,
                "group.id": self.overrides["group"],
                "log_level": 0,
            }
        )

    def _partitions(self, name: str) -> int:
        return len(self._observer.list_topics(name, timeout=10.0).topics[name].partitions)

    def wait_until_done(
        self, seconds: float = UP_SECONDS, topics: Iterable[TopicName] = INPUTS
    ) -> None:
        """Wait until the group's committed offsets stand at the end of the input topics."""
        wait_for(
            lambda: not self.behind(topics),
            seconds,
            lambda: f"not at the end: {self.behind(topics)}\n{self.logs()}",
        )

    def logs(self) -> str:
        """The end of what each worker wrote."""
        return "\n".join(
            f"--- worker {w.number}, exit code {w.exit_code}\n{w.tail(2500)}" for w in self.workers
        )


def get(port: int, path: str) -> tuple[int, str]:
    """Status and body of a page of a worker."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5.0) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def eventually(what: Any, seconds: float = UP_SECONDS, message: str = "not so") -> Any:
    """Wait until ``what()`` is truthy and return it."""
    deadline = time.monotonic() + seconds
    while True:
        found = what()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds:g} s: {message}")
        time.sleep(0.1)
