"""The main job end to end, with nothing else installed: what ``driftline demo`` does.

An embedded broker, a worker and a retrain worker run as processes of their own, just as they
would with a real Kafka, and recorded events are played to them in the order of their time. What
they answer is read back from their topics and told in plain words.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import IO, Any

import confluent_kafka as ck
import orjson
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from schemas.errors import BrokerGone, DriftlineError
from schemas.settings import Settings
from streams import datasets, topics
from streams.broker import EmbeddedBroker
from streams.cli.kafka import Sender
from streams.cli.output import emit, note
from streams.datasets import Dataset, Message
from streams.files import Kind
from streams.narrative import Narrative
from streams.records import INPUTS

BUDGET_SECONDS = 48.0
"""When the playing ends, so that the whole ends within a minute on a slow computer too."""
START_SECONDS = 30.0
SETTLE_SECONDS = 5.0
QUIET_SECONDS = 0.6
PARTITIONS = 4


@dataclass
class _Totals:
    """What went in and what came out."""

    sent: dict[Kind, int] = field(default_factory=lambda: {"sensors": 0, "labels": 0})
    alerts: int = 0
    dead_letters: int = 0
    scored: int = 0


def run_demo(dataset: str, seed: int, json: bool, console: Console) -> int:
    """Play a data set to a deployment of its own, and tell what it finds.

    Parameters
    ----------
    dataset
        One of `streams.datasets.NAMES`.
    seed
        Of the generated data sets.
    json
        Write the drift events as they stand on the topic and one line of totals, nothing else.
    console
        Where the story goes.

    Returns
    -------
    int
        Exit code: 0 if every event was scored or is a dead letter, else 1.

    Raises
    ------
    DriftlineError
        The broker or the worker did not start, or ended.
    """
    started = time.monotonic()
    chosen = datasets.load(dataset, seed)
    narrative = None if json else Narrative(console, chosen)
    with narrative or contextlib.nullcontext():
        if narrative is not None:
            narrative.begin()
        totals = _run(chosen, narrative, started + BUDGET_SECONDS)
    seconds = time.monotonic() - started
    events = totals.sent["sensors"]
    if narrative is not None:
        narrative.end(events, totals.scored, totals.dead_letters, seconds)
    else:
        emit(
            {
                "events": events,
                "scored": totals.scored,
                "alerts": totals.alerts,
                "dead_letters": totals.dead_letters,
                "seconds": round(seconds, 2),
            }
        )
    if events != totals.scored + totals.dead_letters:
        note(f"{events} events, but {totals.scored} scored and {totals.dead_letters} dead letters")
        return 1
    return 0


def _run(dataset: Dataset, narrative: Narrative | None, deadline: float) -> _Totals:
    """Start a deployment, play the data set to it, and end it."""
    with (
        tempfile.TemporaryDirectory(prefix="driftline-demo-") as folder,
        EmbeddedBroker() as broker,
    ):
        keys = _keys(broker.bootstrap_servers, dataset, Path(folder))
        settings = Settings(**_nested(keys))
        broker.create_topics(topics.partitions(settings))
        with _Deployment(settings, keys, Path(folder)) as deployment:
            deployment.wait_until_ready()
            with _Listener(settings, narrative) as listener:
                _play(dataset, settings, deployment, listener, deadline)
                listener.settle()
            listener.totals.scored = deployment.scored()
            return listener.totals


def _keys(servers: str, dataset: Dataset, folder: Path) -> dict[str, Any]:
    """The configuration of the deployment, by dotted key."""
    return {
        "kafka.bootstrap_servers": servers,
        # A worker whose demo was killed has no broker any more and ends soon.
        "kafka.outage_timeout": 10.0,
        # The embedded broker knows no transactions; a real one gets exactly_once by default.
        "guarantee": "at_least_once",
        "group": "driftline-demo",
        "topics.prefix": "demo",
        "topics.partitions": PARTITIONS,
        "checkpoint.interval": 0.1,
        "http.port": _free_port(),
        "log.level": "warning",
        "state.signing_key_file": str(folder / "signing.key"),
        **dataset.settings,
    }


def _nested(keys: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in keys.items():
        *sections, name = key.split(".")
        branch = tree
        for section in sections:
            branch = branch.setdefault(section, {})
        branch[name] = value
    return tree


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class _Deployment:
    """A worker and a retrain worker, each in its own process."""

    def __init__(self, settings: Settings, keys: Mapping[str, Any], folder: Path) -> None:
        self._base = f"http://127.0.0.1:{settings.http.port}"
        self._folder = folder
        # The demo is the same everywhere: what is configured here for real work has no part in it.
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith("DRIFTLINE_")
        } | {f"DRIFTLINE_{key.upper().replace('.', '__')}": str(v) for key, v in keys.items()}
        root = str(Path(__file__).resolve().parent.parent)
        path = os.environ.get("PYTHONPATH")
        self._environment["PYTHONPATH"] = root + (os.pathsep + path if path else "")
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._logs: dict[str, IO[bytes]] = {}

    def __enter__(self) -> _Deployment:
        for name, command in (("worker", ["run"]), ("retrain worker", ["retrain", "run"])):
            log = self._logs[name] = (self._folder / f"{name}.log").open("w+b")
            self._processes[name] = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
                [sys.executable, "-m", "streams", *command],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A Ctrl-C in the terminal is the demo's to handle.
                start_new_session=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        for process in self._processes.values():
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for log in self._logs.values():
            log.close()

    def wait_until_ready(self) -> None:
        """Wait until the worker owns its partitions."""
        deadline = time.monotonic() + START_SECONDS
        while self._get("/readyz") is None:
            self.check()
            if time.monotonic() > deadline:
                raise DriftlineError(f"the worker was not ready after {START_SECONDS:.0f} s")
            time.sleep(0.05)

    def check(self) -> None:
        """Fail if a process has ended, with the last thing it said."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                said = (self._folder / f"{name}.log").read_text(errors="replace").strip()
                last = said.splitlines()[-1] if said else "it said nothing"
                raise DriftlineError(f"the {name} ended with code {process.returncode}: {last}")

    def scored(self) -> int:
        """How many events the worker says it has scored."""
        text = self._get("/metrics")
        if text is None:
            raise DriftlineError("the worker does not answer")
        return int(
            sum(
                sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
                if sample.name == "driftline_events_total"
            )
        )

    def _get(self, path: str) -> str | None:
        try:
            with urllib.request.urlopen(self._base + path, timeout=2) as answer:  # noqa: S310
                text: str = answer.read().decode()
                return text
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return None


class _Listener:
    """Reads what the deployment answers, and how far it has come."""

    def __init__(self, settings: Settings, narrative: Narrative | None) -> None:
        self._settings = settings
        self._narrative = narrative
        self.totals = _Totals()
        self._drift = False
        options = settings.kafka.librdkafka() | {
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 20,
            "fetch.queue.backoff.ms": 5,
            "log_level": 0,
        }
        self._reader = ck.Consumer(options | {"group.id": f"{settings.group}-reader"})
        self._group = ck.Consumer(options | {"group.id": settings.group})
        self._alerts = settings.topic("alerts")
        self._adaptations = settings.topic("adaptations")

    def __enter__(self) -> _Listener:
        outputs = (self._alerts, self._adaptations, self._settings.topic("dead-letters"))
        self._reader.assign(
            [ck.TopicPartition(topic, p, 0) for topic in outputs for p in range(PARTITIONS)]
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()
        self._group.close()

    def listen(self, seconds: float) -> bool:
        """Read for so long; tell whether anything came."""
        messages = self._reader.consume(500, seconds)
        for message in messages:
            if message.error() is None:
                self._heard(message.topic(), message.value())
        return bool(messages)

    def wait_for(self, kind: Kind, deployment: _Deployment) -> None:
        """Listen until the worker has committed all that was sent of a kind."""
        silent_since = time.monotonic()
        behind = None
        while True:
            done = sum(self._committed(self._settings.topic(kind)))
            if done >= self.totals.sent[kind]:
                return
            if done != behind:
                behind, silent_since = done, time.monotonic()
            elif time.monotonic() - silent_since > START_SECONDS:
                raise BrokerGone(f"the worker stands still at {done} of the {kind}")
            deployment.check()
            self.listen(0.02)

    def settle_drift(self) -> None:
        """After a drift, let its answer reach the worker before the next events do.

        In life it has all the time it needs, since events come minutes apart.
        """
        deadline = time.monotonic() + SETTLE_SECONDS
        while self._drift and time.monotonic() < deadline:
            if not self.listen(0.05) and self._all_committed():
                self._drift = False

    def tell_progress(self) -> None:
        """Show how many events have been played."""
        if self._narrative is not None:
            self._narrative.played(self.totals.sent["sensors"])

    def settle(self) -> None:
        """Listen until what drift events lead to has been carried out too."""
        deadline = time.monotonic() + SETTLE_SECONDS
        quiet_since = time.monotonic()
        while time.monotonic() < min(deadline, quiet_since + QUIET_SECONDS):
            if self.listen(0.05) or not self._all_committed():
                quiet_since = time.monotonic()

    def _heard(self, topic: str, value: bytes) -> None:
        if topic == self._alerts:
            self.totals.alerts += 1
            event = orjson.loads(value)
            self._drift = self._drift or event["kind"] == "drift"
            if self._narrative is None:
                emit(value)
            else:
                self._narrative.alert(event)
        elif topic == self._adaptations:
            if self._narrative is not None:
                self._narrative.adaptation(orjson.loads(value))
        else:
            self.totals.dead_letters += 1

    def _committed(self, topic: str) -> list[int]:
        """Next offset of each partition as the group has committed it, 0 where it has not."""
        partitions = [ck.TopicPartition(topic, p) for p in range(PARTITIONS)]
        return [max(found.offset, 0) for found in self._group.committed(partitions, timeout=10.0)]

    def _all_committed(self) -> bool:
        for kind in INPUTS:
            topic = self._settings.topic(kind)
            for partition, done in enumerate(self._committed(topic)):
                _, end = self._group.get_watermark_offsets(
                    ck.TopicPartition(topic, partition), timeout=10.0
                )
                if done < end:
                    return False
        return True


def _play(
    dataset: Dataset,
    settings: Settings,
    deployment: _Deployment,
    listener: _Listener,
    deadline: float,
) -> None:
    """Send the events, never further ahead of the worker than their own order allows.

    Sensor events and labels are topics of their own, which a worker reads side by side. Played
    in one go, all events would be there before the first label, as they never are in life.
    """
    senders: dict[Kind, Sender] = {
        kind: Sender(settings, settings.topic(kind)) for kind in listener.totals.sent
    }
    for kind, batch in _batches(dataset):
        if time.monotonic() > deadline:
            note(f"after {BUDGET_SECONDS:.0f} s the rest of the events is left out")
            break
        for message in batch:
            senders[kind].send(message.sensor_id.encode(), message.value)
            listener.totals.sent[kind] += 1
        senders[kind].finish()
        listener.wait_for(kind, deployment)
        listener.settle_drift()
        listener.tell_progress()


def _batches(dataset: Dataset) -> Iterator[tuple[Kind, list[Message]]]:
    """Runs of one kind, cut where they grow longer than the pace of the data set."""
    for kind, run in groupby(dataset.messages(), key=lambda message: message.kind):
        batch: list[Message] = []
        for message in run:
            batch.append(message)
            if len(batch) == dataset.pace:
                yield kind, batch
                batch = []
        if batch:
            yield kind, batch
