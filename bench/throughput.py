"""One durable worker beside the loop that a user would write by hand, on a real Kafka.

Usage: ``python -m bench.throughput [--events N] [--sensors N] [--rounds N] [--json FILE]``.

Both read the same events from the same broker in turn, round after round; a round's ratio
compares the two runs that stand next to each other, so a machine that changes its speed does
not decide. CPU time is that of the whole process, its start left out.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.settings import load_settings
from streams import topics
from tests.brokers import KafkaServer, free_ports, produce

PARTITIONS = 8
SEED = 1
START = 1_767_614_400


def events(count: int, sensors: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield stationary N(20, 1) readings of `sensors` sensors in turn."""
    rng = random.Random(SEED)
    for number in range(count):
        name = f"s-{number % sensors:06d}"
        event = {"sensor_id": name, "ts": START + number * 0.01, "value": rng.gauss(20.0, 1.0)}
        yield name.encode(), orjson.dumps(event)


def hand_written(bootstrap: str, topic: str, count: int) -> dict[str, Any]:
    """Run the hand-written loop once."""
    command = [sys.executable, "-m", "bench.peers.hand_written_loop"]
    command += [bootstrap, topic, str(PARTITIONS), str(count)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def worker(bootstrap: str, prefix: str, group: str, count: int) -> dict[str, Any]:
    """Run a worker, exactly once, as a group that has seen nothing yet."""
    port = free_ports(1)[0]
    environment = os.environ | {
        "DRIFTLINE_KAFKA__BOOTSTRAP_SERVERS": bootstrap,
        "DRIFTLINE_TOPICS__PREFIX": prefix,
        "DRIFTLINE_GROUP": group,
        "DRIFTLINE_HTTP__PORT": str(port),
        "DRIFTLINE_LOG__LEVEL": "warning",
    }
    process = subprocess.Popen([sys.executable, "-m", "streams", "run"], env=environment)
    try:
        first = _wait(process, port, 1)
        last = _wait(process, port, count)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    return {
        "events": int(last["events"] - first["events"]),
        "seconds": last["at"] - first["at"],
        "cpu_seconds": last["cpu"] - first["cpu"],
        "rss_mib": last["rss"] / 2**20,
        "alerts": int(last["alerts"]),
    }


def _wait(process: subprocess.Popen[bytes], port: int, count: int) -> dict[str, float]:
    while True:
        if process.poll() is not None:
            raise RuntimeError(f"the worker ended with {process.returncode}")
        seen = _sample(process.pid, port)
        if seen["events"] >= count:
            return seen
        time.sleep(0.1)


def _sample(pid: int, port: int) -> dict[str, float]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        lines = []
    numbers = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return {
        "at": time.perf_counter(),
        "cpu": (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
        "rss": int(fields[21]) * os.sysconf("SC_PAGE_SIZE"),
        "events": sum(float(v) for name, v in numbers if name == "driftline_events_total"),
        "alerts": sum(
            float(v) for name, v in numbers if name.startswith("driftline_drift_events_total")
        ),
    }


def _fill(bootstrap: str, prefix: str, messages: Iterator[tuple[bytes, bytes]]) -> str:
    """Create the topics of one round and produce its events; return the name of their topic."""
    settings = load_settings(
        None,
        {
            "kafka.bootstrap_servers": bootstrap,
            "topics.prefix": prefix,
            "topics.partitions": PARTITIONS,
        },
    )
    topics.create(settings)
    topic = settings.topic("sensors")
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for made in admin.create_topics([NewTopic(f"{topic}-alerts", PARTITIONS, 1)]).values():
        made.result()
    produce(bootstrap, topic, messages)
    return topic


def run(count: int, sensors: int, rounds: int) -> list[dict[str, Any]]:
    """Measure `rounds` pairs and return the raw results."""
    results = []
    with tempfile.TemporaryDirectory(prefix="driftline-bench-") as scratch:
        server = KafkaServer(Path(scratch) / "kafka").start()
        try:
            for number in range(rounds):
                # A round has topics and a state of its own: a worker skips what was scored.
                prefix = f"round-{number}"
                topic = _fill(server.bootstrap_servers, prefix, events(count, sensors))
                by_hand = hand_written(server.bootstrap_servers, topic, count)
                durable = worker(server.bootstrap_servers, prefix, prefix, count)
                results.append({"hand_written_loop": by_hand, "driftline": durable})
        finally:
            server.kill()
    return results


def table(results: list[dict[str, Any]]) -> str:
    """Return medians and ranges of both, per event and CPU."""
    lines = [f"{'':20}{'us CPU/event':>24}{'events/s and core':>20}{'alerts':>10}"]
    for name in ("hand_written_loop", "driftline"):
        costs = sorted(r[name]["cpu_seconds"] / r[name]["events"] * 1e6 for r in results)
        middle = statistics.median(costs)
        spread = f"{middle:.1f} ({costs[0]:.1f} to {costs[-1]:.1f})"
        alerts = statistics.median(r[name]["alerts"] for r in results)
        lines.append(f"{name:20}{spread:>24}{1e6 / middle:>20,.0f}{alerts:>10,.0f}")
    ratios = [
        (r["hand_written_loop"]["cpu_seconds"] / r["hand_written_loop"]["events"])
        / (r["driftline"]["cpu_seconds"] / r["driftline"]["events"])
        for r in results
    ]
    lines.append(
        f"ratio, pair by pair: {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f})"
    )
    return "\n".join(lines)


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=200_000, help="events per run (%(default)s)")
    parser.add_argument("--sensors", type=int, default=1000, help="sensors (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="pairs of runs (%(default)s)")
    parser.add_argument("--json", type=Path, help="file for the raw results")
    given = parser.parse_args()
    results = run(given.events, given.sensors, given.rounds)
    if given.json:
        given.json.write_text(json.dumps(results, indent=1))
    print(table(results))


if __name__ == "__main__":
    main()
