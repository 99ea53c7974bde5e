"""Overrides by glob on the sensor id."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.errors import ConfigurationError
from schemas.settings import Settings, load_settings

pytestmark = pytest.mark.usefixtures("clean")


def with_sensors(*overrides: dict[str, Any], **base: Any) -> Settings:
    """Settings with these entries under ``[[sensors]]``."""
    return load_settings(None, base | {"sensors": list(overrides)})


def test_without_overrides_all_sensors_share_the_general_settings() -> None:
    settings = Settings()
    found = settings.for_sensor("a")
    assert found is settings.for_sensor("b")
    assert found.learner == settings.learner
    assert found.detectors == settings.detectors
    assert found.policy == settings.policy
    assert found.episodes == settings.episodes
    assert found.labels == settings.labels


def test_an_override_changes_what_it_names_and_nothing_else() -> None:
    settings = with_sensors({"match": "press-*", "learner": {"lags": 5}})
    assert settings.for_sensor("press-7").learner.lags == 5
    assert settings.for_sensor("press-7").learner.task == "forecast"
    assert settings.for_sensor("oven-2").learner.lags == 3


def test_sensors_with_the_same_overrides_get_the_same_object() -> None:
    settings = with_sensors({"match": "a*", "learner": {"lags": 5}}, {"match": "b*"})
    assert settings.for_sensor("a1") is settings.for_sensor("a2")
    assert settings.for_sensor("a1") is not settings.for_sensor("b1")
    assert settings.for_sensor("c") is settings.for_sensor("d")


def test_of_two_overrides_that_match_the_later_one_wins_key_by_key() -> None:
    settings = with_sensors(
        {"match": "*", "learner": {"lags": 5, "grace": 7}},
        {"match": "press-*", "learner": {"lags": 9}},
    )
    assert settings.for_sensor("press-7").learner.lags == 9
    assert settings.for_sensor("press-7").learner.grace == 7
    assert settings.for_sensor("oven").learner.lags == 5


def test_detector_parameters_are_merged_and_lists_replaced() -> None:
    settings = with_sensors(
        {
            "match": "a",
            "detectors": {"value": ["ddm"], "params": {"adwin": {"delta": 0.1}}},
        },
        **{
            "detectors.value": ["adwin", "kswin"],
            "detectors.params": {"adwin": {"clock": 8}, "kswin": {"alpha": 0.01}},
        },
    )
    detectors = settings.for_sensor("a").detectors
    assert detectors.value == ("ddm",)
    assert detectors.params == {"adwin": {"clock": 8, "delta": 0.1}, "kswin": {"alpha": 0.01}}


def test_a_model_is_replaced_as_a_whole() -> None:
    settings = with_sensors(
        {"match": "a", "learner": {"model": {"class": "river.c.D"}}},
        **{"learner.model": {"class": "river.a.B", "params": {"x": 1}}},
    )
    model = settings.for_sensor("a").learner.model
    assert model is not None
    assert not isinstance(model, tuple)
    assert (model.class_, model.params) == ("river.c.D", {})


def test_one_parameter_of_a_model_can_be_changed_alone() -> None:
    settings = with_sensors(
        {"match": "a", "learner": {"model": {"params": {"x": 2}}}},
        **{"learner.model": {"class": "river.a.B", "params": {"x": 1, "y": 1}}},
    )
    model = settings.for_sensor("a").learner.model
    assert model is not None
    assert not isinstance(model, tuple)
    assert (model.class_, model.params) == ("river.a.B", {"x": 2, "y": 1})


@pytest.mark.parametrize(
    ("glob", "sensor", "fits"),
    [
        ("press-?", "press-7", True),
        ("press-?", "press-77", False),
        ("press-[1-3]", "press-2", True),
        ("PRESS-*", "press-7", False),
        ("a.c", "abc", False),
        ("hall/*", "hall/1/press\n7", True),
    ],
)
def test_globs_are_those_of_a_shell_and_tell_case_apart(glob: str, sensor: str, fits: bool) -> None:
    settings = with_sensors({"match": glob, "learner": {"lags": 9}})
    assert (settings.for_sensor(sensor).learner.lags == 9) is fits


def test_a_bad_value_in_an_override_is_found_at_the_start() -> None:
    with pytest.raises(ConfigurationError) as caught:
        with_sensors({"match": "a"}, {"match": "b", "policy": {"margin": 2}})
    assert str(caught.value) == (
        "sensors[1].policy.margin: 2 is not allowed: expected a number from 0 to 1"
    )
