"""Each detector is River's class, index by index, and its indices stay what they were."""

from __future__ import annotations

import random
from typing import Any

import pytest
from river import drift
from river.drift import binary

from detectors import create

RIVER: dict[str, Any] = {
    "adwin": drift.ADWIN,
    "page-hinkley": drift.PageHinkley,
    "kswin": drift.KSWIN,
    "ddm": binary.DDM,
    "eddm": binary.EDDM,
    "hddm-a": binary.HDDMA,
    "hddm-w": binary.HDDMW,
}

PARAMETERS: list[tuple[str, dict[str, Any]]] = [
    ("adwin", {}),
    ("adwin", {"delta": 0.2, "clock": 1}),
    ("adwin", {"delta": 1e-5, "min_window_length": 30}),
    ("adwin", {"max_buckets": 2, "grace_period": 0, "clock": 7}),
    ("page-hinkley", {}),
    ("page-hinkley", {"threshold": 10, "delta": 0.25, "alpha": 1.0}),
    ("page-hinkley", {"mode": "up", "threshold": 5.0, "min_instances": 0}),
    ("page-hinkley", {"mode": "down", "threshold": 5.0, "alpha": 0.99}),
    ("kswin", {"seed": 42}),
    ("kswin", {"seed": 7, "alpha": 0.001, "window_size": 80, "stat_size": 40}),
    ("ddm", {}),
    ("ddm", {"warm_start": 100, "warning_threshold": 1.0, "drift_threshold": 2.0}),
    ("ddm", {"warm_start": 0, "warning_threshold": 3.0, "drift_threshold": 2.5}),
    ("eddm", {}),
    ("eddm", {"warm_start": 10, "alpha": 0.8, "beta": 0.75}),
    ("hddm-a", {}),
    ("hddm-a", {"drift_confidence": 0.05, "warning_confidence": 0.1, "two_sided_test": True}),
    ("hddm-w", {}),
    ("hddm-w", {"lambda_val": 0.2, "warning_confidence": 0.05, "two_sided_test": True}),
]

_LENGTH = {"kswin": 600}


def _reals(seed: int, n: int) -> list[float]:
    """Return pieces of other means and spreads, one after another."""
    rng = random.Random(seed)
    values: list[float] = []
    while len(values) < n:
        mean, spread = rng.uniform(-3, 3), rng.choice([0.0, 0.3, 1.0, 4.0])
        values.extend(rng.gauss(mean, spread) for _ in range(rng.randint(50, 700)))
    return values[:n]


def _bits(seed: int, n: int) -> list[int]:
    rng = random.Random(seed)
    values: list[int] = []
    while len(values) < n:
        rate = rng.choice([0.0, 0.02, 0.1, 0.3, 0.5, 0.9, 1.0])
        values.extend(int(rng.random() < rate) for _ in range(rng.randint(50, 700)))
    return values[:n]


def _stream(name: str, seed: int) -> list[float]:
    length = _LENGTH.get(name, 4000)
    if create(name).domain == "bit":
        return list(_bits(seed, length))
    return _reals(seed, length)


@pytest.mark.parametrize(("name", "params"), PARAMETERS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_flag_is_the_one_rivers_class_gives(
    name: str, params: dict[str, Any], seed: int
) -> None:
    ours, rivers = create(name, **params), RIVER[name](**params)
    for i, x in enumerate(_stream(name, seed)):
        ours.update(x)
        rivers.update(x)
        warning = getattr(rivers, "warning_detected", False)
        assert (i, ours.drift_detected, ours.warning_detected) == (
            i,
            rivers.drift_detected,
            warning,
        )


# River's compiled ADWIN does not show what it compares.
@pytest.mark.parametrize(("name", "params"), [case for case in PARAMETERS if case[0] != "adwin"])
def test_the_score_passes_its_threshold_exactly_when_a_drift_is_reported(
    name: str, params: dict[str, Any]
) -> None:
    detector = create(name, **params)
    drifts = 0
    for x in _stream(name, 4):
        detector.update(x)
        score, threshold = detector.score, detector.threshold
        drifts += detector.drift_detected
        if score is None or threshold is None:
            assert not detector.drift_detected
        elif name in {"kswin", "eddm"}:  # a smaller score is the more suspicious one
            assert score <= threshold or not detector.drift_detected
        elif name.startswith("hddm"):
            assert score >= threshold or not detector.drift_detected
        else:
            assert (score > threshold) == detector.drift_detected
    assert drifts > 0


FROZEN: list[tuple[str, dict[str, Any], list[int]]] = [
    ("adwin", {}, [383, 927, 1055, 1631, 2239, 2751, 3551, 3903]),
    ("adwin", {"delta": 0.2, "clock": 1}, [358, 913, 1021, 1622, 2213, 2739, 3216, 3814, 3876]),
    ("adwin", {"delta": 1e-05, "min_window_length": 30}, [415, 959, 1087, 1663, 2239, 2783, 3903]),
    (
        "adwin",
        {"max_buckets": 2, "grace_period": 0, "clock": 7},
        [370, 916, 1028, 1623, 2218, 2743, 3562, 3884],
    ),
    ("page-hinkley", {}, [394, 888, 936, 1026, 1629, 2224, 2764, 3821, 3893]),
    (
        "page-hinkley",
        {"threshold": 10, "delta": 0.25, "alpha": 1.0},
        [361, 911, 1019, 1622, 2214, 2742, 3829, 3874],
    ),
    (
        "page-hinkley",
        {"mode": "up", "threshold": 5.0, "min_instances": 0},
        [
            357,
            396,
            451,
            495,
            544,
            593,
            629,
            670,
            735,
            760,
            771,
            848,
            903,
            1017,
            2216,
            3871,
            3948,
            3956,
            3984,
        ],
    ),
    (
        "page-hinkley",
        {"mode": "down", "threshold": 5.0, "alpha": 0.99},
        [
            554,
            613,
            659,
            689,
            719,
            749,
            803,
            878,
            909,
            948,
            981,
            1011,
            1118,
            1621,
            1694,
            1827,
            2471,
            2738,
            3216,
            3550,
            3791,
            3821,
            3866,
            3927,
            3961,
        ],
    ),
    ("kswin", {"seed": 42}, [369]),
    ("kswin", {"seed": 7, "alpha": 0.001, "window_size": 80, "stat_size": 40}, [373]),
    ("ddm", {}, [574, 1167, 1936, 3115]),
    (
        "ddm",
        {"warm_start": 100, "warning_threshold": 1.0, "drift_threshold": 2.0},
        [568, 1151, 1871, 3098],
    ),
    (
        "ddm",
        {"warm_start": 0, "warning_threshold": 3.0, "drift_threshold": 2.5},
        [4, 8, 11, 17, 570, 1160, 1907, 3107],
    ),
    ("eddm", {}, [578, 1169, 2011, 3123]),
    ("eddm", {"warm_start": 10, "alpha": 0.8, "beta": 0.75}, [580, 1241, 3715]),
    ("hddm-a", {}, [569, 1144, 1894, 3084]),
    (
        "hddm-a",
        {"drift_confidence": 0.05, "warning_confidence": 0.1, "two_sided_test": True},
        [94, 566, 723, 1142, 1455, 1597, 1627, 1651, 1828, 2061, 2408, 3078, 3699],
    ),
    ("hddm-w", {}, [579, 1147, 1836, 3099]),
    (
        "hddm-w",
        {"lambda_val": 0.2, "warning_confidence": 0.05, "two_sided_test": True},
        [577, 727, 1147, 2266, 2409, 3086, 3710],
    ),
    ("cusum", {}, [355, 910, 1019, 1621, 2212, 2736, 3150, 3778, 3888]),
]


@pytest.mark.parametrize(("name", "params", "indices"), FROZEN)
def test_detection_indices_stay_what_they_were(
    name: str, params: dict[str, Any], indices: list[int]
) -> None:
    detector = create(name, **params)
    found = []
    for i, x in enumerate(_stream(name, 12345)):
        detector.update(x)
        if detector.drift_detected:
            found.append(i)
    assert found == indices
