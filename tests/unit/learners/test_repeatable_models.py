"""A model that was stored and restored goes on as one that never was."""

from __future__ import annotations

import pickle
import random

from river.proba import Gaussian

from learners import create
from learners.base import Learner
from learners.repeatable import size
from schemas.settings import LearnerSettings


def taught(learner: Learner, n: int, seed: int) -> list[object]:
    draw = random.Random(seed)
    predictions: list[object] = []
    for _ in range(n):
        x = {f"{'feature'}-{k}": draw.gauss(0.0, 1.0) for k in range(8)}
        predictions.append(learner.predict(x))
        learner.learn(x, (x["feature-0"] > 0.0) ^ (x["feature-1"] > 0.5))
    return predictions


def measured(learner: Learner) -> tuple[object, ...]:
    """What the tree itself goes by when it switches leaves off."""
    tree = learner._model  # type: ignore[attr-defined]
    return (
        tree.n_inactive_leaves,
        tree._size_estimate_overhead_fraction,
        tree._active_leaf_size_estimate,
        size(tree),
    )


def test_a_tree_at_its_limit_predicts_the_same_after_it_was_restored() -> None:
    learner = create(LearnerSettings(task="classification"), 0)
    taught(learner, 1000, seed=1)
    restored = pickle.loads(pickle.dumps(learner))
    assert taught(restored, 500, seed=2) == taught(learner, 500, seed=2)
    assert measured(restored) == measured(learner)


def test_the_size_counts_a_list_that_is_referred_to_twice_once() -> None:
    shared = [1.0] * 100
    assert size([shared, shared]) < size([shared, list(shared)])


def test_distributions_without_a_seed_take_no_room_for_random_numbers() -> None:
    many = [Gaussian() for _ in range(100)]
    assert len(pickle.dumps(many)) < 100 * 200
    assert pickle.loads(pickle.dumps(many[0]))._rng is many[0]._rng


def test_distributions_with_a_seed_draw_by_it() -> None:
    one, same, other = Gaussian(seed=1), Gaussian(seed=1), Gaussian(seed=2)
    for distribution in (one, same, other):
        for x in (1.0, 2.0, 4.0):
            distribution.update(x)
    assert one.sample() == same.sample() != other.sample()
