"""Which detectors watch which signal unless told otherwise."""

from __future__ import annotations

import pytest

from detectors import NAMES, create, parameters
from detectors.defaults import DETECTORS, SCALED, UNSCALED, family_of, with_defaults


def test_every_signal_has_its_default_detectors() -> None:
    assert set(DETECTORS) == {"value", "error", "label", "missing", "prediction", "feature"}
    for names in DETECTORS.values():
        assert set(names) <= set(NAMES)


@pytest.mark.parametrize("defaults", [SCALED, UNSCALED])
def test_every_detector_can_be_built_with_ours(defaults: dict[str, dict[str, float]]) -> None:
    assert set(defaults) == set(NAMES)
    for name, params in defaults.items():
        assert create(name, **params).parameters == {**parameters(name), **params}


def test_what_a_user_sets_wins_one_by_one() -> None:
    (_, params), (_, others) = with_defaults(
        ["adwin", "page-hinkley"], params={"adwin": {"delta": 0.1}}
    )
    assert params == {**SCALED["adwin"], "delta": 0.1}
    assert others == dict(SCALED["page-hinkley"])


def test_a_signal_of_bits_has_limits_of_its_own() -> None:
    assert with_defaults(["page-hinkley"], scaled=False) != with_defaults(["page-hinkley"])


@pytest.mark.parametrize(
    ("signal", "family"), [("value", "value"), ("feature:oven:1", "feature"), ("error", "error")]
)
def test_all_features_share_their_defaults(signal: str, family: str) -> None:
    assert family_of(signal) == family
