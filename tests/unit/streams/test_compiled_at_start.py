"""A worker starts whether its compiled code can be had or not, and says so."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
import structlog

from schemas import compiled
from streams.bank import warm_up
from streams.bank.warm_up import Compiled

pytestmark = pytest.mark.skipif(not compiled.AVAILABLE, reason="numba is not installed")


@pytest.fixture
def logged() -> Iterator[list[structlog.typing.EventDict]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


async def test_it_is_ready_when_all_of_it_was_called(
    logged: list[structlog.typing.EventDict],
) -> None:
    prepared = Compiled()
    await prepared.prepare()
    assert prepared.ready
    assert [line["log_level"] for line in logged][-1] == "info"


async def test_a_compiler_that_fails_is_told_and_leaves_the_plain_way(
    monkeypatch: pytest.MonkeyPatch, logged: list[structlog.typing.EventDict]
) -> None:
    monkeypatch.setattr(compiled, "is_complete", lambda: False)
    monkeypatch.setattr(warm_up.sys, "executable", "/bin/false")
    prepared = Compiled()
    await prepared.prepare()
    assert not prepared.ready
    (line,) = [line for line in logged if line["log_level"] == "error"]
    assert line["reason"] == "RuntimeError: compiling ended with exit code 1"


async def test_kept_code_that_cannot_be_loaded_is_told_and_leaves_the_plain_way(
    monkeypatch: pytest.MonkeyPatch, logged: list[structlog.typing.EventDict]
) -> None:
    def damaged() -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(compiled, "is_complete", lambda: True)
    monkeypatch.setattr(warm_up, "warm_up", damaged)
    prepared = Compiled()
    await prepared.prepare()
    assert not prepared.ready
    (line,) = [line for line in logged if line["log_level"] == "error"]
    assert line["reason"] == "OSError: the disk is gone"


AT_WORK = """
import gc
import random

from numba.core.dispatcher import Dispatcher

from schemas.settings import load_settings
from streams.bank.warm_up import warm_up
from streams.changelog import Position, Restored
from streams.pipeline import Pipeline
from streams.records import FileRecord
from tests.pipelines import slice_of


def known():
    made = [each for each in gc.get_objects() if isinstance(each, Dispatcher)]
    return {(each.py_func.__module__, each.py_func.__qualname__, s)
            for each in made for s in each.signatures}


warm_up()
before = known()
settings = load_settings(None, {"state.signing_key": "only for these tests"})
pipeline, draw, offset, rows = Pipeline(settings, 0), random.Random(1), 0, {}
for mean, count in ((20.0, 150), (30.0, 400), (None, 30), (20.0, 200)):
    events = []
    for n in range(count * 5):
        value = "null" if mean is None and n % 2 else draw.gauss(mean or 30.0, 1.0)
        text = f'{{"sensor_id":"s-{n % 5}","ts":{1767614400 + offset},"value":{value}}}'
        events.append(FileRecord(offset, 0, None, text.encode()))
        offset += 1
    pipeline.process("sensors", slice_of(events))
    effects, changes = pipeline.take()
    rows |= {key: row for key, row in changes if row is not None}
    assert mean != 30.0 or effects
heir = Pipeline(settings, 0)
heir.restore(Restored(Position(dict(pipeline.position)), rows))
pipeline.kept.forget(["s-3"])
for made in sorted(map(str, known() - before)):
    print(made)
"""


def test_a_worker_at_work_compiles_nothing_that_was_not_compiled_at_its_start() -> None:
    """What is compiled later holds up all events for a second, at the first drift."""
    done = subprocess.run(
        [sys.executable, "-c", AT_WORK], check=True, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == []
