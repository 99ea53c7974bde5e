"""``driftline backtest --windows`` from outside."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Driftline

FAST = ("--set", "detectors.warmup=50", "--set", "learner.grace=50")


@pytest.fixture
def shifted(tmp_path: Path) -> Path:
    """Two presses; the first one moves by six standard deviations at minute 600."""
    draw = random.Random(5)
    rows = ["sensor_id,ts,value"]
    for n in range(900):
        when = f"2026-01-05T{n // 60:02}:{n % 60:02}:00Z"
        rows.append(f"a,{when},{draw.gauss(20 if n < 600 else 26, 1):.3f}")
        rows.append(f"b,{when},{draw.gauss(5, 1):.3f}")
    path = tmp_path / "shifted.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def windows(tmp_path: Path) -> Path:
    path = tmp_path / "windows.csv"
    path.write_text("sensor,start,end\na,2026-01-05 10:00,2026-01-05 11:00\n")
    return path


def test_windows_leave_the_drift_events_on_stdout_as_they_are(
    driftline: Driftline, shifted: Path, windows: Path
) -> None:
    plain = driftline("backtest", shifted, "--json", *FAST)
    scored = driftline("backtest", shifted, "--json", *FAST, "--windows", windows)
    *events, last = scored.out.splitlines()
    assert events == plain.out.splitlines()
    assert len(events) >= 1
    assert json.loads(last)["kind"] == "scores"
    assert scored.err == plain.err
    assert scored.code == 0


def test_without_windows_there_is_no_other_line(driftline: Driftline, shifted: Path) -> None:
    result = driftline("backtest", shifted, "--json", *FAST)
    assert {line["kind"] for line in result.lines} <= {"drift", "warning", "recovered"}


def test_the_last_line_has_every_method_on_every_sensor_and_in_all(
    driftline: Driftline, shifted: Path, windows: Path
) -> None:
    scores = driftline("backtest", shifted, "--json", *FAST, "--windows", windows).lines[-1]
    rows = {(row["method"], row["sensor_id"]): row for row in scores["scores"]}
    methods = ["driftline", "adwin", "page-hinkley", "ddm", "evenly spaced"]
    assert list(rows) == [(method, sensor) for method in methods for sensor in ("a", "b", None)]
    ours = rows["driftline", "a"]
    assert (ours["hits"], ours["missed"], ours["false_alarms"]) == (1, 0, 0)
    assert (ours["precision"], ours["recall"], ours["f1"]) == (1.0, 1.0, 1.0)
    assert ours["beats_evenly_spaced"] is True
    assert 0 < ours["mtd_events"] * 60 == ours["mtd_seconds"] < 3600
    assert rows["driftline", None]["events"] == 1800
    (labelled,) = scores["windows"]
    assert (labelled["sensor_id"], labelled["start"]) == ("a", "2026-01-05T10:00:00Z")
    assert labelled["delays"]["driftline"]["events"] == ours["mtd_events"]
    assert labelled["delays"]["evenly spaced"] is None


def test_people_get_two_tables_on_stderr(
    driftline: Driftline, shifted: Path, windows: Path
) -> None:
    plain = driftline("backtest", shifted, *FAST)
    result = driftline("backtest", shifted, *FAST, "--windows", windows)
    assert result.out == plain.out
    scores, delays = result.err.split("\n\n")
    assert scores.splitlines()[0].split()[:3] == ["sensor", "method", "missed"]
    assert [line.split()[:2] for line in scores.splitlines()[1:3]] == [
        ["a", "driftline"],
        ["a", "adwin"],
    ]
    assert scores.splitlines()[-5].split()[:5] == ["all", "driftline", "0", "of", "1"]
    assert delays.splitlines()[1].startswith("a       2026-01-05T10:00:00Z to 2026-01-05T11:00:00Z")


def test_a_sensor_with_neither_window_nor_alarm_is_not_told_of(
    driftline: Driftline, shifted: Path, windows: Path
) -> None:
    err = driftline("backtest", shifted, *FAST, "--windows", windows).err
    assert not any(line.startswith("b ") for line in err.splitlines())


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("sensor,start,end\nc,2026-01-05,2026-01-06\n", "which holds a, b"),
        ("sensor,from,to\n", "expected the columns sensor, start and end"),
    ],
)
def test_windows_that_cannot_be_used_are_one_line(
    driftline: Driftline, shifted: Path, tmp_path: Path, text: str, line: str
) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text(text)
    result = driftline("backtest", shifted, "--json", *FAST, "--windows", wrong)
    assert result.code == 2
    assert result.err.splitlines()[-1].startswith("driftline: --windows: ")
    assert line in result.err.splitlines()[-1]


def test_windows_without_an_event_are_counted_and_left_out(
    driftline: Driftline, shifted: Path, windows: Path
) -> None:
    windows.write_text(windows.read_text() + "a,2027-01-01,2027-01-02\n")
    result = driftline("backtest", shifted, "--json", *FAST, "--windows", windows)
    assert "1 windows hold no event of their sensor and were left out" in result.err
    assert len(result.lines[-1]["windows"]) == 1


def test_the_summary_says_how_many_events_were_kept_from_the_model_and_why(
    driftline: Driftline, tmp_path: Path
) -> None:
    draw = random.Random(5)
    values = [f"{draw.gauss(20, 1):.3f}" for _ in range(60)] + ["", "999", "999", "21.5"]
    rows = [f"2026-01-05T12:{n // 60:02}:{n % 60:02}Z,{value}" for n, value in enumerate(values)]
    (tmp_path / "press.csv").write_text("ts,value\n" + "\n".join(rows) + "\n")
    result = driftline("backtest", "press.csv", "--set", 'hygiene.range={"value": [0, 100]}')
    assert result.out.splitlines()[-1] == (
        "64 events scored, 1 drift events, 3 events kept from the model (1 missing, 2 range)"
    )
