"""Compares what a deployment has left on Kafka with what one worker that never failed would leave.

It takes no part in the deployment: it reads the topics with a plain client, feeds the sensor
events in the order of their offsets to the pipeline of `driftline backtest`, and compares drift
events, dead letters, the state of every sensor and the group's offsets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from confluent_kafka import Message

from schemas.settings import Settings
from streams.changelog import Restored, decode_position
from streams.pipeline import Pipeline
from streams.records import FileRecord
from tests.brokers import read_topic
from tests.deployment import Deployment

PARTS = ("new", "args", "state", "items", "pairs")
"""Of what `__reduce_ex__` returns."""
_ERRORS = "__connect.errors."


@dataclass
class Report:
    """What was found; a deployment that kept its promise has an empty list of `faults`.

    Attributes
    ----------
    produced, scored, dead_letters
        Records on the sensors topic, and what came of them.
    expected
        Drift events that one worker would have written.
    missing, extra, doubled
        Drift events by id, seen with isolation read_committed.
    uncommitted
        Drift events seen without that isolation: how much was written in vain.
    different
        Drift events with the right id and other contents.
    lost_letters, extra_letters
        Dead letters by source position.
    wrong_sensors
        Sensors whose stored state is another than it would have been.
    offsets
        (committed, end) of each partition where they differ.
    """

    produced: int = 0
    scored: int = 0
    dead_letters: int = 0
    expected: int = 0
    missing: int = 0
    extra: int = 0
    doubled: int = 0
    uncommitted: int = 0
    different: int = 0
    lost_letters: int = 0
    extra_letters: int = 0
    wrong_sensors: list[str] = field(default_factory=list)
    offsets: dict[str, tuple[int, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """What is wrong, in words."""
        found = [
            f"{name}: {getattr(self, name)}"
            for name in ("missing", "extra", "doubled", "different", "lost_letters")
            if getattr(self, name)
        ]
        if self.extra_letters:
            found.append(f"extra_letters: {self.extra_letters}")
        if self.scored + self.dead_letters != self.produced:
            found.append(
                f"produced {self.produced}, but scored {self.scored} and dead letters "
                f"{self.dead_letters}"
            )
        if self.wrong_sensors:
            found.append(f"state of {len(self.wrong_sensors)} sensors: {self.wrong_sensors[:3]}")
        if self.offsets:
            found.append(f"committed offsets are not at the end: {self.offsets}")
        return found + self.notes[:5]


def verify(deployment: Deployment) -> Report:
    """Read everything and compare.

    Parameters
    ----------
    deployment
        With ``policy.enabled=false``, no labels and no work left.
    """
    settings = deployment.settings
    servers = settings.kafka.bootstrap_servers
    report = Report()
    sensors = read_topic(servers, settings.topic("sensors"))
    report.produced = len(sensors)

    pipelines: dict[int, Pipeline] = {}
    drift: dict[str, bytes] = {}
    letters: Counter[tuple[int, int]] = Counter()
    for message in sensors:
        number = _partition(message)
        pipeline = pipelines.get(number)
        if pipeline is None:
            pipeline = pipelines[number] = Pipeline(settings, number)
        pipeline.process("sensors", [_record(message)])
        for effect in pipeline.drain():
            assert effect.value is not None or effect.topic == settings.topic("dead-letters")
            if effect.topic == settings.topic("alerts"):
                drift[str(orjson.loads(effect.value or b"")["id"])] = effect.value or b""
            elif effect.topic == settings.topic("dead-letters"):
                letters[number, message.offset() or 0] += 1
    report.expected = len(drift)

    _compare_drift_events(report, drift, read_topic(servers, settings.topic("alerts")))
    report.uncommitted = len(
        read_topic(servers, settings.topic("alerts"), isolation="read_uncommitted")
    )
    _compare_letters(report, letters, sensors, read_topic(servers, settings.topic("dead-letters")))
    _compare_state(report, settings, pipelines, read_topic(servers, settings.topic("state")))
    report.offsets = deployment.behind(("sensors",))
    return report


def _compare_drift_events(
    report: Report, expected: Mapping[str, bytes], found: Iterable[Message]
) -> None:
    seen: dict[str, list[bytes]] = {}
    for message in found:
        value = message.value() or b""
        seen.setdefault(str(orjson.loads(value)["id"]), []).append(value)
        headers = dict(message.headers() or ())
        if headers.get("ce_id") != orjson.loads(value)["id"].encode():
            report.notes.append(f"header ce_id of {value!r} is {headers.get('ce_id')!r}")
    report.missing = len(expected.keys() - seen.keys())
    report.extra = len(seen.keys() - expected.keys())
    report.doubled = sum(len(copies) - 1 for copies in seen.values())
    for identity in expected.keys() & seen.keys():
        if seen[identity][0] != expected[identity]:
            report.different += 1
            report.notes.append(f"expected {expected[identity]!r}, found {seen[identity][0]!r}")


def _compare_letters(
    report: Report,
    expected: Counter[tuple[int, int]],
    sensors: Iterable[Message],
    found: Iterable[Message],
) -> None:
    originals = {(_partition(m), m.offset()): m for m in sensors}
    seen: Counter[tuple[int, int]] = Counter()
    for letter in found:
        headers = {name: value or b"" for name, value in letter.headers() or ()}
        source = (int(headers[_ERRORS + "partition"]), int(headers[_ERRORS + "offset"]))
        seen[source] += 1
        original = originals.get(source)
        if original is None or (original.key(), original.value(), original.timestamp()) != (
            letter.key(),
            letter.value(),
            letter.timestamp(),
        ):
            report.notes.append(f"dead letter of {source} is not the record that stood there")
    report.dead_letters = seen.total()
    report.lost_letters = (expected - seen).total()
    report.extra_letters = (seen - expected).total()


def _compare_state(
    report: Report,
    settings: Settings,
    pipelines: Mapping[int, Pipeline],
    rows: Iterable[Message],
) -> None:
    stored: dict[int, dict[bytes, bytes]] = {}
    for row in rows:
        partition = stored.setdefault(_partition(row), {})
        key, value = row.key() or b"", row.value()
        if value is None:
            partition.pop(key, None)
        else:
            partition[key] = value
    for number, expected in pipelines.items():
        partition = stored.get(number, {})
        position = decode_position(partition.pop(b'["position"]', None))
        restored = Pipeline(settings, number)
        restored.restore(Restored(position, partition))
        wanted = expected.position[settings.topic("sensors")]
        if restored.position.get(settings.topic("sensors")) != wanted:
            report.notes.append(f"position of {number} is {position}, expected {wanted}")
        for sensor_id in set(expected.sensor_ids()) | set(restored.sensor_ids()):
            before, after = expected.sensor(sensor_id), restored.sensor(sensor_id)
            report.scored += after.events if after else 0
            difference = first_difference(before, after)
            if difference is not None:
                report.wrong_sensors.append(sensor_id)
                report.notes.append(f"{sensor_id}{difference}")


def first_difference(one: Any, other: Any, path: str = "", depth: int = 0) -> str | None:
    """Return where two objects first differ, compared by all that a pickle would hold.

    Numbers are compared to the last bit; None if there is no difference.
    """
    if type(one) is not type(other):
        return f"{path}: {one!r} and {other!r}"
    if one is other or depth > 60:
        return None
    if isinstance(one, int | float | str | bytes | bool | type):
        return None if repr(one) == repr(other) else f"{path}: {one!r} and {other!r}"
    if isinstance(one, Mapping) and not hasattr(one, "__dict__"):
        if list(one) != list(other):
            return f"{path}: keys {list(one)[:9]} and {list(other)[:9]}"
        pairs = [(f"[{key!r}]", one[key], other[key]) for key in one]
    elif isinstance(one, list | tuple):
        if len(one) != len(other):
            return f"{path}: {len(one)} and {len(other)} items"
        pairs = [(f"[{i}]", a, b) for i, (a, b) in enumerate(zip(one, other, strict=True))]
    elif isinstance(one, set | frozenset):
        return None if one == other else f"{path}: {one!r} and {other!r}"
    else:
        parts, others = one.__reduce_ex__(5), other.__reduce_ex__(5)
        if isinstance(parts, str):
            return None
        pairs = [
            (f".{name}", _listed(a), _listed(b))
            for name, a, b in zip(PARTS, parts, others, strict=False)
            if not callable(a)
        ]
    for step, a, b in pairs:
        found = first_difference(a, b, path + step, depth + 1)
        if found is not None:
            return found
    return None


def _listed(part: Any) -> Any:
    return list(part) if hasattr(part, "__next__") else part


def _partition(message: Message) -> int:
    number = message.partition()
    assert number is not None
    return number


def _record(message: Message) -> FileRecord:
    return FileRecord(
        message.offset() or 0,
        message.timestamp()[1],
        message.key(),
        message.value(),
        message.headers() or (),
    )
