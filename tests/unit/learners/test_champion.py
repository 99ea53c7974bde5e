"""Champion and challenger."""

from __future__ import annotations

import pickle
import random

import pytest

from learners.base import Configuration
from learners.champion import Champion
from learners.classification import Classification
from learners.forecast import Forecast


def sensor(events: int = 10, margin: float = 0.05) -> Champion:
    return Champion(
        "press-7", 1, Forecast(Configuration()), margin=margin, challenger_events=events
    )


def judged(champion: Champion, errors: tuple[float | None, float | None], n: int) -> Champion:
    champion.start_challenger()
    for _ in range(n):
        champion.observe(*errors)
    return champion


def test_a_challenger_begins_untrained() -> None:
    champion = sensor()
    for _ in range(50):
        champion.learner.learn({"value": 20.0})
    assert champion.start_challenger()
    assert champion.challenger is not None
    assert champion.challenger.learned == 0


def test_while_one_is_learning_no_other_begins() -> None:
    champion = sensor()
    champion.start_challenger()
    first = champion.challenger
    assert not champion.start_challenger()
    assert champion.challenger is first


def test_there_is_no_verdict_before_enough_events() -> None:
    champion = judged(sensor(events=10), (2.0, 1.0), 9)
    assert champion.verdict() is None
    champion.observe(2.0, 1.0)
    assert champion.verdict() == "promote"


def test_an_event_counts_only_if_both_have_an_error() -> None:
    champion = judged(sensor(events=10), (2.0, None), 5)
    for _ in range(9):
        champion.observe(2.0, 1.0)
    champion.observe(None, 1.0)
    assert champion.verdict() is None


@pytest.mark.parametrize(
    ("challenger", "verdict"),
    [(0.94, "promote"), (0.951, "reject"), (1.0, "reject"), (2.0, "reject"), (0.0, "promote")],
)
def test_only_one_better_by_the_margin_is_promoted(challenger: float, verdict: str) -> None:
    looks = 1 if verdict == "promote" else 5
    assert judged(sensor(margin=0.05), (1.0, challenger), looks * 10).verdict() == verdict


def test_a_champion_without_error_is_not_replaced() -> None:
    assert judged(sensor(), (0.0, 0.0), 50).verdict() == "reject"


def test_the_challengers_first_errors_do_not_count_for_long() -> None:
    champion = judged(sensor(events=10), (1.0, 1000.0), 10)
    assert champion.verdict() is None
    for _ in range(10):
        champion.observe(1.0, 0.5)
    assert champion.verdict() == "promote"


def test_a_gain_that_may_be_chance_is_not_enough() -> None:
    champion = sensor(events=10)
    champion.start_challenger()
    for t in range(10):
        champion.observe(1.0, 6.0 if t % 2 else -4.5)
    assert champion.verdict() is None


def test_a_challenger_that_never_predicts_is_let_go_at_last() -> None:
    champion = judged(sensor(events=10), (1.0, None), 49)
    assert champion.verdict() is None
    champion.observe(1.0, None)
    assert champion.verdict() == "reject"


def test_a_promoted_challenger_is_a_new_version_and_the_old_is_kept() -> None:
    champion = judged(sensor(), (2.0, 1.0), 10)
    old, new = champion.learner, champion.challenger
    assert champion.promote() == 2
    assert champion.learner is new
    assert champion.challenger is None
    assert champion.previous == (1, old)


def test_a_rollback_goes_back_and_a_second_one_undoes_it() -> None:
    champion = judged(sensor(), (2.0, 1.0), 10)
    old, new = champion.learner, champion.challenger
    champion.promote()
    assert champion.rollback() == 1
    assert champion.learner is old
    assert champion.rollback() == 2
    assert champion.learner is new


def test_there_is_nothing_before_the_first_version() -> None:
    champion = sensor()
    assert champion.rollback() is None
    assert champion.version == 1


def test_a_version_number_is_never_given_twice() -> None:
    champion = sensor()
    champion.swap_in(Forecast(Configuration()), 5)
    champion.rollback()
    assert champion.version == 1
    champion.start_challenger()
    assert champion.promote() == 6


def test_a_model_from_outside_ends_the_challenge() -> None:
    champion = judged(sensor(), (2.0, 1.0), 10)
    champion.swap_in(Forecast(Configuration()), 2)
    assert champion.challenger is None
    assert champion.verdict() is None


def test_a_rejected_challenger_is_gone_and_another_may_begin() -> None:
    champion = judged(sensor(), (1.0, 2.0), 10)
    champion.reject()
    assert champion.challenger is None
    assert champion.start_challenger()
    assert champion.verdict() is None


def test_without_a_challenger_nothing_can_be_promoted() -> None:
    with pytest.raises(ValueError, match="press-7 has no challenger"):
        sensor().promote()


def test_after_a_change_the_challenger_takes_over_by_itself() -> None:
    assert verdict_when_the_limit_goes_from(358, to=352) == "promote"


def test_without_a_change_the_challenger_is_rejected() -> None:
    assert verdict_when_the_limit_goes_from(355, to=355) == "reject"


def verdict_when_the_limit_goes_from(before: float, to: float) -> str | None:
    rng = random.Random(1)
    champion = Champion("oven-2", 1, Classification(Configuration()), challenger_events=200)
    for _ in range(3000):
        temperature = rng.uniform(350, 360)
        champion.learner.learn({"temperature": temperature}, temperature < before)
    champion.start_challenger()
    while (verdict := champion.verdict()) is None:
        temperature = rng.uniform(350, 360)
        x, y = {"temperature": temperature}, temperature < to
        champion_learner, challenger = champion.learner, champion.challenger
        assert challenger is not None
        champion.observe(
            champion_learner.error(champion_learner.predict(x), y),
            challenger.error(challenger.predict(x), y),
        )
        champion_learner.learn(x, y)
        challenger.learn(x, y)
    return verdict


def test_it_goes_on_from_a_pickle() -> None:
    champion = judged(sensor(events=10), (2.0, 1.0), 9)
    restored: Champion = pickle.loads(pickle.dumps(champion))
    restored.observe(2.0, 1.0)
    assert restored.verdict() == "promote"
