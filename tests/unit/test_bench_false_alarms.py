"""What `python -m bench.false_alarms` rests on: its streams, its bound, its tables."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench import detection_tables, false_alarms
from bench.detection import at_most, measure_changes, measure_false_alarms, named
from bench.drawn import (
    CHANGES,
    DAY,
    GRADUAL_EVENTS,
    MONDAY,
    RECURRING,
    STREAMS,
    Course,
    Stream,
    changing,
    stationary,
)
from bench.quality_methods import pipeline_drifts
from tests.brokers import ROOT, wait_for

N = 200_000
NOISY = [stream for stream in STREAMS if stream.changes]
CELLS = [(stream, change) for stream in STREAMS for change in stream.changes]
UNITS = {
    "N(0, 1)": 1.0,
    "N(1000, 0.01)": 0.01,
    "N(1e-6, 1e-9)": 1e-9,
    "a day": 1.0,
    "a week": 1.0,
    "Poisson(3)": math.sqrt(3.0),
    "Bernoulli(0.1)": 0.3,
    "AR(1), 0.9": 2.294,
    "lognormal(0, 1)": 2.161,
    "Student t, 3 d.f.": math.sqrt(3.0),
}
LONG_TAILS = ("lognormal(0, 1)", "Student t, 3 d.f.")


def drawn(stream: Stream, level: float = 0.0, spread: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(5)
    times = stream.times(np.random.default_rng(6), N)
    return stream.draw(rng, Course(np.full(N, level), np.full(N, spread), np.ones(N)), times)


# --- streams -----------------------------------------------------------------------------


@pytest.mark.parametrize("stream", NOISY, ids=lambda stream: stream.name)
def test_a_level_is_in_standard_deviations(stream: Stream) -> None:
    shift = drawn(stream, level=2.0).mean() - drawn(stream).mean()
    assert shift == pytest.approx(2.0 * UNITS[stream.name], rel=0.02)


@pytest.mark.parametrize(
    "stream", [s for s in NOISY if "variance x3" in s.changes], ids=lambda stream: stream.name
)
def test_a_spread_keeps_the_mean(stream: Stream) -> None:
    calm, wide = drawn(stream), drawn(stream, spread=math.sqrt(3.0))
    unit = UNITS[stream.name]
    assert wide.mean() - calm.mean() == pytest.approx(0.0, abs=0.05 * unit)
    if stream.name.startswith("a "):  # the cycle does not widen
        assert wide.var() - calm.var() == pytest.approx(2.0, rel=0.05)
    else:
        assert wide.var() / calm.var() == pytest.approx(3.0, rel=0.05)


@pytest.mark.parametrize(("stream", "change"), CELLS, ids=lambda cell: getattr(cell, "name", cell))
def test_a_run_is_drawn_again_alike_and_changes_when_it_says(stream: Stream, change: str) -> None:
    run, again = changing(stream, change, 1, 7), changing(stream, change, 1, 7)
    np.testing.assert_array_equal(run.values, again.values)
    np.testing.assert_array_equal(run.times, again.times)
    assert run.changes == again.changes
    assert len(run.values) == len(run.times) == run.changes[-1] + stream.after
    assert stream.earliest <= run.changes[0] < stream.latest
    assert len(run.changes) == (3 if change == RECURRING else 1)


@pytest.mark.parametrize("change", CHANGES)
def test_a_course_is_calm_up_to_its_change_and_not_behind_it(change: str) -> None:
    course = Course.calm(4000)
    CHANGES[change](np.random.default_rng(1), course, 1000, 1000, 1.0)
    calm = Course.calm(4000)
    for name in ("level", "spread", "cycle"):
        np.testing.assert_array_equal(getattr(course, name)[:1000], getattr(calm, name)[:1000])
    end = 1000 + GRADUAL_EVENTS
    assert any(
        not np.array_equal(getattr(course, name)[end:2000], getattr(calm, name)[end:2000])
        for name in ("level", "spread", "cycle")
    )


def test_a_gradual_change_is_a_mixture_that_moves() -> None:
    course = Course.calm(N)
    CHANGES["gradual, 2 sigma"](np.random.default_rng(1), course, 100, 1000, -1.0)
    assert set(np.unique(course.level)) == {-2.0, 0.0}
    assert (course.level[100 : 100 + 100] == -2.0).mean() < 0.3
    assert (course.level[100 + 400 : 100 + 500] == -2.0).mean() > 0.7
    assert (course.level[100 + 500 :] == -2.0).all()


def test_a_week_repeats_itself_and_its_weekends_are_lower() -> None:
    (week,) = named(["a week"])
    run = stationary(week, 20_160, 1, 0)
    day = (run.times - MONDAY) // DAY % 7
    means = [run.values[day == number].mean() for number in range(7)]
    assert max(means[5:]) < min(means[:5]) - 1.0
    assert np.ptp(means[:5]) < 0.2
    assert np.ptp(means[5:]) < 0.2


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_times_are_at_the_spacing_of_the_stream(stream: Stream) -> None:
    run = stationary(stream, 50, 1, 0)
    assert set(np.diff(run.times)) == {stream.spacing}
    assert MONDAY <= run.times[0] < MONDAY + 7 * DAY


# --- the bound ---------------------------------------------------------------------------


def test_without_a_drift_the_bound_is_the_rule_of_three() -> None:
    assert at_most([0] * 40) == pytest.approx(2.996, abs=0.001)


def test_the_bound_of_drifts_that_come_by_chance_is_that_of_a_poisson_distribution() -> None:
    assert at_most([1, 0, 1, 0, 1, 0]) == pytest.approx(7.754, abs=0.001)


def test_drifts_of_few_sensors_are_less_certain_than_as_many_of_all() -> None:
    assert at_most([20, 0, 0, 0, 0]) > 2 * at_most([4, 4, 4, 4, 4])


def test_the_bound_holds_in_19_of_20_draws() -> None:
    rng = np.random.default_rng(3)
    held = [at_most(rng.poisson(0.4, 40).tolist()) >= 16.0 for _ in range(1000)]
    assert np.mean(held) >= 0.94


# --- measurements ------------------------------------------------------------------------


def test_changes_are_held_against_the_drifts_of_the_pipeline() -> None:
    (stream,) = named(["N(0, 1)"])
    rows = measure_changes([stream], 2, 1, alone=False)
    assert [row["change"] for row in rows] == list(stream.changes)
    row = next(row for row in rows if row["change"] == "mean 3 sigma")
    ours = row["methods"]["driftline"]
    assert list(row["methods"]) == ["driftline", "adwin", "page-hinkley", "ddm"]
    for number in range(2):
        run = changing(stream, "mean 3 sigma", 1, number)
        (at,) = run.changes
        drifts = pipeline_drifts(run.values.tolist(), run.times.tolist())
        first = next(drift for drift in drifts if drift.index >= at)
        assert ours["delays"][number] == first.index - at
        assert first.change_point is not None
        assert ours["located"][number] == first.change_point - at
        assert ours["false_by_run"][number] == sum(drift.index < at for drift in drifts)


def test_each_change_of_a_run_that_goes_back_and_forth_is_to_be_found() -> None:
    (stream,) = named(["N(0, 1)"])
    rows = measure_changes([stream], 1, 1, alone=True)
    row = next(row for row in rows if row["change"] == RECURRING)
    ours = row["methods"]["driftline"]
    assert list(row["methods"]) == ["driftline"]
    assert (ours["windows"], len(ours["delays"]), len(ours["located"])) == (3, 3, 3)


def test_false_alarms_are_counted_by_sensor_and_signal() -> None:
    streams = named(["N(0, 1)", "a day"])
    rows = measure_false_alarms(streams, 3, 3000, 1)
    for stream, row in zip(streams, rows, strict=True):
        runs = [stationary(stream, 3000, 1, number) for number in range(3)]
        found = [pipeline_drifts(run.values.tolist(), run.times.tolist()) for run in runs]
        assert row["by_sensor"] == [len(drifts) for drifts in found]
        assert sum(row["by_signal"].values()) == sum(row["by_sensor"])
        assert row["per_10000"] == pytest.approx(10_000 * sum(row["by_sensor"]) / 9000)
        assert row["at_most_per_10000"] > row["per_10000"]


# --- tables and the program --------------------------------------------------------------

STATIONARY = {
    "stream": "N(0, 1)",
    "spacing_seconds": 60.0,
    "sensors": 4,
    "events": 5000,
    "by_sensor": [0, 2, 0, 0],
    "by_signal": {"error": 2},
    "per_10000": 1.0,
    "at_most_per_10000": 3.1,
}


def test_the_table_says_which_stream_is_not_within_the_budget() -> None:
    table = detection_tables.false_alarms([STATIONARY], 0.5)
    assert table.headers[5:7] == ("error", "value")
    assert table.rows == [
        ["N(0, 1)", "1 min", "1.00", "3.10", "**no**", "1.00", "0.00", "1 of 4"],
    ]


def test_tables_of_delays_and_change_points() -> None:
    ours = {
        "windows": 4,
        "hits": 3,
        "false_alarms": 1,
        "evenly_spaced_hits": 1,
        "evenly_spaced_false_alarms": 2,
        "evenly_spaced_delays": [None, 8, None, None],
        "delays": [10, 20, None, 30],
        "located": [-2, 0, None, 4],
    }
    row = {"stream": "s", "change": "c", "methods": {"driftline": ours}}
    assert detection_tables.delays([row]).rows == [["s", "c", "20, 29 (25 %)", "8, 8 (75 %)"]]
    assert detection_tables.f1([row]).rows == [["s", "0.75 (0.29)"]]
    assert detection_tables.change_points([row]).rows == [
        ["s", "c", "2, 4", "20, 29", "33 %", "3 of 4"]
    ]


def test_the_program_writes_results_and_fails_beyond_the_budget(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results.json"
    # Of so few events nobody can say that they keep the budget.
    small = ["--stream", "N(0, 1)", "--sensors", "1", "--events", "500"]
    code = false_alarms.main(["--only", "stationary", *small, "--json", str(results)])
    assert code == 1
    assert "N(0, 1): may exceed 0.5 drifts per 10,000 events" in capsys.readouterr().err
    (row,) = json.loads(results.read_text())["stationary"]
    assert row["by_sensor"] == [0]


def test_the_program_ends_well_within_the_budget() -> None:
    # A constant never drifts.
    arguments = ["--only", "stationary", "--stream", "constant", "--sensors", "10"]
    assert false_alarms.main(arguments) == 0


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_program_that_is_stopped_leaves_no_process_behind(how: int, code: int) -> None:
    program = subprocess.Popen(
        [sys.executable, "-m", "bench.false_alarms", "--events", "1000000"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        cores = len(os.sched_getaffinity(0))
        wait_for(lambda: len(busy(program.pid)) == cores, 120, "not all processes measure")
        workers = busy(program.pid)
        program.send_signal(how)
        _, said = program.communicate(timeout=60)
    finally:
        program.kill()
    assert program.returncode == code
    assert "Traceback" not in said
    wait_for(lambda: not any(map(lives, workers)), 30, "a process still measures")


def busy(pid: int) -> list[int]:
    """Its processes that have begun to measure, so that they pay no heed to Ctrl-C."""
    return [child for child in children(pid) if ignores_interrupts(child)]


def ignores_interrupts(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    ignored = int(status.split("SigIgn:")[1].split()[0], 16)
    return bool(ignored >> (signal.SIGINT - 1) & 1) and "spawn_main" in command(pid)


def command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def lives(pid: int) -> bool:
    try:
        return "spawn_main" in command(pid)
    except OSError:
        return False


@pytest.mark.parametrize("option", ["--sensors", "--events", "--runs"])
def test_a_number_below_1_is_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        false_alarms.main([option, "0"])
    assert f"{option}: expected an integer from 1" in capsys.readouterr().err
