"""The embedded broker: a small Kafka in a process of its own, with nothing to install.

It is librdkafka's mock cluster, which the ``confluent-kafka`` wheel already carries. Faust,
aiokafka and librdkafka clients talk to it over TCP as they would to any broker. It keeps about
5 MB for each partition, in memory, and knows neither compaction nor isolation of transactions:
good for ``driftline demo`` and quick tests, never evidence for a guarantee.

``python -m streams.broker`` runs one, prints its bootstrap address and serves until SIGINT,
SIGTERM or the end of the process that started it.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import IO, Self, cast

from schemas.errors import BrokerGone, TopicError

_PARENT_CHECK_SECONDS = 0.5
_START_SECONDS = 30.0
_TOPIC_ALREADY_EXISTS = 36


class _MockCluster:
    """One librdkafka mock cluster with a single broker, inside this process.

    confluent-kafka's Python API reaches the mock cluster only through
    ``test.mock.num.brokers``, which fixes 4 partitions for every topic. The C functions that
    create a topic with its own partition count are exported by the same library.
    """

    def __init__(self) -> None:
        from confluent_kafka import cimpl

        # A handle on the extension module also resolves the symbols of the library it links.
        self._library = library = ctypes.CDLL(cimpl.__file__)
        pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
        signatures: dict[str, tuple[type | None, list[type]]] = {
            "rd_kafka_conf_new": (pointer, []),
            "rd_kafka_conf_set": (number, [pointer, text, text, text, ctypes.c_size_t]),
            "rd_kafka_new": (pointer, [number, pointer, text, ctypes.c_size_t]),
            "rd_kafka_mock_cluster_new": (pointer, [pointer, number]),
            "rd_kafka_mock_cluster_bootstraps": (text, [pointer]),
            "rd_kafka_mock_topic_create": (number, [pointer, text, number, number]),
            "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [pointer, ctypes.c_int32]),
        }
        for name, (result, arguments) in signatures.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        problem = ctypes.create_string_buffer(512)
        configuration = library.rd_kafka_conf_new()
        library.rd_kafka_conf_set(configuration, b"log_level", b"3", problem, len(problem))
        producer = 0
        handle = library.rd_kafka_new(producer, configuration, problem, len(problem))
        if not handle:
            raise BrokerGone(f"embedded broker: {problem.value.decode()}")
        self._cluster = library.rd_kafka_mock_cluster_new(handle, 1)
        if not self._cluster:
            raise BrokerGone("embedded broker: librdkafka could not open a port on 127.0.0.1")
        library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 100)

    @property
    def bootstrap_servers(self) -> str:
        address: bytes = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster)
        return address.decode()

    def create_topic(self, name: str, partitions: int) -> bool:
        """Create a topic; False when it is there already.

        Raises
        ------
        TopicError
            When librdkafka refuses the name or the number of partitions.
        """
        code = self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1)
        if code not in (0, _TOPIC_ALREADY_EXISTS):
            raise TopicError(f"embedded broker: {name} not created: librdkafka error {code}")
        return bool(code == 0)


class EmbeddedBroker:
    """The embedded broker as a context manager.

    Parameters
    ----------
    topics
        Topics to create at the start, name -> number of partitions. Any other topic comes into
        being, with 4 partitions, when a client first asks for it.

    Raises
    ------
    BrokerGone
        When the process does not come up within 30 s.

    Examples
    --------
    >>> with EmbeddedBroker({"driftline.sensors": 8}) as broker:
    ...     broker.bootstrap_servers
    '127.0.0.1:40257'
    """

    def __init__(self, topics: Mapping[str, int] | None = None) -> None:
        self._topics = dict(topics or {})
        self._process: subprocess.Popen[str] | None = None
        self._address: str | None = None

    @property
    def bootstrap_servers(self) -> str:
        """``host:port`` for clients."""
        if self._address is None:
            raise BrokerGone("embedded broker: not started")
        return self._address

    @property
    def pid(self) -> int:
        """Process id of the broker."""
        return self._running().pid

    def start(self) -> Self:
        """Start the process and wait for its address."""
        command = [sys.executable, "-m", "streams.broker", "--parent", str(os.getpid())]
        self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # A Ctrl-C in the terminal is the parent's to handle: it may still need the broker.
            start_new_session=True,
        )
        try:
            self._address = self._answer()
            self.create_topics(self._topics)
        except BaseException:
            self.stop()
            raise
        return self

    def create_topics(self, topics: Mapping[str, int]) -> list[str]:
        """Create topics (name -> number of partitions) and return the names that are new.

        A real broker takes such requests from any client; this one only from its own process.
        """
        if not topics:
            return []
        requests = cast(IO[str], self._running().stdin)
        requests.write(json.dumps(dict(topics)) + "\n")
        requests.flush()
        answer = json.loads(self._answer())
        if "error" in answer:
            raise TopicError(answer["error"])
        created: list[str] = answer["created"]
        return created

    def stop(self) -> None:
        """End the process; everything it kept is gone."""
        process, self._process, self._address = self._process, None, None
        if process is None:
            return
        process.kill()  # It has nothing to save.
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise BrokerGone("embedded broker: not started")
        return self._process

    def _answer(self) -> str:
        process = self._running()
        answers = cast(IO[str], process.stdout)
        with selectors.DefaultSelector() as selector:
            selector.register(answers, selectors.EVENT_READ)
            ready = selector.select(_START_SECONDS)
        line = answers.readline() if ready else ""
        if not line:
            raise BrokerGone(f"embedded broker: no answer from process {process.pid}")
        return line.strip()

    def __enter__(self) -> Self:
        """Start it."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it."""
        self.stop()


def _create(cluster: _MockCluster, request: str) -> dict[str, object]:
    try:
        topics = json.loads(request)
        return {"created": [n for n, count in topics.items() if cluster.create_topic(n, count)]}
    except (ValueError, AttributeError, ctypes.ArgumentError, TopicError) as error:
        return {"error": f"embedded broker: {error}"}


def _serve(cluster: _MockCluster, parent: int, requests: IO[str] | None) -> None:
    """Answer requests until the parent process is gone."""
    with selectors.DefaultSelector() as selector:
        if requests is not None:
            selector.register(requests, selectors.EVENT_READ)
        while os.getppid() == parent:
            if not selector.select(_PARENT_CHECK_SECONDS) or requests is None:
                continue
            line = requests.readline()
            if not line:
                selector.unregister(requests)
                continue
            _say(json.dumps(_create(cluster, line)))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(arguments: list[str] | None = None) -> int:
    """Run an embedded broker in this process until it is told to stop."""
    parser = argparse.ArgumentParser(
        prog="python -m streams.broker",
        description="Run an embedded Kafka broker for demos and tests, in memory, on 127.0.0.1. "
        "Prints its bootstrap address; ends with the process that started it.",
        epilog="example: python -m streams.broker --topic driftline.sensors=8",
    )
    parser.add_argument(
        "--topic",
        action="append",
        default=[],
        metavar="NAME=PARTITIONS",
        help="create this topic at the start; may be repeated",
    )
    parser.add_argument("--parent", type=int, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    cluster = _MockCluster()
    for topic in options.topic:
        name, _, count = topic.partition("=")
        if not (name and count.isdigit() and int(count) > 0):
            parser.error(f"--topic: {topic!r} is not allowed: expected NAME=PARTITIONS")
        cluster.create_topic(name, int(count))
    _say(cluster.bootstrap_servers)
    parent = options.parent if options.parent is not None else os.getppid()
    with contextlib.suppress(KeyboardInterrupt):
        _serve(cluster, parent, sys.stdin if options.parent is not None else None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
