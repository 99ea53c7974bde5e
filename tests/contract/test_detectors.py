"""What holds for every detector. A new one is found here by itself."""

from __future__ import annotations

import math
import pickle
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import NAMES, Detector, create, parameters
from detectors.base import LARGEST, Allowed
from detectors.registry import classes
from schemas.errors import ConfigurationError, OutOfDomain

every_detector = pytest.mark.parametrize("name", NAMES)

# Quick to alarm, so that short streams reach every part of a detector.
EAGER: dict[str, dict[str, Any]] = {
    "adwin": {"delta": 0.5, "clock": 1},
    "cusum": {"warm_start": 5, "h": 3.0},
    "ddm": {"warm_start": 3},
    "eddm": {"warm_start": 3},
    "hddm-a": {"drift_confidence": 0.2, "warning_confidence": 0.5},
    "hddm-w": {"drift_confidence": 0.2, "warning_confidence": 0.5},
    "kswin": {"window_size": 20, "stat_size": 10, "alpha": 0.05},
    "page-hinkley": {"min_instances": 3, "threshold": 3.0},
}
"""A detector that is not named here is tried with its defaults."""

NOT_A_NUMBER_IN_RANGE = [math.nan, math.inf, -math.inf, 1e101, -1e300, 10**400]


def _eager(name: str) -> Detector:
    return create(name, **EAGER.get(name, {}))


def _stream(name: str, seed: int, n: int) -> list[float]:
    rng = random.Random(seed)
    values: list[float] = []
    while len(values) < n:
        if create(name).domain == "bit":
            rate = rng.choice([0.0, 0.1, 0.5, 1.0])
            values.extend(float(rng.random() < rate) for _ in range(40))
        else:
            mean = rng.uniform(-5, 5)
            values.extend(rng.gauss(mean, 1) for _ in range(40))
    return values[:n]


def _flags(detector: Detector, values: list[float]) -> list[tuple[bool, bool]]:
    flags = []
    for x in values:
        detector.update(x)
        flags.append((detector.drift_detected, detector.warning_detected))
    return flags


def test_the_detectors_are_those_of_the_contract() -> None:
    assert set(NAMES) == {
        "adwin",
        "ddm",
        "page-hinkley",
        "kswin",
        "eddm",
        "hddm-a",
        "hddm-w",
        "cusum",
    }


@every_detector
def test_its_parameters_are_its_constructors(name: str) -> None:
    defaults = parameters(name)
    assert set(defaults) == set(classes()[name].allowed)
    assert create(name, **defaults).parameters == dict(defaults) == create(name).parameters


@every_detector
def test_it_has_a_name_a_domain_and_a_page_of_prose(name: str) -> None:
    detector = create(name)
    assert detector.name == name
    assert detector.domain in {"real", "bit"}
    for section in ("Parameters", "Examples", "References"):
        assert section in (detector.__doc__ or "")


@every_detector
def test_a_fresh_one_reports_nothing(name: str) -> None:
    detector = create(name)
    assert not detector.drift_detected
    assert not detector.warning_detected
    assert detector.score is None


@every_detector
def test_its_flags_are_read_only(name: str) -> None:
    detector = create(name)
    with pytest.raises(AttributeError):
        detector.drift_detected = True  # type: ignore[misc]
    with pytest.raises(AttributeError):
        detector.warning_detected = True  # type: ignore[misc]


@every_detector
def test_it_finds_a_plain_change(name: str) -> None:
    rng = random.Random(1)
    detector = create(name)
    bit = detector.domain == "bit"
    before = [float(rng.random() < 0.2) if bit else rng.gauss(0, 1) for _ in range(500)]
    after = [float(rng.random() < 0.9) if bit else rng.gauss(6, 1) for _ in range(200)]
    for x in before:
        detector.update(x)
    detector.reset()
    for x in before:
        detector.update(x)
    assert any(drift for drift, _ in _flags(detector, after))


@every_detector
@pytest.mark.parametrize("x", NOT_A_NUMBER_IN_RANGE)
def test_a_value_outside_its_domain_is_refused(name: str, x: float) -> None:
    with pytest.raises(OutOfDomain, match=name):
        create(name).update(x)


@pytest.mark.parametrize("name", [name for name in NAMES if create(name).domain == "bit"])
@pytest.mark.parametrize("x", [2, -1, 0.5, 1.0000001, -1e-300])
def test_a_bit_is_0_or_1(name: str, x: float) -> None:
    with pytest.raises(OutOfDomain, match="expected 0 or 1"):
        create(name).update(x)


@every_detector
def test_numbers_of_numpy_and_python_are_the_same_to_it(name: str) -> None:
    values = [float(round(x)) for x in _stream(name, 3, 300)]
    assert (
        _flags(_eager(name), values)
        == _flags(_eager(name), [int(x) for x in values])
        == _flags(_eager(name), list(np.array(values)))
    )


@every_detector
@given(seed=st.integers(0, 2**32), bad=st.lists(st.integers(0, 299), max_size=20))
@settings(max_examples=15, deadline=None)
def test_a_refused_value_leaves_no_trace(name: str, seed: int, bad: list[int]) -> None:
    values = _stream(name, seed, 300)
    clean, disturbed = _eager(name), _eager(name)
    for i, x in enumerate(values):
        if i in bad:
            with pytest.raises(OutOfDomain):
                disturbed.update(NOT_A_NUMBER_IN_RANGE[i % len(NOT_A_NUMBER_IN_RANGE)])
        clean.update(x)
        disturbed.update(x)
        assert clean.drift_detected == disturbed.drift_detected
        assert clean.warning_detected == disturbed.warning_detected


@every_detector
@given(seed=st.integers(0, 2**32), cut=st.integers(0, 299))
@settings(max_examples=15, deadline=None)
def test_a_pickled_copy_goes_on_as_the_original_would(name: str, seed: int, cut: int) -> None:
    values = _stream(name, seed, 300)
    original = _eager(name)
    _flags(original, values[:cut])
    copy = pickle.loads(pickle.dumps(original, protocol=5))
    assert copy.parameters == original.parameters
    assert (copy.drift_detected, copy.score) == (original.drift_detected, original.score)
    assert _flags(copy, values[cut:]) == _flags(original, values[cut:])


@every_detector
@given(seed=st.integers(0, 2**32))
@settings(max_examples=10, deadline=None)
def test_after_a_drift_and_after_a_reset_it_is_as_new(name: str, seed: int) -> None:
    values = _stream(name, seed, 300)
    detector = _eager(name)
    rest = values
    for i, x in enumerate(values):
        detector.update(x)
        if detector.drift_detected:
            rest = values[i + 1 :]
            assert _flags(detector, rest) == _flags(_eager(name), rest)
            break
    detector.reset()
    assert detector.score is None
    assert _flags(detector, rest) == _flags(_eager(name), rest)


@every_detector
def test_the_same_stream_gives_the_same_flags_again(name: str) -> None:
    values = _stream(name, 9, 300)
    assert _flags(create(name), values) == _flags(create(name), values)


@every_detector
def test_its_memory_is_bounded(name: str) -> None:
    n = 1_000 if name == "kswin" else 20_000  # KSWIN tests a hundred times slower
    rng = random.Random(1)
    detector = create(name)
    for _ in range(n):
        detector.update(rng.random() < 0.1 if detector.domain == "bit" else rng.gauss(0, 1))
    assert len(pickle.dumps(detector, protocol=5)) < 6_000


def _wrong_values(allowed: Allowed) -> list[object]:
    wrong: list[object] = [None, "x", [], math.nan, math.inf]
    if allowed.kind is not bool:
        wrong.append(True)
    if allowed.kind is int:
        wrong.append(1.5)
    if allowed.low is not None:
        wrong.append(allowed.low - 1)
    if allowed.above is not None:
        wrong.append(allowed.above)
    if allowed.high is not None:
        wrong.append(allowed.high + 1)
    return wrong


CASES = [
    (name, parameter, value)
    for name in NAMES
    for parameter, allowed in classes()[name].allowed.items()
    for value in _wrong_values(allowed)
]


@pytest.mark.parametrize(("name", "parameter", "value"), CASES)
def test_a_wrong_parameter_is_named_in_one_line(name: str, parameter: str, value: Any) -> None:
    with pytest.raises(ConfigurationError) as error:
        create(name, **{parameter: value})
    line = str(error.value)
    assert line.startswith(f"{name}.{parameter}: ")
    assert "expected" in line
    assert "\n" not in line


@every_detector
def test_an_unknown_parameter_is_refused_with_the_nearest_one(name: str) -> None:
    nearest = next(iter(parameters(name)))
    with pytest.raises(ConfigurationError, match=f"did you mean {name}.{nearest}"):
        create(name, **{f"{nearest}x": 1})


@every_detector
def test_a_misspelt_name_is_refused_with_the_nearest_one(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"did you mean {name}"):
        create(f"{name}s")


def _limit_values(allowed: Allowed) -> list[Any]:
    """Return the smallest and largest values that are allowed."""
    if allowed.kind is bool:
        return [False, True]
    if allowed.kind is str:
        return list(allowed.choices)
    low = allowed.low if allowed.low is not None else math.nextafter(allowed.above or 0.0, math.inf)
    return [low, LARGEST if allowed.high is None else allowed.high]


@every_detector
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_no_allowed_parameter_makes_it_fail(name: str, data: st.DataObject) -> None:
    chosen: dict[str, Any] = {}
    for parameter, allowed in classes()[name].allowed.items():
        choices = [parameters(name)[parameter], *_limit_values(allowed)]
        value = data.draw(st.sampled_from(choices), label=parameter)
        chosen[parameter] = int(value) if allowed.kind is int else value
    try:
        detector = create(name, **chosen)
    except ConfigurationError:  # allowed one by one, but not together
        return
    for x in _stream(name, 5, 200):
        detector.update(x)
        _ = detector.score, detector.threshold, detector.drift_detected
    pickle.loads(pickle.dumps(detector))


@pytest.mark.parametrize("name", [name for name in NAMES if create(name).domain == "real"])
def test_it_survives_the_largest_numbers(name: str) -> None:
    detector = create(name)
    for i in range(200):
        detector.update(LARGEST if i % 3 else -LARGEST)
    detector.reset()
    assert any(drift for drift, _ in _flags(detector, [0.0] * 300 + [1e3 + i for i in range(200)]))
