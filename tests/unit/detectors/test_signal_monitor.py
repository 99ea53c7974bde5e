"""One signal of one sensor: learned, watched, explained."""

from __future__ import annotations

import math
import pickle
import random
from collections.abc import Iterable
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.defaults import DETECTORS, with_defaults
from detectors.signal import Caution, Finding, Position, SignalMonitor
from schemas.errors import ConfigurationError

VALUE = with_defaults(DETECTORS["value"])
ERROR = with_defaults(DETECTORS["error"])
BITS = with_defaults(DETECTORS["error"], scaled=False)
DDM_OF_RIVER: tuple[tuple[str, dict[str, Any]], ...] = (("ddm", {}),)


def _monitor(**changed: Any) -> SignalMonitor:
    arguments: dict[str, Any] = {"detectors": VALUE, "warmup": 100, **changed}
    return SignalMonitor(**arguments)


def _at(i: int) -> Position:
    return Position(offset=1000 + i, ts=1_000_000 * i)


def _feed(monitor: SignalMonitor, values: Iterable[float]) -> list[tuple[int, Finding]]:
    return [(i, finding) for i, x in enumerate(values) for finding in monitor.update(x, _at(i))]


def _drifts(found: list[tuple[int, Finding]]) -> list[int]:
    return [i for i, finding in found if finding.kind == "drift"]


def _normal(n: int, mean: float = 20.0, std: float = 1.0, seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    return [rng.gauss(mean, std) for _ in range(n)]


def _errors(n: int, size: float = 1.0, seed: int = 1) -> list[float]:
    return [abs(x) for x in _normal(n, 0.0, size, seed)]


def _bits(n: int, rate: float, seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    return [float(rng.random() < rate) for _ in range(n)]


# What is normal


def test_the_warm_up_finds_nothing_and_then_there_is_a_reference() -> None:
    monitor = _monitor()
    values = _normal(50) + _normal(49, mean=24.0)
    assert _feed(monitor, values) == []
    assert monitor.reference is None
    monitor.update(20.0, _at(99))
    assert monitor.reference is not None
    assert monitor.reference.n == 100


def test_wild_values_of_the_warm_up_are_counted() -> None:
    monitor = _monitor()
    _feed(monitor, [1e9, *_normal(98), -1e300])
    assert monitor.outliers_in_warmup == 2
    assert monitor.reference is not None
    assert monitor.reference.mean == pytest.approx(20, abs=0.5)


def test_a_limit_for_the_model_stands_once_there_is_a_reference() -> None:
    monitor = _monitor()
    assert monitor.clip(1e9) == 1e9
    _feed(monitor, _normal(100))
    assert 30 < monitor.clip(1e9) < 60
    assert -20 < monitor.clip(-1e9) < 10
    assert monitor.clip(20.5) == 20.5
    assert monitor.clip(1e9, sigmas=1.0) < 25


# What is found


@pytest.mark.parametrize(("step", "direction"), [(2.0, "up"), (-2.0, "down")])
def test_a_shift_is_found_with_its_direction_date_and_sides(
    step: float, direction: Literal["up", "down"]
) -> None:
    found = _feed(_monitor(), _normal(600) + _normal(300, mean=20.0 + step, seed=2))
    (i, finding), *_ = found
    assert 600 < i < 700
    assert finding.detector == "page-hinkley"
    assert finding.kind == "drift"
    assert finding.direction == direction
    assert finding.change_point.offset == pytest.approx(1600, abs=10)
    assert finding.change_point.ts == 1_000_000 * (finding.change_point.offset - 1000)
    assert finding.before is not None
    assert finding.after is not None
    assert finding.before.mean == pytest.approx(20, abs=0.2)
    assert finding.before.std == pytest.approx(1, abs=0.2)
    assert finding.after.mean == pytest.approx(20 + step, abs=0.5)
    assert finding.before.n + finding.after.n == i + 1
    assert finding.score is not None
    assert finding.threshold is not None
    assert finding.score > finding.threshold


def test_the_sides_are_in_the_signals_own_unit_however_far_it_jumps() -> None:
    (_, finding), *_ = _feed(_monitor(), _normal(300) + _normal(300, mean=5e6, seed=2))
    assert finding.after is not None
    assert finding.after.mean == pytest.approx(5e6, rel=1e-3)


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e12])
@pytest.mark.parametrize("offset", [0.0, 20.0, 1e4])
def test_the_unit_of_a_signal_does_not_matter(unit: float, offset: float) -> None:
    values = _normal(500, 0.0) + _normal(300, 1.5, seed=2)
    expected = _drifts(_feed(_monitor(), values))
    assert expected
    assert _drifts(_feed(_monitor(), [unit * (x + offset) for x in values])) == expected


def test_what_follows_a_drift_is_the_new_normal() -> None:
    monitor = _monitor()
    found = _feed(monitor, _normal(500) + _normal(3000, mean=30.0, std=4.0, seed=2))
    assert len(_drifts(found)) == 1
    assert monitor.reference is not None
    assert monitor.reference.mean == pytest.approx(30, abs=1.5)


def test_a_change_right_after_the_warm_up_is_found() -> None:
    found = _drifts(_feed(_monitor(), _normal(110) + _normal(300, mean=23.0, seed=2)))
    assert found
    assert found[0] < 200


def test_reset_makes_it_as_new() -> None:
    values = _normal(500) + _normal(200, mean=25.0, seed=2)
    monitor = _monitor()
    first = _feed(monitor, values)
    monitor.reset()
    assert monitor.reference is None
    assert _feed(monitor, values) == first != []


def test_a_doubled_error_is_found() -> None:
    monitor = _monitor(detectors=ERROR, alarm_on="up")
    found = _drifts(_feed(monitor, _errors(1000) + _errors(500, size=2.0, seed=2)))
    assert found
    assert 1000 < found[0] < 1200


def test_a_falling_error_is_learning_and_no_finding() -> None:
    values = _errors(600, size=5.0) + _errors(600, size=0.5, seed=2)
    monitor = _monitor(detectors=ERROR, alarm_on="up")
    assert _feed(monitor, values) == []
    assert monitor.reference is not None
    assert monitor.reference.mean < 1  # it took the better level as the new normal
    both = _feed(_monitor(detectors=ERROR, alarm_on="both"), values)
    assert {finding.direction for _, finding in both} == {"down"}


def test_each_detector_is_told_of_once_and_a_warning_when_it_begins() -> None:
    detectors = [("ddm", {"warning_threshold": 2.0, "drift_threshold": 6.0}), *VALUE]
    monitor = _monitor(detectors=detectors)
    found = _feed(monitor, _normal(800) + _normal(400, mean=20.7, seed=2))
    kinds = [finding.kind for _, finding in found if finding.detector == "ddm"]
    assert kinds[:1] == ["warning"]
    assert len([kind for kind in kinds if kind == "warning"]) <= 3
    for x in range(1200):
        names = [finding.detector for i, finding in found if i == x]
        assert len(names) == len(set(names))


# What is not


def test_no_default_detector_alarms_on_a_stationary_signal() -> None:
    rng = random.Random(5)
    streams = [
        _normal(5000),
        _normal(5000, 1000.0, 0.01),
        [rng.lognormvariate(0, 1) for _ in range(5000)],
        [7.0] * 5000,
        _bits(5000, 0.3),
    ]
    for values in streams:
        assert _drifts(_feed(_monitor(), values)) == []
        assert _drifts(_feed(_monitor(detectors=ERROR, alarm_on="up"), values)) == []


@pytest.mark.parametrize("wild", [1e6, -1e6, 1e100, 1e300, math.inf, -math.inf])
def test_a_single_wild_value_is_no_drift_and_blinds_nothing(wild: float) -> None:
    values = [*_normal(400), wild, *_normal(300, seed=2), *_normal(200, mean=22.0, seed=3)]
    for detectors in (VALUE, ERROR):
        found = _feed(_monitor(detectors=detectors), values)
        drifts = _drifts(found)
        assert drifts
        assert drifts[0] > 701
        finding = dict(found)[drifts[0]]
        assert finding.before is not None
        assert finding.before.mean == pytest.approx(20, abs=0.5)


def test_nan_is_left_out() -> None:
    values = _normal(500) + _normal(200, mean=25.0, seed=2)
    clean, holed = _monitor(), _monitor()
    for i, x in enumerate(values):
        assert holed.update(math.nan, _at(i)) == ()
        assert holed.update(x, _at(i)) == clean.update(x, _at(i))


def test_a_drift_to_infinity_is_found_all_the_same() -> None:
    found = _feed(_monitor(), _normal(300) + [math.inf] * 50)
    assert found[0][1].direction == "up"
    assert found[0][1].after is not None
    assert math.isfinite(found[0][1].after.mean)
    assert math.isfinite(found[0][1].after.std)


# Signals of bits


def test_bits_need_no_warm_up() -> None:
    missing = with_defaults(DETECTORS["missing"], scaled=False)
    monitor = _monitor(detectors=missing, scaled=False)
    found = _feed(monitor, [0.0] * 200 + [1.0] * 64)
    assert found[0][0] < 264
    assert found[0][1].direction == "up"
    assert found[0][1].change_point == _at(200)
    assert found[0][1].before is not None
    assert found[0][1].before.mean == 0
    assert monitor.reference is None
    assert monitor.clip(5.0) == 5.0


def test_one_error_after_a_thousand_right_answers_is_no_drift() -> None:
    for detectors in (BITS, DDM_OF_RIVER):
        monitor = _monitor(detectors=detectors, scaled=False)
        assert _feed(monitor, [0.0] * 1000 + [1.0] + [0.0] * 500) == []


def test_the_end_of_a_thousand_right_answers_is_a_drift() -> None:
    for detectors in (BITS, DDM_OF_RIVER):
        monitor = _monitor(detectors=detectors, scaled=False)
        found = _drifts(_feed(monitor, [0.0] * 1000 + _bits(200, 0.6)))
        assert found
        assert found[0] < 1050


def test_a_value_that_is_no_bit_does_not_reach_a_detector_of_bits() -> None:
    monitor = _monitor(detectors=BITS, scaled=False)
    assert _feed(monitor, [0.5, 0.25, 2.0, -1.0] * 100) == []


# Cost, copies, configuration


@pytest.mark.parametrize(("detectors", "scaled"), [(VALUE, True), (ERROR, True), (BITS, False)])
def test_its_memory_is_bounded(detectors: Any, scaled: bool) -> None:
    monitor = _monitor(detectors=detectors, scaled=scaled)
    _feed(monitor, _errors(20_000) if scaled else _bits(20_000, 0.1))
    assert len(pickle.dumps(monitor, protocol=5)) < 6_000


@given(seed=st.integers(0, 2**32), cut=st.integers(0, 700), scaled=st.booleans())
@settings(max_examples=25, deadline=None)
def test_a_pickled_copy_goes_on_as_the_original_would(seed: int, cut: int, scaled: bool) -> None:
    detectors = [
        ("adwin", {"delta": 0.05}),
        ("ddm", {"warm_start": 20, "warning_threshold": 1.0, "drift_threshold": 2.0}),
        ("page-hinkley", {"threshold": 10.0, "min_instances": 5}),
    ]
    original = SignalMonitor(detectors, warmup=50, scaled=scaled)
    rng = random.Random(seed)
    values = _bits(400, rng.random(), seed) + _bits(300, rng.random(), seed + 1)
    if scaled:
        values = [x + rng.gauss(0, 0.3) for x in values]
    _feed(original, values[:cut])
    copy = pickle.loads(pickle.dumps(original, protocol=5))
    assert _feed(copy, values[cut:]) == _feed(original, values[cut:])
    assert copy.reference == original.reference


@given(st.lists(st.floats(width=64), max_size=300))
@settings(max_examples=50, deadline=None)
def test_no_number_makes_it_fail(values: list[float]) -> None:
    monitor = SignalMonitor(ERROR, warmup=10)
    for _, finding in _feed(monitor, values * 3):
        for side in (finding.before, finding.after):
            assert side is None or (math.isfinite(side.mean) and side.std >= 0)


def test_what_can_not_be_built_is_refused_in_words() -> None:
    with pytest.raises(ConfigurationError, match="adwin once"):
        SignalMonitor([("adwin", {}), ("adwin", {"delta": 0.1})], warmup=100)
    with pytest.raises(ConfigurationError, match="warmup"):
        SignalMonitor(VALUE, warmup=3)
    with pytest.raises(ConfigurationError, match="did you mean"):
        SignalMonitor([("adwinn", {})], warmup=100)


def test_without_detectors_it_still_learns_what_is_normal() -> None:
    monitor = SignalMonitor([], warmup=20)
    assert _feed(monitor, _normal(50)) == []
    assert monitor.reference is not None


def test_a_warning_in_a_cautious_time_changes_nothing() -> None:
    """A time of day must not make what is normal be learned anew at each warning."""
    monitor = _monitor(detectors=with_defaults(["ddm"]))
    rng = random.Random(2)
    for n in range(1000):
        monitor.update(rng.gauss(0.0, 1.0), _at(n))
    before = monitor.measure
    n = 1000
    while not any(d.warning_detected for d in monitor.detectors):
        monitor.update(rng.gauss(1.0, 1.0), _at(n), Caution.ALL)
        n += 1
    assert monitor.measure is before


def test_half_a_wave_that_comes_back_is_no_step() -> None:
    told = 0
    for seed in range(10):
        monitor, rng = _monitor(calibrated=("page-hinkley",)), random.Random(seed)
        for n in range(1300):
            wave = 3.0 * math.sin(math.pi * (n - 100) / 720) if n >= 100 else 0.0
            at = Position(n, n * 60_000_000)
            told += bool(monitor.update(rng.gauss(20.0 + wave, 1.0), at, Caution.STEPS))
            if monitor.due:
                monitor.calibrate(1e-5)
    assert told <= 2
