"""One partition without Kafka: feeds a pipeline, keeps what a broker would keep, and compares.

A `Partition` plays the parts of Kafka: it numbers records per topic, keeps the rows of each
checkpoint, brings alerts, commands and models back if it is asked to, and starts a new pipeline
from the rows. `canonical` turns any state into plain data that can be compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from types import BuiltinFunctionType, FunctionType
from typing import Any

import numpy as np
import orjson

from learners.snapshot import dumps, loads, signing_key
from schemas.settings import Settings
from streams.bank.bank import MAGIC, split
from streams.changelog import Position, Restored
from streams.pipeline import Pipeline
from streams.records import INPUTS, Counts, FileRecord, Outgoing
from streams.rows import join_parts
from streams.sensor import Sensor
from streams.stored import snapshot_of
from tests.slices import slice_of

START = 1_767_614_400
"""Unix seconds of the first event: 2026-01-05T12:00:00Z."""

FAST: Mapping[str, Any] = {
    "detectors": {"warmup": 30},
    "learner": {"grace": 30},
    "episodes": {"quiet_events": 40},
    "policy": {"cooldown_events": 60, "challenger_events": 40, "retrain_min_events": 80},
}
"""Settings under which a few hundred events show everything."""


def configured(**sections: Any) -> Settings:
    """Settings with `FAST` below, and a signing key of their own."""
    merged: dict[str, Any] = {"state": {"signing_key": "a key for tests only"}}
    for section in FAST.keys() | sections.keys():
        fast, given = FAST.get(section, {}), sections.get(section, {})
        merged[section] = {**fast, **given} if isinstance(given, dict) else given
    return Settings(**merged)


def reading(
    sensor: str = "press-7",
    value: float | None = None,
    *,
    n: int = 0,
    features: Mapping[str, Any] | None = None,
    event_id: str | None = None,
) -> bytes:
    """A sensor event; the `n`-th of its sensor is `n` seconds after the start."""
    event: dict[str, Any] = {"sensor_id": sensor, "ts": START + n}
    if event_id is not None:
        event["event_id"] = event_id
    if features is None:
        event["value"] = value
    else:
        event["features"] = features
    return json.dumps(event).encode()


def label(sensor: str, event_id: str, truth: Any, *, n: int = 0) -> bytes:
    """A label event."""
    return json.dumps(
        {"sensor_id": sensor, "event_id": event_id, "ts": START + n, "label": truth}
    ).encode()


def command(name: str, sensor: str = "press-7", **fields: Any) -> bytes:
    """A control event."""
    return orjson.dumps({"command": name, "sensor_id": sensor, **fields})


class Partition:
    """One partition of all topics, and the pipeline that owns it.

    Parameters
    ----------
    settings
        Of the deployment.
    number
        Of the partition.
    loop
        Bring alerts, commands and models that are written back to the pipeline, at once.
    """

    def __init__(self, settings: Settings, number: int = 0, *, loop: bool = False) -> None:
        self.settings = settings
        self.number = number
        self.loop = loop
        self.pipeline = Pipeline(settings, number)
        self.counts = Counts()
        self.effects: list[Outgoing] = []
        self.rows: dict[bytes, bytes] = {}
        self._ends = dict.fromkeys(INPUTS, 0)
        self._inputs = {settings.topic(kind): kind for kind in INPUTS}

    def feed(self, kind: str, *values: bytes | None, key: bytes | None = None) -> list[Outgoing]:
        """Write records to an input topic, process them, and return what came of them."""
        return self.process(kind, [self.record(kind, value, key=key) for value in values])

    def record(self, kind: str, value: bytes | None, **fields: Any) -> FileRecord:
        """Write one record to an input topic without processing it."""
        offset = self._ends[kind]  # type: ignore[index]
        self._ends[kind] = offset + 1  # type: ignore[index]
        fields = {"key": None, "timestamp": START * 1000 + 1000 * offset} | {
            name: content for name, content in fields.items() if content is not None
        }
        return FileRecord(offset=offset, value=value, **fields)

    def process(self, kind: str, records: Sequence[FileRecord]) -> list[Outgoing]:
        """Process a slice, and checkpoint."""
        self.work(kind, records)
        return self.checkpoint()

    def work(self, kind: str, records: Sequence[FileRecord]) -> Counts:
        """Process a slice, without a checkpoint."""
        counts = self.pipeline.process(kind, slice_of(records))
        self.counts.scored += counts.scored
        self.counts.skipped += counts.skipped
        self.counts.muted += counts.muted
        self.counts.absorbed += counts.absorbed
        for name in (
            "dead_letters",
            "labels",
            "drift_events",
            "adaptations",
            "withheld",
            "begun_anew",
        ):
            total = getattr(self.counts, name)
            for what, n in getattr(counts, name).items():
                total[what] = total.get(what, 0) + n
        return counts

    def checkpoint(self) -> list[Outgoing]:
        """Take effects and rows; bring back what the pipeline itself reads."""
        effects, rows = self.pipeline.take()
        for key, value in rows:
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value
        self.effects += effects
        if self.loop:
            for effect in effects:
                kind = self._inputs.get(effect.topic)
                if kind is not None:
                    effects = effects + self.feed(kind, effect.value, key=effect.key)
        return effects

    def restart(self, settings: Settings | None = None) -> None:
        """Begin again from the rows and the position of the last checkpoint."""
        self.settings = settings or self.settings
        position = Position(dict(self.pipeline.position))
        self.pipeline = Pipeline(self.settings, self.number)
        self.pipeline.restore(Restored(position, dict(self.rows)))

    def sensor(self, sensor_id: str = "press-7") -> Sensor:
        """The state of a sensor."""
        found = self.pipeline.sensor(sensor_id)
        assert found is not None
        return found

    def written(self, topic: Any, effects: Iterable[Outgoing] | None = None) -> list[Any]:
        """What was written to an output topic, parsed."""
        name = self.settings.topic(topic)
        chosen = self.effects if effects is None else effects
        return [orjson.loads(e.value or b"null") for e in chosen if e.topic == name]

    def letters(self) -> list[Outgoing]:
        """All dead letters, as they were written."""
        name = self.settings.topic("dead-letters")
        return [effect for effect in self.effects if effect.topic == name]

    def state(self) -> dict[tuple[str, ...], Any]:
        """All rows of the last checkpoint, as plain data by the parts of their key."""
        return {name: self._plain(name, row) for name, row in join_parts(self.rows).items()}

    def _plain(self, name: tuple[str, ...], row: bytes) -> Any:
        if name == ("fleet",):
            return orjson.loads(row)
        key = signing_key(self.settings.state)
        if row.startswith(MAGIC):
            # All but the signature; a pickle has more than one form, so it is opened.
            packed, beside = split(row)
            return [packed, canonical(loads(beside, key)) if beside else None]
        return canonical(loads(snapshot_of(row) if name[0] == "sensor" else row, key))

    def candidate(self, learner: Any, sensor: str = "press-7", **fields: Any) -> bytes:
        """A record of the models topic, as the retrain worker writes it."""
        return model_record(learner, signing_key(self.settings.state), sensor, **fields)


def model_record(learner: Any, key: bytes, sensor: str = "press-7", **fields: Any) -> bytes:
    """A candidate on the models topic, signed with `key`."""
    import base64
    import hashlib

    artifact = dumps(learner, key)
    return orjson.dumps(
        {
            "name": sensor,
            "version": 2,
            "stage": "candidate",
            "sensor_id": sensor,
            "ts": START,
            "metrics": {"error": 0.1, "champion_error": 1.0, "n_train": 70, "n_test": 30},
            "training_range": None,
            "digest": hashlib.sha256(artifact).hexdigest(),
            "artifact": base64.b64encode(artifact).decode(),
            "reason": "error 0.1, that of the model in use 1",
            "drift_event_id": "d-1",
            "request_id": "r-1",
            **fields,
        }
    )


def canonical(state: Any, _within: tuple[int, ...] = ()) -> Any:
    """Any picklable state as nested plain data, equal for equal states.

    Pickles themselves differ with the identity of equal strings; this does not.
    """
    if state is None or isinstance(state, bool | int | str | bytes):
        return state
    if isinstance(state, float):
        return repr(state)
    if isinstance(state, type | FunctionType | BuiltinFunctionType):
        return state.__qualname__
    if id(state) in _within:
        return "itself"
    within = (*_within, id(state))
    if isinstance(state, tuple | list):
        return [canonical(item, within) for item in state]
    if isinstance(state, dict):
        pairs = [(canonical(k, within), canonical(v, within)) for k, v in state.items()]
        return [type(state).__name__, pairs]
    if isinstance(state, set | frozenset):
        return sorted((canonical(item, within) for item in state), key=repr)
    if isinstance(state, np.ndarray):
        return canonical(state.tolist(), within)
    reduced = state.__reduce_ex__(5)
    if isinstance(reduced, str):
        return reduced
    _, arguments, *rest = reduced
    parts = [canonical(part, within) for part in rest[:1]]
    parts += [[canonical(item, within) for item in part] for part in rest[1:] if part is not None]
    return [type(state).__qualname__, canonical(arguments, within), parts]


def alert(sensor: str = "press-7", **fields: Any) -> bytes:
    """A drift event as it stands on the alerts topic."""
    return orjson.dumps(
        {
            "id": "d-1",
            "sensor_id": sensor,
            "ts": START,
            "kind": "drift",
            "detector": "adwin",
            "signal": "error",
            "direction": "up",
            "diagnosis": "concept",
            "severity": "high",
            "episode_id": "e-1",
            "score": None,
            "threshold": None,
            "change_point": {"ts": START, "offset": 10},
            "before": None,
            "after": None,
            "model": {"name": sensor, "version": 1},
            "source": {"topic": "driftline.sensors", "partition": 0, "offset": 15},
            **fields,
        }
    )
