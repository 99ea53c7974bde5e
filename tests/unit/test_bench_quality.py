"""What `python -m bench.quality` rests on: NAB's score, the streams, and fresh results."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import orjson
import pytest
from river.naive_bayes import GaussianNB

from bench import annotated, concepts, conformance, quality, quality_tables
from bench.concepts import first_of_each
from bench.drawn import STREAMS
from bench.naive_bayes import NaiveBayes
from bench.quality_methods import error_alarms, on_errors, on_readings, pipeline_alarms, rivers
from bench.quality_nab import (
    PROFILES,
    SHIPPED,
    normalised,
    raw_score,
    read_series,
    scaled_sigmoid,
)
from bench.quality_streams import error_streams
from detectors import NAMES
from schemas.settings import load_settings
from streams.backtest import Backtest
from streams.comparison import METHODS, baselines
from streams.windows import Window
from tests.brokers import ROOT
from tests.moa.cases import CASES

# The program itself runs once: half a minute on two cores that do nothing else.
pytestmark = pytest.mark.timeout(900)

MINUTE = 60_000_000
TIMES = [MINUTE * n for n in range(10_000)]
WINDOW = Window(TIMES[5000], TIMES[5999])
PAGES = (ROOT / "docs" / "quality.md", ROOT / "docs" / "detection-quality.md")
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


def test_a_profile_says_what_is_false_and_what_is_missed_cost() -> None:
    both = [raw_score(TIMES, [WINDOW], [800], profile) for profile in PROFILES.values()]
    assert list(PROFILES) == ["standard", "low FP", "low FN"]
    assert both == pytest.approx([-1.11, -1.22, -2.11])
    for profile in PROFILES.values():
        assert normalised(raw_score(TIMES, [WINDOW], [], profile), 1, profile) == 0.0
        assert normalised(raw_score(TIMES, [WINDOW], [5000], profile), 1, profile) == 100.0


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


def test_rivers_detectors_are_those_that_a_backtest_compares_with() -> None:
    values = [x for x in shifted() if x is not None][:3000]
    for bits in (values, [float(x > 22) for x in values]):
        found = rivers(bits)
        assert found == {name: baselines(name, {"": list(bits)}) for name in METHODS[1:-1]}
        assert any(found.values())


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
    found = first_of_each([100], 1000, alarms)
    assert [d and d.events for d in found.delays] == [delay]
    assert found.false_alarms == false


# --- concepts ----------------------------------------------------------------------------


def test_of_several_changes_each_is_found_by_the_first_alarm_before_the_next() -> None:
    found = first_of_each([100, 200], 300, [50, 130, 140, 200, 250])
    assert [d and d.events for d in found.delays] == [30, 50]
    # 200 still belongs to the first of both.
    assert found.false_alarms == 3


@pytest.mark.parametrize("kind", concepts.WIDTHS)
@pytest.mark.parametrize("name", concepts.STREAMS)
def test_a_concept_changes_four_times_at_equal_distances(name: str, kind: str) -> None:
    n = 5000
    drawn = list(concepts.items(name, kind, 3, n))
    assert len(drawn) == n
    assert drawn == list(concepts.items(name, kind, 3, n))
    never, right = concepts.run(name, concepts.NEVER, [(list(x.values()), y) for x, y in drawn])
    assert never == []
    assert 0.3 < right / n < 0.95


def test_a_sudden_change_is_where_it_is_said_to_be() -> None:
    drawn = list(concepts.items("STAGGER", "sudden", 1, 1000))
    small_and_red = [int(x["size"] == 0 and x["color"] == 0) for x, _ in drawn]
    same = [made == y for made, (_, y) in zip(small_and_red, drawn, strict=True)]
    assert all(same[:195])
    assert not all(same[205:400])


def test_a_classifier_is_replaced_where_its_errors_drift() -> None:
    drawn = [(list(x.values()), y) for x, y in concepts.items("STAGGER", "sudden", 1, 5000)]
    replaced, right = concepts.run("STAGGER", "driftline", drawn)
    assert len([index for index in replaced if index > 1000]) >= 3
    assert right > concepts.run("STAGGER", concepts.NEVER, drawn)[1]


def test_naive_bayes_on_numbers_is_rivers() -> None:
    ours, rivers = NaiveBayes({}), GaussianNB()
    same = 0
    drawn = list(concepts.items("RANDOM RBF", "sudden", 1, 2000))
    for x, y in drawn:
        same += ours.predict(list(x.values())) == rivers.predict_one(x)
        ours.learn(list(x.values()), y)
        rivers.learn_one(x, y)
    # River divides squared deviations by one less.
    assert same >= 0.98 * len(drawn)


def test_naive_bayes_on_names_is_laplaces_estimate() -> None:
    model = NaiveBayes({0: 3})
    assert model.predict(["a"]) is None
    for name, y in (("a", 1), ("a", 1), ("b", 0)):
        model.learn([name], y)
    # 2/3 * 3/5 against 1/3 * 1/4, and 2/3 * 1/5 against 1/3 * 2/4.
    assert [model.predict([name]) for name in ("a", "b", "c")] == [1, 0, 1]


# --- annotated series --------------------------------------------------------------------


def test_nothing_found_counts_the_beginning_that_everybody_marks() -> None:
    found = annotated.f1({"1": [50], "2": []}, [])
    assert (found["precision"], found["recall"]) == (1.0, 0.75)
    assert found["f1"] == pytest.approx(2 * 0.75 / 1.75)


@pytest.mark.parametrize(("place", "hits"), [(44, 0), (45, 1), (55, 1), (56, 0)])
def test_a_change_point_counts_within_five_observations(place: int, hits: int) -> None:
    found = annotated.f1({"1": [50]}, [place])
    assert found["precision"] == pytest.approx((1 + hits) / 2)
    assert found["recall"] == pytest.approx((1 + hits) / 2)


def test_a_change_point_that_is_found_twice_counts_once() -> None:
    found = annotated.f1({"1": [50]}, [49, 51])
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["recall"] == 1.0


def test_annotations_are_of_the_rows_that_are_taken() -> None:
    sizes = {series.name: len(annotated.rows_of(series)) for series in annotated.SERIES}
    assert sizes == {
        "AirlinePassengers": 468,
        "Apple": 623,
        "BrentSpotPrice": 500,
        "Occupancy": 509,
        "RunLog": 376,
        "UKCoalEmploy": 105,
    }


# --- the program and its page ------------------------------------------------------------


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("quality")
    page, results = folder / "page.md", folder / "results.json"
    place = "<!-- {} quality-nab-series -->"
    page.write_text(f"before\n{place.format('begin')}\nold\n{place.format('end')}\n")
    nab = str(ROOT / SHIPPED)
    done = quality.main(["--small", "--nab", nab, "--json", str(results), "--page", str(page)])
    assert done == 0
    return page, results


def test_the_program_writes_results_and_the_tables_of_a_page(measured: tuple[Path, Path]) -> None:
    page, results = measured
    lines = page.read_text().splitlines()
    assert lines[:2] == ["before", "<!-- begin quality-nab-series -->"]
    assert lines[-1] == "<!-- end quality-nab-series -->"
    assert [line.split("|")[1].strip() for line in lines[4:-1]] == [f"`{quality.LOOKED_AT}`"]
    raw = json.loads(results.read_text())
    assert raw["versions"]["river"]
    assert [row["stream"] for row in raw["stationary"]] == [stream.name for stream in STREAMS]


def test_the_first_runs_are_those_of_the_results_that_are_kept(measured: tuple[Path, Path]) -> None:
    """If this fails, detection has changed: run it again, as docs/quality.md says."""
    small, kept = json.loads(measured[1].read_text()), json.loads(RESULTS.read_text())
    for row, whole in zip(small["changes"], kept["changes"], strict=True):
        for name, found in row["methods"].items():
            for what in ("delays", "false_by_run"):
                runs = found[what]
                assert whole["methods"][name][what][: len(runs)] == runs, (row["stream"], name)
    for series, methods in small["nab"]["series"].items():
        assert kept["nab"]["series"][series] == methods
    assert small["annotated"] == kept["annotated"]


def test_one_part_alone_keeps_the_others(measured: tuple[Path, Path], tmp_path: Path) -> None:
    kept = json.loads(measured[1].read_text())
    file = tmp_path / "results.json"
    file.write_text(json.dumps({**kept, "annotated": None, "nab": {"groups": {}, "series": {}}}))
    arguments = ["--only", "annotated", "--small", "--json", str(file)]
    assert quality.main([*arguments, "--nab", str(ROOT / SHIPPED)]) == 0
    found = json.loads(file.read_text())
    assert found["annotated"] == kept["annotated"]
    assert found["nab"] == {"groups": {}, "series": {}}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tables_of_a_page_are_those_of_the_results_that_are_kept(page: Path) -> None:
    text = page.read_text()
    made = quality.tables(json.loads(RESULTS.read_text()))
    assert quality_tables.put(text, made) == text


def test_every_table_has_a_place_in_one_page() -> None:
    places = "".join(page.read_text() for page in PAGES)
    for name in quality.tables(json.loads(RESULTS.read_text())):
        assert places.count(f"<!-- begin quality-{name} -->") == 1


# --- conformance -------------------------------------------------------------------------


def test_a_row_of_conformance_counts_the_streams_on_which_every_index_is_the_same() -> None:
    case = next(case for case in CASES if case.moa == "HDDM_A_Test")
    row = conformance.row(case, 1)
    assert (row["streams"], row["same_as_river"]) == (3, 3)
    assert 0 < row["same_as_moa"] < 3
    assert row["changes"] > row["moas_changes"] > 0


def test_what_the_page_says_is_the_same_is_the_same_on_every_stream() -> None:
    rows = json.loads(RESULTS.read_text())["conformance"]
    assert {row["detector"] for row in rows} == set(NAMES)
    for row in rows:
        assert row["same_as_river"] in (None, row["streams"])
        if row["moa"] and not row["why"]:
            assert row["same_as_moa"] == row["streams"]
        elif row["moa"]:
            assert row["same_as_moa"] < row["streams"]
