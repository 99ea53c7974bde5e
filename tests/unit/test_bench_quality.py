"""What `python -m bench.quality` rests on: NAB's score, the streams, and fresh results."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from bench import quality, quality_tables
from bench.quality_methods import error_alarms, on_errors, on_readings, pipeline_alarms
from bench.quality_nab import SHIPPED, normalised, raw_score, read_series, scaled_sigmoid
from bench.quality_streams import AFTER, CHANGES, SENSORS, Sensor, changed, error_streams
from schemas.settings import load_settings
from streams.backtest import Backtest
from streams.comparison import METHODS
from streams.windows import Window
from tests.brokers import ROOT

MINUTE = 60_000_000
TIMES = [MINUTE * n for n in range(10_000)]
WINDOW = Window(TIMES[5000], TIMES[5999])
PAGE = ROOT / "docs" / "quality.md"
RESULTS = ROOT / "bench" / "quality.json"


# --- NAB's score -------------------------------------------------------------------------


def test_the_sigmoid_has_the_values_that_nab_names() -> None:
    assert scaled_sigmoid(-1.0) == pytest.approx(0.98661, abs=1e-5)
    assert scaled_sigmoid(-0.5) == pytest.approx(0.84828, abs=1e-5)
    assert scaled_sigmoid(0.0) == 0.0
    assert scaled_sigmoid(3.0) == -1.0


def test_a_window_counts_from_1_at_its_first_row_to_nearly_0_at_its_last() -> None:
    assert raw_score(TIMES, [WINDOW], [5000]) == 1.0
    middle, last = raw_score(TIMES, [WINDOW], [5500]), raw_score(TIMES, [WINDOW], [5999])
    assert middle == pytest.approx(0.84828 / 0.98661, abs=1e-4)
    assert 0 < last < 0.01


def test_only_the_first_alarm_in_a_window_counts() -> None:
    assert raw_score(TIMES, [WINDOW], [5900, 5000, 5000]) == 1.0


def test_a_missed_window_costs_1() -> None:
    assert raw_score(TIMES, [WINDOW], []) == -1.0


@pytest.mark.parametrize(("alarm", "cost"), [(800, 0.11), (4999, 0.11), (9999, 0.11)])
def test_an_alarm_far_from_the_end_of_a_window_costs_its_full_weight(
    alarm: int, cost: float
) -> None:
    assert raw_score(TIMES, [WINDOW], [alarm]) == pytest.approx(-1.0 - cost)


def test_an_alarm_right_behind_a_window_costs_less() -> None:
    assert raw_score(TIMES, [WINDOW], [6000]) == pytest.approx(-1.0, abs=0.001)
    width = 999
    behind = raw_score(TIMES, [WINDOW], [5999 + width])
    assert behind == pytest.approx(-1.0 - 0.11 * 0.98661, abs=1e-5)


def test_nothing_counts_in_the_first_15_percent_up_to_750_rows() -> None:
    assert raw_score(TIMES, [WINDOW], [0, 749]) == -1.0
    assert raw_score(TIMES, [WINDOW], [750]) == -1.11
    short = TIMES[:1000]
    assert raw_score(short, [], [149]) == 0.0
    assert raw_score(short, [], [150]) == -0.11
    assert raw_score(short, [Window(TIMES[10], TIMES[20])], [15]) == 0.0


def test_silence_is_0_and_perfection_100() -> None:
    windows = [Window(TIMES[2000], TIMES[2100]), WINDOW]
    assert normalised(raw_score(TIMES, windows, []), 2) == 0.0
    assert normalised(raw_score(TIMES, windows, [2000, 5000]), 2) == 100.0
    assert normalised(0.0, 0) is None


# --- series ------------------------------------------------------------------------------


def test_the_series_that_is_shipped_has_its_four_windows() -> None:
    (series,) = read_series(ROOT / SHIPPED)
    assert (series.name, len(series.times)) == ("machine_temperature_system_failure", 22_695)
    assert len(series.windows) == 4


def test_the_folders_of_the_benchmark_itself_are_read(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "data" / "real").mkdir(parents=True)
    (tmp_path / "data" / "real" / "press.csv").write_text("timestamp,value\n2026-01-05,1\n")
    (tmp_path / "data" / "real" / "other.csv").write_text("timestamp,value\n2026-01-05,1\n")
    (tmp_path / "labels" / "combined_windows.json").write_text('{"real/press.csv": []}')
    (series,) = read_series(tmp_path / "data")
    assert (series.name, series.values, series.windows) == ("press", [1.0], ())


def test_a_folder_without_windows_or_series_ends_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        quality.main(["--nab", str(tmp_path)])
    assert "no combined_windows.json or windows.json" in capsys.readouterr().err
    (tmp_path / "windows.json").write_text('{"press.csv": []}')
    with pytest.raises(SystemExit, match="2"):
        quality.main(["--nab", str(tmp_path)])
    assert "no CSV file of which the windows know" in capsys.readouterr().err


# --- streams -----------------------------------------------------------------------------


def test_the_error_streams_are_moas_with_the_options_of_the_paper() -> None:
    sudden, _, gradual, _ = error_streams()
    # MOA counts instances from 1; the change is at the 1,000th and at the 2,000th.
    assert (len(sudden.rates), sudden.change) == (1999, 999)
    assert (sudden.rates[998], sudden.rates[999]) == (0.2, 0.8)
    assert (len(gradual.rates), gradual.change) == (10_000, 1999)
    assert (gradual.rates[1998], gradual.rates[1999], gradual.rates[2000]) == (0.2, 0.2, 0.201)
    assert gradual.rates[2799] == pytest.approx(1.0)
    assert gradual.rates[-1] == 1.0


def test_a_binary_stream_is_drawn_at_its_rate_and_another_is_the_rate() -> None:
    binary, plain, *_ = error_streams()
    drawn = np.concatenate([binary.draw(np.random.default_rng(n)) for n in range(200)])
    assert set(np.unique(drawn)) == {0.0, 1.0}
    before = np.tile(np.arange(1999) < 999, 200)
    assert drawn[before].mean() == pytest.approx(0.2, abs=0.005)
    assert drawn[~before].mean() == pytest.approx(0.8, abs=0.005)
    assert plain.draw(np.random.default_rng(1)) is plain.rates


N = 200_000


def drawn(sensor: Sensor, level: float = 0.0, spread: float = 1.0) -> Any:
    return sensor.draw(np.random.default_rng(5), np.full(N, level), np.full(N, spread))


@pytest.mark.parametrize("sensor", SENSORS, ids=lambda sensor: sensor.name)
def test_a_level_is_in_standard_deviations_and_a_spread_keeps_the_mean(sensor: Sensor) -> None:
    calm = drawn(sensor)
    shift = (drawn(sensor, level=2.0).mean() - calm.mean()) / calm.std()
    # A lognormal's own standard deviation varies most from sample to sample.
    assert shift == pytest.approx(2.0, rel=0.05)
    wide = drawn(sensor, spread=math.sqrt(3.0))
    assert wide.var() / calm.var() == pytest.approx(3.0, rel=0.05)
    assert (wide.mean() - calm.mean()) / calm.std() == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("sensor", SENSORS, ids=lambda sensor: sensor.name)
def test_a_sensor_is_as_it_was_up_to_its_change(sensor: Sensor, change: str) -> None:
    values, at = changed(sensor, change, np.random.default_rng(3))
    again, there = changed(sensor, change, np.random.default_rng(3))
    assert at == there
    assert len(values) == at + AFTER
    np.testing.assert_array_equal(values, again)
    other, _ = changed(sensor, next(c for c in CHANGES if c != change), np.random.default_rng(3))
    assert not np.array_equal(values[at:], other[at:])
    if sensor.name != "Poisson(3)":  # numpy takes more or fewer random bits for another mean
        np.testing.assert_array_equal(values[:at], other[:at])


# --- methods -----------------------------------------------------------------------------


def shifted() -> list[float | None]:
    draw = random.Random(2)
    values: list[float | None] = [draw.gauss(20 if n < 700 else 24, 1) for n in range(6000)]
    values[300] = None
    return values


def test_ours_are_the_drift_events_of_a_backtest() -> None:
    values = shifted()
    backtest = Backtest(load_settings())
    expected: list[int] = []
    for n, value in enumerate(values):
        event = {"sensor_id": "sensor", "ts": 60 * n, "value": value}
        alerts = backtest.feed("sensors", orjson.dumps(event))
        expected += [n for alert in alerts if orjson.loads(alert)["kind"] == "drift"]
    assert expected
    assert pipeline_alarms(values) == expected


def test_every_method_is_there_and_the_dummy_raises_as_many_alarms_as_ours() -> None:
    found = on_readings(shifted())
    assert tuple(found) == METHODS
    assert len(found["evenly spaced"]) == len(found["driftline"]) > 0


def test_ddm_takes_binary_errors_only() -> None:
    assert on_errors([0.0, 1.0] * 50, binary=True)["ddm"] is not None
    assert on_errors([0.2] * 50, binary=False)["ddm"] is None


def test_an_error_that_falls_is_no_alarm_of_ours() -> None:
    assert error_alarms([0.8] * 1000 + [0.2] * 1000, binary=False) == []
    assert error_alarms([0.2] * 1000 + [0.8] * 1000, binary=False) != []


@pytest.mark.parametrize(
    ("alarms", "delay", "false"),
    [([], None, 0), ([99], None, 1), ([100], None, 1), ([101], 1, 0), ([50, 130, 900], 30, 2)],
)
def test_as_in_moa_the_first_alarm_after_the_change_finds_it_and_others_are_false(
    alarms: Sequence[int], delay: int | None, false: int
) -> None:
    found = quality.first_counts(100, 1000, alarms)
    assert [d and d.events for d in found.delays] == [delay]
    assert found.false_alarms == false


# --- the program and its page ------------------------------------------------------------


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("quality")
    page, results = folder / "page.md", folder / "results.json"
    page.write_text("before\n<!-- begin quality-f1 -->\nold\n<!-- end quality-f1 -->\nafter\n")
    nab = str(ROOT / SHIPPED)
    done = quality.main(["--small", "--nab", nab, "--json", str(results), "--page", str(page)])
    assert done == 0
    return page, results


def test_the_program_writes_results_and_the_tables_of_a_page(measured: tuple[Path, Path]) -> None:
    page, results = measured
    lines = page.read_text().splitlines()
    assert lines[:2] == ["before", "<!-- begin quality-f1 -->"]
    assert lines[-2:] == ["<!-- end quality-f1 -->", "after"]
    assert [line.split("|")[1].strip() for line in lines[4:-2]] == [s.name for s in SENSORS]
    raw = json.loads(results.read_text())
    assert raw["versions"]["river"]
    delays = raw["sensors"]["streams"][0]["methods"]["driftline"]["delays"]
    assert len(delays) == quality.SMALL_RUNS


def test_the_first_runs_are_those_of_the_results_that_are_kept(measured: tuple[Path, Path]) -> None:
    """If this fails, detection has changed: run it again, as docs/quality.md says."""
    small, kept = json.loads(measured[1].read_text()), json.loads(RESULTS.read_text())
    for stream, whole in zip(small["sensors"]["streams"], kept["sensors"]["streams"], strict=True):
        for name, found in stream["methods"].items():
            for counts in ("delays", "false_by_run"):
                runs = found[counts]
                assert whole["methods"][name][counts][: len(runs)] == runs, (stream, name)
    for series, methods in small["nab"]["series"].items():
        assert kept["nab"]["series"][series] == methods


def test_the_tables_of_the_page_are_those_of_the_results_that_are_kept() -> None:
    page = PAGE.read_text()
    made = quality_tables.tables(json.loads(RESULTS.read_text()))
    assert quality_tables.put(page, made) == page
    assert all(f"<!-- begin quality-{name} -->" in page for name in made)
