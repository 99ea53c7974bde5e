"""A sweep runs a backtest for each combination of values, and ranks what they came to."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Sequence
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.errors import ConfigurationError, DriftlineError
from schemas.settings import SensorSettings, Settings, load_settings
from streams.backtest import Backtest
from streams.comparison import Recording
from streams.files import Columns
from streams.scoring import Delay, Score
from streams.sweep import (
    SECTIONS,
    Data,
    Outcome,
    _deaf_to_ctrl_c,
    best_first,
    combinations,
    configuration,
    parse,
    read_spec,
    run,
)
from streams.windows import Window
from tests.pipelines import START, reading

SECOND = 1_000_000


def spec(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "spec.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a.b=50,100,200", (50, 100, 200)),
        ("a.b = 1e-5, 0.5", (1e-5, 0.5)),
        ("a.b=true,false", (True, False)),
        ("a.b=background,fresh", ("background", "fresh")),
        (
            'a.b=["page-hinkley"],["page-hinkley","kswin"]',
            (["page-hinkley"], ["page-hinkley", "kswin"]),
        ),
        ("a.b=7", (7,)),
    ],
)
def test_values_are_json_where_all_of_them_are_and_text_otherwise(
    text: str, values: Sequence[Any]
) -> None:
    assert parse([text]) == {"a.b": values}


@pytest.mark.parametrize("text", ["a.b", "=1,2", "a.b=", "a.b= "])
def test_what_is_no_list_of_values_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--vary: .* expected KEY=VALUE,VALUE"):
        parse([text])


def test_a_key_that_comes_twice_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="--vary: 'a' is not allowed: expected each key"):
        parse(["a=1", "a=2"])


def test_a_spec_is_a_configuration_with_lists_of_values(tmp_path: Path) -> None:
    text = 'detectors.warmup = [50, 100]\n[detectors.params.page-hinkley]\n"threshold" = [35.0]\n'
    assert read_spec(spec(tmp_path, text)) == {
        "detectors.warmup": (50, 100),
        "detectors.params.page-hinkley.threshold": (35.0,),
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = ", "--sweep: '.*spec.toml' is not allowed: expected TOML"),
        ("a.b = 5", "--sweep: a.b: 5 is not allowed: expected a list of the values to try"),
        ("a.b = []", "--sweep: a.b: .* expected a list of the values to try"),
        ("", "expected at least one key with a list of values"),
    ],
)
def test_a_spec_without_values_is_refused(tmp_path: Path, text: str, line: str) -> None:
    with pytest.raises(ConfigurationError, match=line):
        read_spec(spec(tmp_path, text))


def test_a_spec_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"--sweep: .* expected a TOML file that can be"):
        read_spec(tmp_path / "none.toml")


def test_every_value_of_one_key_meets_every_value_of_the_others() -> None:
    varied = {"detectors.warmup": (50, 60), "episodes.quiet_events": (1, 2, 3)}
    made = combinations(varied, None, {"learner.lags": "2"})
    assert [tuple(values.values()) for values, _ in made] == [
        (50, 1), (50, 2), (50, 3), (60, 1), (60, 2), (60, 3)
    ]  # fmt: skip
    for values, settings in made:
        assert settings.detectors.warmup == values["detectors.warmup"]
        assert settings.episodes.quiet_events == values["episodes.quiet_events"]
        assert settings.learner.lags == 2


def test_everything_that_says_how_drift_is_found_can_be_varied() -> None:
    per_sensor = set(SensorSettings.model_fields) - {"policy"}
    assert set(SECTIONS) == per_sensor | {"fleet", "maintenance", "sensors"}
    for name in per_sensor | {"fleet"}:
        key = next(iter(Settings.model_fields[name].annotation.model_fields))  # type: ignore[union-attr]
        default = getattr(getattr(Settings(), name), key)
        assert len(combinations({f"{name}.{key}": (default,)}, None, {})) == 1
    window = {"match": "press-*", "from": "2026-01-05T12:00:00Z", "until": "2026-01-05T13:00:00Z"}
    made = combinations({"maintenance": ([], [window])}, None, {})
    assert [len(settings.maintenance) for _, settings in made] == [0, 1]


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("detectors.warmpu", 50, "detectors.warmpu is not a known key: did you mean .*warmup"),
        ("detectors.warmup", 5, "detectors.warmup: 5 is not allowed: expected a whole number of"),
        ("detectors.params.page-hinkley.threshold", "x", "page-hinkley.threshold: 'x' is not"),
        ("detectors.params.page-hinkley.treshold", 1, "did you mean .*page-hinkley.threshold"),
        ("http.port", 0, "http.port: to vary it is not allowed: expected a key of learner, labels"),
        ("policy.margin", 0, "policy.margin: to vary it is not allowed: expected a key of learner"),
    ],
)
def test_a_combination_that_cannot_be_is_refused_before_any_is_run(
    key: str, value: object, line: str
) -> None:
    with pytest.raises(ConfigurationError, match=line):
        combinations({"learner.lags": (1, 2), key: (value,)}, None, {})


def outcome(place: int, hits: int, false_alarms: int, delay: int = 5) -> Outcome:
    delays = [Delay(delay, float(delay))] * hits + [None] * (4 - hits)
    score = Score(1000, 900, 900.0, hits + false_alarms, false_alarms, tuple(delays))
    return Outcome(place, {"detectors.warmup": 10 * place}, score, 0.1, True)


def test_the_best_has_the_highest_f1_then_the_fewest_false_alarms_then_the_shortest_delay() -> None:
    ranked = [
        outcome(9, hits=4, false_alarms=0),
        outcome(8, hits=3, false_alarms=1, delay=2),
        outcome(6, hits=3, false_alarms=1, delay=5),
        outcome(7, hits=3, false_alarms=1, delay=5),
        outcome(5, hits=3, false_alarms=9),
        outcome(3, hits=0, false_alarms=0),
        outcome(4, hits=0, false_alarms=1),
    ]
    assert best_first(reversed(ranked)) == ranked


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    draw = random.Random(3)
    path = tmp_path_factory.mktemp("data") / "press.jsonl"
    lines = [reading(value=draw.gauss(20 if n < 400 else 24, 1), n=n) for n in range(600)]
    path.write_bytes(b"\n".join([*lines, b"no message", b""]))
    windows = {"press-7": (Window((START + 400) * SECOND, (START + 500) * SECOND),)}
    return Data(str(path), None, Columns(), windows)


def test_a_combination_comes_to_what_a_backtest_with_its_settings_comes_to(data: Data) -> None:
    made = combinations({"detectors.params.page-hinkley.threshold": (20.0, 500.0)}, None, {})
    found = {found.place: found for found in run(data, made)}
    assert sorted(found) == [0, 1]
    for place, (values, settings) in enumerate(made):
        backtest = Backtest(settings)
        recording = Recording(data.windows, readings=False)
        for line in Path(data.file).read_bytes().splitlines()[:-1]:
            recording.add(line)
            for alert in backtest.feed("sensors", line):
                recording.note(orjson.loads(alert))
        alone = recording.method("driftline", recording.alarms)
        assert found[place].values == values
        assert found[place].score == alone.total
        assert (found[place].dummy_f1, found[place].beats_dummy) == (
            alone.dummy_f1(),
            alone.beats_dummy(),
        )
    assert found[0].score.hits == 1
    assert found[0].score != found[1].score


def test_a_process_that_is_killed_is_told_with_the_remedy(data: Data) -> None:
    made = combinations({"detectors.warmup": tuple(range(50, 150))}, None, {})
    others = active_children()
    outcomes = run(data, made)
    next(outcomes)
    for process in active_children():
        if process not in others:
            process.kill()
    with pytest.raises(DriftlineError, match="was killed, most likely for want of memory: run it"):
        list(outcomes)


def test_ctrl_c_that_another_thread_takes_waits_until_the_processes_have_started() -> None:
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    started: list[str] = []

    def start_while_it_comes() -> None:
        with _deaf_to_ctrl_c():
            # This thread has it masked, so the kernel gives it to the other one.
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)
            started.append("all")

    other.start()
    answer = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(KeyboardInterrupt):
            start_while_it_comes()
    finally:
        done.set()
        other.join()
    assert started == ["all"]
    assert signal.getsignal(signal.SIGINT) is answer


def test_a_sweep_that_nobody_waits_for_leaves_no_process_behind(data: Data) -> None:
    made = combinations({"detectors.warmup": tuple(range(50, 150))}, None, {})
    others = active_children()
    outcomes = run(data, made)
    next(outcomes)
    outcomes.close()
    assert active_children() == others


def test_a_configuration_that_is_written_is_the_same_when_it_is_read(tmp_path: Path) -> None:
    given = {
        "detectors.value": ["page-hinkley", "kswin"],
        "detectors.params.kswin.alpha": 1e-05,
        "learner.model": {"class": "river.time_series.HoltWinters", "params": {"alpha": 0.3}},
        "hygiene.range": {"value": [-40, 125], "feature:Wärme *": [0, 1]},
        "sensors": [{"match": 'a "press"', "detectors": {"value": None, "warmup": 50}}],
        "maintenance": [
            {"match": "*", "from": "2026-01-05T12:00:00Z", "until": "2026-01-05T13:00:00Z"}
        ],
    }
    settings = load_settings(None, given)
    path = tmp_path / "written.toml"
    path.write_text(configuration(settings), encoding="utf-8")
    read = load_settings(path)
    assert read.sensors[0].detectors == {"warmup": 50}
    for section in set(SECTIONS) - {"sensors"}:
        assert getattr(read, section) == getattr(settings, section)


def test_no_broker_and_no_secret_is_written() -> None:
    given = {"kafka.sasl_password": "hush", "http.port": 0, "detectors.warmup": 50}
    assert configuration(load_settings(None, given)) == "[detectors]\nwarmup = 50\n"
