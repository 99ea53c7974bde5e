"""What drift events and commands do to a sensor's model, and what is written about it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from tests.pipelines import START, Partition, alert, command, configured, label, reading

DRAW = random.Random(2)
CALM = [DRAW.gauss(20.0, 1.0) for _ in range(60)]


def started(n: int = 20, **sections: Any) -> Partition:
    """A partition that has seen `n` events of press-7; what was written so far is forgotten."""
    partition = Partition(configured(**sections))
    partition.feed("sensors", *(reading(value=CALM[i % 60], n=i) for i in range(n)))
    partition.effects.clear()
    return partition


def go_on(partition: Partition, n: int, values: Sequence[float] = CALM) -> None:
    done = partition.sensor().events
    partition.feed("sensors", *(reading(value=values[i % 60], n=done + i) for i in range(n)))


# From a drift event to commands.


@pytest.mark.parametrize(
    ("diagnosis", "commands"),
    [("upstream", []), ("data", ["relearn"]), ("prior", ["relearn"]), ("concept", ["relearn"])],
)
def test_the_rules_that_are_built_in_relearn_unless_the_fault_lies_upstream(
    diagnosis: str, commands: list[str]
) -> None:
    partition = started()
    partition.feed("alerts", alert(diagnosis=diagnosis))
    assert [c["command"] for c in partition.written("control")] == commands


def test_a_command_of_the_policy_names_the_drift_event_and_the_rule() -> None:
    partition = started()
    partition.feed("alerts", alert())
    (written,) = partition.written("control")
    assert written["drift_event_id"] == "d-1"
    assert written["sensor_id"] == "press-7"
    assert "concept" in written["rule"]
    assert written["reason"] == "adwin on error: concept"
    (effect,) = partition.effects
    assert effect.key == b"press-7"


@pytest.mark.parametrize("kind", ["warning", "recovered"])
def test_nothing_is_done_about_warnings_and_recoveries(kind: str) -> None:
    partition = started()
    partition.feed("alerts", alert(kind=kind))
    assert partition.effects == []


def test_a_policy_that_is_off_does_nothing() -> None:
    partition = started(policy={"enabled": False})
    partition.feed("alerts", alert())
    go_on(partition, 200)
    assert partition.written("control") == []
    assert partition.written("retrain") == []


def test_nothing_is_done_about_a_sensor_that_is_not_here() -> None:
    partition = started()
    partition.feed("alerts", alert("nobody"))
    assert partition.effects == []
    assert partition.pipeline.sensors == 1


def test_the_first_rule_that_fits_decides() -> None:
    rules = [
        {"diagnosis": "concept", "severity": "low", "actions": ["retrain"]},
        {"signal": "feature:*", "actions": ["reset"]},
        {"actions": []},
    ]
    partition = started(policy={"rules": rules, "cooldown_events": 1})
    partition.feed("alerts", alert())
    assert partition.written("control") == []
    partition.feed("alerts", alert(signal="feature:temperature"))
    assert [c["command"] for c in partition.written("control")] == ["reset"]


def test_in_the_cooldown_the_policy_does_nothing_more() -> None:
    partition = started(policy={"cooldown_events": 30})
    partition.feed("alerts", alert())
    go_on(partition, 29)
    partition.feed("alerts", alert(id="d-2"))
    assert len(partition.written("control")) == 1
    go_on(partition, 1)
    partition.feed("alerts", alert(id="d-3"))
    assert [c["drift_event_id"] for c in partition.written("control")] == ["d-1", "d-3"]


def test_a_drift_event_that_no_rule_answers_begins_no_cooldown() -> None:
    partition = started()
    partition.feed("alerts", alert(diagnosis="upstream"), alert(id="d-2"))
    assert [c["drift_event_id"] for c in partition.written("control")] == ["d-2"]


# Commands.


def adapted(partition: Partition) -> list[tuple[str, int, int]]:
    return [
        (a["action"], a["model_before"]["version"], a["model_after"]["version"])
        for a in partition.written("adaptations")
    ]


def test_an_adaptation_names_its_cause_and_both_models() -> None:
    partition = started()
    partition.feed(
        "control", command("reset", drift_event_id="d-9", rule="any -> reset", reason="by hand")
    )
    (record,) = partition.written("adaptations")
    assert list(record) == [
        "id",
        "ts",
        "sensor_id",
        "action",
        "rule",
        "drift_event_id",
        "model_before",
        "model_after",
        "reason",
    ]
    assert record["drift_event_id"] == "d-9"
    assert record["rule"] == "any -> reset"
    assert record["reason"] == "by hand"
    assert record["model_before"] == record["model_after"] == {"name": "press-7", "version": 1}
    assert record["ts"] == "2026-01-05T12:00:00Z"


def test_a_reset_forgets_what_was_normal_and_keeps_the_model() -> None:
    partition = started(60)
    learned = partition.sensor().champion.learner.learned
    assert partition.sensor().monitors["value"].reference is not None
    partition.feed("control", command("reset"))
    assert partition.sensor().monitors == {}
    assert partition.sensor().champion.learner.learned == learned
    assert adapted(partition) == [("reset", 1, 1)]


def test_relearning_in_the_background_keeps_the_model_in_use_until_there_is_a_better_one() -> None:
    partition = started(60)
    partition.feed("control", command("relearn", drift_event_id="d-1", rule="r"))
    assert partition.sensor().champion.challenger is not None
    assert adapted(partition) == [("relearn", 1, 1)]
    # the same model on the same values is no better
    go_on(partition, 5 * 40 + 1)
    assert adapted(partition) == [("relearn", 1, 1), ("reject", 1, 1)]
    assert partition.sensor().champion.challenger is None
    assert {a["drift_event_id"] for a in partition.written("adaptations")} == {"d-1"}


def test_a_challenger_that_is_better_is_promoted_for_the_drift_event_that_called_it() -> None:
    # a model that learns a little slower with every value, and a level that has moved
    slow = {
        "class": "river.linear_model.LinearRegression",
        "params": {
            "intercept_lr": 1e-3,
            "optimizer": {"class": "river.optim.SGD", "params": {"lr": 1e-9}},
        },
    }
    learner = {"task": "regression", "model": slow}
    partition = Partition(configured(learner=learner, policy={"challenger_events": 30}))

    def teach(truth: float, start: int, n: int) -> None:
        for i in range(start, start + n):
            features = {"a": 1.0 + DRAW.random()}
            partition.feed("sensors", reading(n=i, features=features, event_id=f"e-{i}"))
            partition.feed("labels", label("press-7", f"e-{i}", truth + DRAW.random(), n=i))

    teach(100.0, 0, 200)
    partition.feed("control", command("relearn", drift_event_id="d-7", rule="r"))
    teach(0.0, 200, 160)
    assert adapted(partition)[:2] == [("relearn", 1, 1), ("promote", 1, 2)]
    promoted = partition.written("adaptations")[1]
    assert (promoted["drift_event_id"], promoted["rule"]) == ("d-7", "r")
    (model,) = partition.written("models")
    assert (model["version"], model["stage"], model["drift_event_id"]) == (2, "production", "d-7")
    assert model["metrics"]["error"] >= 0.0


def test_a_second_relearn_lets_the_challenger_learn_on() -> None:
    partition = started(60)
    partition.feed("control", command("relearn"))
    challenger = partition.sensor().champion.challenger
    partition.feed("control", command("relearn"))
    assert partition.sensor().champion.challenger is challenger
    assert partition.written("adaptations")[1]["reason"] == "its challenger learns on"


def test_relearning_afresh_replaces_the_model_at_once() -> None:
    partition = started(60, policy={"relearn": "fresh"})
    partition.feed("control", command("relearn", drift_event_id="d-1", rule="r"))
    sensor = partition.sensor()
    assert sensor.champion.learner.learned == 0
    assert "error" not in sensor.monitors
    assert sensor.prequential.n == 0
    assert adapted(partition) == [("relearn", 1, 2)]
    (model,) = partition.written("models")
    assert (model["version"], model["stage"]) == (2, "production")


def test_a_challenger_can_be_promoted_by_command() -> None:
    partition = started(60)
    partition.feed("control", command("relearn"))
    go_on(partition, 10)
    partition.feed("control", command("promote"))
    assert adapted(partition)[1:] == [("promote", 1, 2)]
    assert partition.sensor().champion.version == 2
    assert partition.written("models")[0]["stage"] == "production"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({}, "no candidate"), ({"version": 9}, "version 9 is not held here")],
)
def test_a_promotion_of_nothing_is_a_rejection_that_says_why(
    fields: dict[str, Any], reason: str
) -> None:
    partition = started()
    partition.feed("control", command("promote", **fields))
    assert adapted(partition) == [("reject", 1, 1)]
    assert partition.written("adaptations")[0]["reason"] == reason


def test_a_rollback_goes_back_to_the_model_before_and_a_second_one_undoes_it() -> None:
    partition = started(60, policy={"relearn": "fresh"})
    partition.feed("control", command("relearn"), command("rollback"), command("rollback"))
    assert adapted(partition) == [("relearn", 1, 2), ("rollback", 2, 1), ("rollback", 1, 2)]
    assert [m["version"] for m in partition.written("models")] == [2, 1, 2]


def test_a_rollback_without_an_earlier_model_is_a_rejection() -> None:
    partition = started()
    partition.feed("control", command("rollback"))
    assert adapted(partition) == [("reject", 1, 1)]
    assert partition.written("adaptations")[0]["reason"] == "no earlier model"


def test_a_version_is_never_given_twice() -> None:
    partition = started(60, policy={"relearn": "fresh"})
    partition.feed(
        "control", command("relearn"), command("rollback"), command("relearn"), command("relearn")
    )
    assert adapted(partition) == [
        ("relearn", 1, 2),
        ("rollback", 2, 1),
        ("relearn", 1, 3),
        ("relearn", 3, 4),
    ]


def test_adaptations_of_a_replay_have_the_same_ids_and_those_of_other_records_have_others() -> None:
    first, second = started(60), started(60)
    for partition in (first, second):
        partition.feed("control", command("reset"), command("reset"), command("relearn"))
    ids = [a["id"] for a in first.written("adaptations")]
    assert ids == [a["id"] for a in second.written("adaptations")]
    assert len(set(ids)) == 3


# Muting and acknowledging.


def shift(partition: Partition, n: int = 60, at: int = START * 1000) -> list[str]:
    """Let the value jump far away and back; return the kinds of the drift events written."""
    partition.effects.clear()
    level = 20.0 + 30.0 * DRAW.choice([1, 2])
    done = partition.sensor().events
    for i in range(n):
        event = reading(value=level + DRAW.gauss(0.0, 1.0), n=done + i)
        partition.process("sensors", [partition.record("sensors", event, timestamp=at)])
    return [a["kind"] for a in partition.written("alerts")]


def test_a_muted_sensor_is_scored_and_counted_and_writes_no_drift_events() -> None:
    partition = started(60)
    partition.feed("control", command("mute"))
    assert shift(partition) == []
    assert partition.counts.muted >= 1
    assert partition.sensor().events == 120
    partition.feed("control", command("unmute"))
    go_on(partition, 60, [70.0 + v for v in CALM])
    assert [a["kind"] for a in partition.written("alerts")][:1] in (["drift"], ["recovered"])


def test_a_mute_ends_by_itself_at_its_time() -> None:
    until = START + 1000
    partition = started(60)
    partition.feed("control", command("mute", until=until))
    assert shift(partition, at=until * 1000 - 1) == []
    partition = started(60)
    partition.feed("control", command("mute", until=until))
    assert "drift" in shift(partition, at=until * 1000)


def test_of_an_acknowledged_episode_only_the_recovery_is_told() -> None:
    partition = started(60, episodes={"quiet_events": 100})
    kinds = shift(partition, 40)
    assert kinds == ["drift"]
    episode = partition.written("alerts")[0]["episode_id"]
    partition.feed("control", command("ack", episode_id=episode))
    level = partition.written("alerts")[0]["after"]["mean"]
    go_on(partition, 160, [level + calm - 20.0 for calm in CALM])
    assert [a["kind"] for a in partition.written("alerts")] == ["drift", "recovered"]


# Retraining.


def test_a_retrain_is_asked_for_once_enough_was_learned_since_the_change() -> None:
    partition = started(50, policy={"retrain_min_events": 40})
    partition.feed("alerts", alert(change_point={"ts": START, "offset": 33}))
    go_on(partition, 39)
    assert partition.written("retrain") == []
    go_on(partition, 1)
    (request,) = partition.written("retrain")
    assert request["range"] == {
        "topic": "driftline.sensors",
        "partition": 0,
        "from_offset": 33,
        "to_offset": 90,
    }
    assert (request["sensor_id"], request["drift_event_id"]) == ("press-7", "d-1")
    assert ("retrain", 1, 1) in adapted(partition)
    go_on(partition, 100)
    assert len(partition.written("retrain")) == 1


def test_drift_upon_drift_does_not_put_a_retrain_off_for_ever() -> None:
    partition = started(100, policy={"retrain_min_events": 80, "cooldown_events": 50})
    for number in range(6):
        offset = partition.sensor().last_offset
        partition.feed(
            "alerts", alert(id=f"d-{number}", change_point={"ts": START, "offset": offset})
        )
        go_on(partition, 60)
        partition.restart()
    asked = partition.written("retrain")
    assert [(each["drift_event_id"], each["range"]["from_offset"]) for each in asked] == [
        ("d-0", 99),
        ("d-1", 159),
        ("d-2", 219),
        ("d-3", 279),
    ]


def test_a_drift_that_comes_while_a_retrain_waits_has_a_retrain_of_its_own() -> None:
    partition = started(50, policy={"retrain_min_events": 80})
    partition.feed("alerts", alert(change_point={"ts": START, "offset": 40}))
    go_on(partition, 70)
    partition.feed("alerts", alert(id="d-2", change_point={"ts": START, "offset": 110}))
    go_on(partition, 89)
    assert [each["drift_event_id"] for each in partition.written("retrain")] == ["d-1"]
    go_on(partition, 1)
    first, second = partition.written("retrain")
    assert (first["drift_event_id"], first["range"]["from_offset"]) == ("d-1", 40)
    assert (first["range"]["to_offset"], second["range"]["to_offset"]) == (130, 210)
    assert (second["drift_event_id"], second["range"]["from_offset"]) == ("d-2", 110)


def test_without_a_change_point_the_range_begins_at_the_event_that_fired() -> None:
    partition = started(50, policy={"retrain_min_events": 10})
    partition.feed("alerts", alert(change_point=None))
    go_on(partition, 20)
    assert partition.written("retrain")[0]["range"]["from_offset"] == 15


def test_labels_of_events_before_the_change_do_not_make_a_retrain_due() -> None:
    partition = Partition(
        configured(learner={"task": "regression"}, policy={"retrain_min_events": 20})
    )
    for n in range(100):
        event = reading(n=n, features={"a": float(n % 7)}, event_id=f"e-{n}")
        partition.feed("sensors", event)
    partition.feed("alerts", alert(change_point={"ts": START, "offset": 60}))
    labels = [label("press-7", f"e-{n}", n % 7, n=n) for n in range(100)]
    partition.feed("labels", *labels[:79])
    assert partition.written("retrain") == []
    partition.feed("labels", labels[79])
    (request,) = partition.written("retrain")
    assert (request["range"]["from_offset"], request["range"]["to_offset"]) == (60, 80)


# The loop as a whole.


def flipped(partition: Partition, n: int = 1400) -> list[float]:
    """Errors of a sensor whose classes swap half-way, as means of 100 events each."""
    draw = random.Random(8)
    errors: list[float] = []
    for i in range(n):
        x = draw.uniform(-1.0, 1.0)
        event = reading(n=i, features={"a": x, "b": draw.random()}, event_id=f"e-{i}")
        effects = partition.feed("sensors", event)
        (prediction,) = partition.written("predictions", effects)
        truth = int((x > 0.0) ^ (i >= n // 2))
        errors.append(float(prediction["prediction"] != truth))
        partition.feed("labels", label("press-7", f"e-{i}", truth, n=i))
    return [sum(errors[i : i + 100]) / 100 for i in range(0, n, 100)]


def test_the_error_comes_back_after_adaptation_and_stays_worse_without() -> None:
    sections: dict[str, Any] = {
        "learner": {"task": "classification"},
        "predictions": {"enabled": True},
        "policy": {"challenger_events": 100, "cooldown_events": 100},
    }
    closed = Partition(configured(**sections), loop=True)
    adaptive = flipped(closed)
    sections["policy"] = {"enabled": False}
    opened = Partition(configured(**sections), loop=True)
    fixed = flipped(opened)
    assert adaptive[:7] == fixed[:7]
    assert adaptive[6] < 0.1
    assert adaptive[7] > 0.4
    assert sum(adaptive[11:]) / 3 < 0.15
    assert sum(adaptive[11:]) < 0.5 * sum(fixed[11:])
    assert "promote" in [a["action"] for a in closed.written("adaptations")]
    assert opened.written("adaptations") == []
    drift = next(a for a in closed.written("alerts") if a["kind"] == "drift")
    assert 690 <= drift["change_point"]["offset"] <= drift["source"]["offset"]
    assert drift["diagnosis"] == "concept"
    assert drift["id"] in {a["drift_event_id"] for a in closed.written("adaptations")}
