"""Rows that a worker with numba has stored are read where it is missing."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.compiled import AVAILABLE
from streams.pipeline import Pipeline
from streams.records import FileRecord
from tests.pipelines import START, configured
from tests.slices import slice_of

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="numba is not installed")

READ = """
import pickle, sys
sys.modules["numba"] = None
from streams.changelog import Position, Restored
from streams.pipeline import Pipeline
from tests.pipelines import configured
with open(sys.argv[1], "rb") as file:
    rows = pickle.load(file)
pipeline = Pipeline(configured(), 0)
pipeline.restore(Restored(Position({}), rows))
sensor = pipeline.sensor("press-7")
assert pipeline.kept.bank is None
print(sensor.events, sensor.last_offset, repr(sensor.monitors["value"].usual.mean))
"""


def test_a_worker_without_numba_goes_on_from_the_rows_of_one_that_has_it(tmp_path: Path) -> None:
    pipeline = Pipeline(configured(), 0)
    events = [
        {"sensor_id": "press-7", "ts": START + n, "value": 20.1 + n * n % 7} for n in range(300)
    ]
    given = [
        FileRecord(n, START * 1000 + n, None, json.dumps(event).encode())
        for n, event in enumerate(events)
    ]
    pipeline.process("sensors", slice_of(given))
    sensor = pipeline.sensor("press-7")
    assert sensor is not None
    assert sensor.monitors["value"].usual is not None
    rows = tmp_path / "rows"
    rows.write_bytes(pickle.dumps(dict(pipeline.take()[1])))
    done = subprocess.run(
        [sys.executable, "-c", READ, str(rows)], check=True, capture_output=True, text=True
    )
    mean = sensor.monitors["value"].usual.mean
    assert done.stdout.split() == ["300", "299", repr(mean)]
