"""Who is measured: Driftline's worker, and what one would write instead."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import NewTopic

from bench.environments import python_with
from bench.program import BenchError, Program
from schemas import compiled
from schemas.settings import load_settings
from streams import topics
from tests.brokers import ROOT, KafkaServer, admin, free_ports

PATIENCE_SECONDS = 900.0
_ASK_SECONDS = 0.02


@dataclass(frozen=True)
class Place:
    """Where one run takes place.

    Attributes
    ----------
    server
        The broker.
    prefix
        Of the topics of this run, and its consumer group.
    partitions
        Of ``<prefix>.sensors``.
    directory
        For what the programs leave.
    """

    server: KafkaServer
    prefix: str
    partitions: int
    directory: Path

    @property
    def sensors(self) -> str:
        """The topic with the events."""
        return f"{self.prefix}.sensors"

    @property
    def alerts(self) -> str:
        """The topic for what is found."""
        return f"{self.prefix}.alerts"


class Running(Protocol):
    """A contender that has been started."""

    program: Program

    def wait(self, count: int) -> None:
        """Wait until `count` events have been processed since the start."""


class Contender(Protocol):
    """One that can be measured.

    Attributes
    ----------
    name
        As on the command line.
    title
        As in tables.
    slow
        Whether it is given fewer events.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def slow(self) -> bool: ...  # noqa: D102

    def prepare(self, note: Callable[[str], None]) -> None:
        """Install or compile what the first start needs."""

    def create_topics(self, place: Place) -> None:
        """Create the topics of a run."""

    def start(self, place: Place, milestones: tuple[int, ...]) -> Running:
        """Start it; `milestones` are the counts that will be waited for."""


@dataclass(frozen=True)
class Peer:
    """A program of `bench.peers`.

    Attributes
    ----------
    module
        In `bench.peers`; where a file of requirements stands beside it, it has an environment
        of its own.
    """

    name: str
    title: str
    module: str
    slow: bool

    @property
    def requirements(self) -> Path | None:
        """Its pinned versions, unless it shares the environment."""
        path = ROOT / "bench" / "peers" / f"{self.module}.txt"
        return path if path.exists() else None

    def prepare(self, note: Callable[[str], None]) -> None:
        """Make its environment."""
        if self.requirements is not None:
            python_with(self.requirements, note)

    def create_topics(self, place: Place) -> None:
        """Create one topic for events and one for alerts."""
        wanted = [NewTopic(name, place.partitions, 1) for name in (place.sensors, place.alerts)]
        client = admin(place.server.bootstrap_servers)
        for made in client.create_topics(wanted).values():
            made.result()

    def start(self, place: Place, milestones: tuple[int, ...]) -> Running:
        """Start it."""
        python = sys.executable
        if self.requirements is not None:
            python = python_with(self.requirements, lambda _: None)
        command = [python, "-m", f"bench.peers.{self.module}"]
        command += [place.server.bootstrap_servers, place.prefix, str(place.partitions)]
        command += [str(count) for count in milestones]
        return _RunningPeer(Program(self.name, command, place.directory))


@dataclass
class _RunningPeer:
    program: Program

    def wait(self, count: int) -> None:
        said = self.program.line(PATIENCE_SECONDS)
        if said != str(count):
            raise BenchError(f"{self.program.name}: {said!r} where {count} events were expected")


@dataclass(frozen=True)
class Driftline:
    """A worker of Driftline with its default configuration: durable, exactly once.

    Attributes
    ----------
    settings
        Settings by dotted key that differ from the defaults.
    module
        What is run: ``streams``, or one that does the same and notes more.
    """

    name: str = "driftline"
    title: str = "Driftline, exactly once"
    slow: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    module: str = "streams"

    def prepare(self, note: Callable[[str], None]) -> None:
        """Compile ahead of the first start, as its image does."""
        if compiled.AVAILABLE and not compiled.is_complete():
            note("compiling")
            command = [sys.executable, "-m", "streams.bank.warm_up"]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise BenchError(f"compiling failed: {done.stderr.strip()[-1000:]}")

    def create_topics(self, place: Place) -> None:
        """Create them as ``driftline topics create`` does."""
        topics.create(load_settings(None, self._overrides(place)))

    def start(self, place: Place, milestones: tuple[int, ...] = ()) -> RunningDriftline:
        """Start a worker, one more of its group if there are some."""
        port = free_ports(1)[0]
        command = [sys.executable, "-m", self.module, "run"]
        for key, value in {**self._overrides(place), "http.port": port}.items():
            command += ["--set", f"{key}={value}"]
        program = Program(f"{self.name}-{port}", command, place.directory)
        return RunningDriftline(program, place, port)

    def _overrides(self, place: Place) -> dict[str, Any]:
        return {
            "kafka.bootstrap_servers": place.server.bootstrap_servers,
            # Longer than a program is held.
            "kafka.session_timeout": 120.0,
            "group": place.prefix,
            "topics.prefix": place.prefix,
            "topics.partitions": place.partitions,
            "log.level": "warning",
            **self.settings,
        }


class RunningDriftline:
    """A worker; an event counts as processed once its effects are durable."""

    def __init__(self, program: Program, place: Place, port: int) -> None:
        self.program = program
        self.port = port
        self._place = place

    def wait(self, count: int) -> None:
        """Wait until the offsets that its group has committed add up to `count`."""
        place = self._place
        partitions = [TopicPartition(place.sensors, n) for n in range(place.partitions)]
        asking = Consumer(
            {
                "bootstrap.servers": place.server.bootstrap_servers,
                "group.id": place.prefix,
                "log_level": 0,
            }
        )
        deadline = time.monotonic() + PATIENCE_SECONDS
        reached = 0
        try:
            while True:
                self.program.check()
                # At the first start of a group its coordinator may not be there yet.
                with suppress(KafkaException):
                    done = asking.committed(partitions, timeout=30.0)
                    reached = sum(max(partition.offset, 0) for partition in done)
                if reached >= count:
                    return
                if time.monotonic() > deadline:
                    raise BenchError(f"{self.program.name}: {reached} of {count} events processed")
                time.sleep(_ASK_SECONDS)
        finally:
            asking.close()

    def ready(self) -> bool:
        """Tell whether its partitions are restored and their lag is known."""
        try:
            self._get("/readyz")
        except OSError:
            self.program.check()
            return False
        return True

    def metric(self, name: str) -> float:
        """Return a metric without labels: the time that this takes is the worker's too."""
        lines = self._get("/metrics").splitlines()
        wanted = f"driftline_{name} "
        return next(float(line.removeprefix(wanted)) for line in lines if line.startswith(wanted))

    def _get(self, path: str) -> str:
        address = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(address, timeout=30.0) as answer:
            return str(answer.read().decode())


DRIFTLINE = Driftline()
LOOP = Peer("hand-written", "hand-written loop", "hand_written_loop", slow=False)

PEERS = (
    LOOP,
    Peer("bytewax", "Bytewax", "bytewax_flow", slow=True),
    Peer("quix", "Quix Streams", "quix_streams", slow=True),
    Peer("faust", "Faust", "stock_faust", slow=True),
)
CONTENDERS: Mapping[str, Contender] = {
    DRIFTLINE.name: DRIFTLINE,
    **{peer.name: peer for peer in PEERS},
}
