"""What a drift event leads to."""

from __future__ import annotations

import pytest

from learners.policy import decide, first_match
from schemas.events import DriftEvent, SourceRef
from schemas.settings import Policy, Rule

BUILT_IN = Policy().rules


def drift(**given: str) -> DriftEvent:
    fields: dict[str, object] = {
        "id": "0" * 32,
        "sensor_id": "oven-2",
        "ts": 0,
        "kind": "drift",
        "detector": "adwin",
        "signal": "error",
        "direction": "up",
        "diagnosis": "concept",
        "severity": "high",
        "episode_id": "e",
        "score": None,
        "threshold": None,
        "change_point": None,
        "before": None,
        "after": None,
        "model": None,
        "source": SourceRef(topic="driftline.sensors", partition=2, offset=5734),
    }
    return DriftEvent.model_validate(fields | given)


@pytest.mark.parametrize(
    ("diagnosis", "actions"),
    [
        ("upstream", ()),
        ("concept", ("relearn", "retrain")),
        ("data", ("relearn",)),
        ("prior", ("relearn", "retrain")),
    ],
)
def test_the_built_in_rules(diagnosis: str, actions: tuple[str, ...]) -> None:
    assert decide(drift(diagnosis=diagnosis), BUILT_IN) == actions


@pytest.mark.parametrize("kind", ["warning", "recovered"])
def test_only_drift_is_acted_on(kind: str) -> None:
    assert decide(drift(kind=kind), BUILT_IN) == ()


def test_the_first_rule_that_fits_decides() -> None:
    rules = (
        Rule(diagnosis="concept", actions=("reset",)),
        Rule(actions=("relearn",)),
    )
    assert decide(drift(), rules) == ("reset",)
    assert decide(drift(diagnosis="data"), rules) == ("relearn",)


def test_a_rule_may_name_signals_by_glob() -> None:
    rules = (Rule(signal="feature:*", actions=("reset",)),)
    assert decide(drift(signal="feature:temperature"), rules) == ("reset",)
    assert decide(drift(signal="error"), rules) == ()


def test_a_rule_may_name_a_severity() -> None:
    rules = (Rule(severity="low", actions=()), Rule(actions=("retrain",)))
    assert decide(drift(severity="low"), rules) == ()
    assert decide(drift(severity="medium"), rules) == ("retrain",)


def test_without_rules_nothing_is_done() -> None:
    assert decide(drift(), ()) == ()
    assert first_match(drift(), ()) is None
