"""The demo, end to end: an embedded broker, a worker, a retrain worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from schemas.codec import decode
from schemas.events import DriftEvent

pytestmark = pytest.mark.embedded


def test_the_demo_ends_by_itself_and_accounts_for_every_event() -> None:
    """Labels that come two days late are in it, and settings of the user's that must not matter."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "streams",
            "demo",
            "--dataset",
            "glassware",
            "--seed",
            "3",
            "--json",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "DRIFTLINE_TOPICS__PREFIX": "mine", "DRIFTLINE_GROUP": "mine"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    *alerts, last = done.stdout.splitlines()
    totals = json.loads(last)
    assert list(totals) == ["events", "scored", "alerts", "dead_letters", "seconds"]
    assert totals["events"] == totals["scored"] == 7999
    assert totals["dead_letters"] == 0
    assert totals["alerts"] == len(alerts) > 0
    events = [decode(line.encode(), DriftEvent) for line in alerts]
    assert {event.sensor_id for event in events} == {"glassware"}
    assert any(event.kind == "drift" for event in events)
    assert len({event.id for event in events}) == len(events)
