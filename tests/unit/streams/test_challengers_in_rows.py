"""A sensor whose model is challenged, or waits for a retrain, stays a row: the same, bit for bit.

Records come in chunks. After each, what the pipeline itself reads (alerts, commands, models) comes
back to it, as from Kafka. Once all goes through objects, once in slices through compiled code, with
checkpoints and restarts in between.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from schemas.compiled import AVAILABLE
from schemas.settings import Settings
from streams.changelog import Position, Restored
from streams.pipeline import Pipeline
from streams.records import INPUTS, FileRecord, Outgoing
from tests.chaos.verifier import first_difference
from tests.pipelines import START, command, configured
from tests.slices import slice_of

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="numba is not installed")

CHUNK = 25
Values = Callable[[random.Random, int], float | None]


def rule_changes(draw: random.Random, n: int) -> float:
    """What follows a value is another now and then."""
    return 20.0 + (3.0 if n // 300 % 2 else 1.0) * (n % 2) + draw.gauss(0.0, 0.2)


def level_changes(draw: random.Random, n: int) -> float:
    return draw.gauss(20.0 + 6.0 * (n // 250 % 3), 1.0)


def gaps(draw: random.Random, n: int) -> float | None:
    return None if draw.random() < 0.05 else rule_changes(draw, n)


def jumps(draw: random.Random, n: int) -> float:
    """So far that a model diverges, the challenger too."""
    return 20.0 + 1000.0 * (n // 200 % 3) + draw.gauss(0.0, 0.01)


def calms_down(draw: random.Random, n: int) -> float:
    """From a wide range to a narrow one: a model that is scaled for the first learns slowly."""
    usual = 80.0 * (n * 7 % 5) if n < 150 else 3.0 * (n % 2)
    return 20.0 + usual + draw.gauss(0.0, 0.2)


def chunks(values: Values, count: int) -> list[list[FileRecord]]:
    draw = random.Random(11)
    given = []
    for n in range(count):
        event = {"sensor_id": f"s-{n % 2}", "ts": START + n, "value": values(draw, n // 2)}
        given.append(FileRecord(n, START * 1000 + n, None, json.dumps(event).encode()))
    return [given[at : at + CHUNK] for at in range(0, count, CHUNK)]


def run(
    deployment: Settings,
    given: Sequence[list[FileRecord]],
    draw: random.Random | None,
    commands: dict[int, bytes] | None = None,
) -> tuple[list[Outgoing], Pipeline, int]:
    """Process all chunks; also count the chunks after which a challenged sensor is a row."""
    pipeline, written, stored = Pipeline(deployment, 0), list[Outgoing](), dict[bytes, bytes]()
    ends = dict.fromkeys(INPUTS, 0)
    kinds = {deployment.topic(kind): kind for kind in INPUTS}
    challenged = 0

    def feed(kind: Any, value: bytes | None) -> None:
        pipeline.process(kind, [FileRecord(ends[kind], START * 1000, None, value)])
        ends[kind] += 1
        come_back(pipeline.drain())

    def come_back(effects: list[Outgoing]) -> None:
        written.extend(effects)
        for effect in effects:
            if effect.topic in kinds:
                feed(kinds[effect.topic], effect.value)

    for number, chunk in enumerate(given):
        if commands is not None and number in commands:
            feed("control", commands[number])
        at = 0
        while at < len(chunk):
            size = len(chunk) if draw is None else draw.choice([1, 3, 25])
            some = chunk[at : at + size]
            pipeline.process("sensors", some if draw is None else slice_of(some))
            at += size
        come_back(pipeline.drain())
        if draw is not None and draw.random() < 0.3:
            for key, row in pipeline.take()[1]:
                if row is None:
                    stored.pop(key, None)
                else:
                    stored[key] = row
            if draw.random() < 0.5:
                position = Position(dict(pipeline.position))
                pipeline = Pipeline(deployment, 0)
                pipeline.restore(Restored(position, dict(stored)))
        challenged += any(
            name not in pipeline.kept.live and sensor.champion.challenger is not None
            for name in pipeline.sensor_ids()
            if (sensor := pipeline.sensor(name)) is not None
        )
    return written, pipeline, challenged


def assert_same(deployment: Settings, given: Any, commands: Any = None) -> list[str]:
    """Compare both ways; return what was done to models."""
    expected, objects, _ = run(deployment, given, None, commands)
    written, rows, challenged = run(deployment, given, random.Random(4), commands)
    assert written == expected
    for name in objects.sensor_ids():
        assert first_difference(objects.sensor(name), rows.sensor(name)) is None, name
    assert challenged > 0
    topic = deployment.topic("adaptations")
    return [json.loads(e.value or b"")["action"] for e in expected if e.topic == topic]


@pytest.mark.parametrize("values", [rule_changes, level_changes, gaps, jumps])
def test_drifts_lead_to_the_same_challengers_and_retrains(values: Values) -> None:
    actions = assert_same(configured(), chunks(values, 2400))
    assert {"relearn"} < set(actions)


def test_challengers_win_and_lose_in_rows() -> None:
    relearn = {number: command("relearn", f"s-{number % 2}") for number in (6, 15, 40, 41, 70)}
    actions = assert_same(configured(), chunks(calms_down, 2400), relearn)
    assert {"promote", "reject"} <= set(actions)


def test_a_retrain_is_asked_for_at_the_same_event() -> None:
    rules = [{"actions": ["retrain"]}]
    deployment = configured(policy={"rules": rules, "retrain_min_events": 130})
    expected, _, _ = run(deployment, chunks(level_changes, 1600), None)
    written, _, _ = run(deployment, chunks(level_changes, 1600), random.Random(4))
    assert written == expected
    assert any(effect.topic == deployment.topic("retrain") for effect in expected)


def test_a_challenger_of_another_configuration_keeps_its_sensor_an_object() -> None:
    deployment = configured()
    pipeline = Pipeline(deployment, 0)
    for chunk in chunks(rule_changes, 200):
        pipeline.process("sensors", slice_of(chunk))
    live, _ = pipeline.kept.take_out("s-0")
    other = replace(live.sensor.champion.learner.configuration, lags=5)
    live.sensor.champion.start_challenger(type(live.sensor.champion.learner)(other))
    pipeline.kept.put_away(live)
    assert list(pipeline.kept.live) == ["s-0"]
