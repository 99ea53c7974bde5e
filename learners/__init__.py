"""What is normal for a sensor, and how it is relearned.

A learner is made by `create` from the settings, and then once per sensor by its ``fresh``. A new
task is a new module here with one `Learner` in it.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from learners import river_model
from learners.base import DIVERGED, Configuration, Learner, Outcome
from schemas.errors import ConfigurationError
from schemas.settings import LearnerSettings

__all__ = ["Configuration", "Learner", "Outcome", "create", "tasks"]


@functools.cache
def tasks() -> Mapping[str, type[Learner]]:
    """Every learner there is, by the name of its task."""
    found: dict[str, type[Learner]] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        for value in vars(importlib.import_module(f"{__name__}.{module}")).values():
            if isinstance(value, type) and issubclass(value, Learner) and hasattr(value, "task"):
                found[value.task] = value
    return MappingProxyType(found)


def create(settings: LearnerSettings, seed: int = 0) -> Learner:
    """Make an untrained learner.

    Slow: the model is built and tried on made-up numbers. Call it once for the same settings, and
    ``fresh`` of what it gives once per sensor.

    Parameters
    ----------
    settings
        Section ``learner`` of the settings.
    seed
        For every estimator that takes one and has none in ``settings.model``.

    Raises
    ------
    schemas.errors.ConfigurationError
        If the model can't be made, is of the wrong kind for the task or fails on plain numbers.
    """
    try:
        learner = tasks()[settings.task]
    except KeyError:
        raise ConfigurationError("learner.task", settings.task, _either(tasks())) from None
    if settings.model is None:
        model = None
    else:
        river_model.build(settings.model, seed)
        model = river_model.canonical(settings.model)
    configuration = Configuration(
        model=model, lags=settings.lags, target=settings.target, seed=seed
    )
    made = learner(configuration)
    if model is not None:
        _try_out(made)
    return made.fresh()


def _try_out(learner: Learner) -> None:
    """Refuse a model that breaks on plain numbers."""
    feature = learner.configuration.target or "value"
    for turn in range(40):
        x = {feature: 20.0 + turn % 7, "other": 1.0 / (1 + turn)}
        if not learner.needs_label:
            x = {feature: x[feature]}
        learner.learn(x, float(turn % 3))
        learner.predict(x)
    if learner.broken_by not in (None, DIVERGED):
        raise ConfigurationError(
            "learner.model",
            learner.name,
            f"a model that learns from plain numbers in the task {learner.task}"
            f" ({learner.broken_by})",
        )


def _either(names: Mapping[str, object]) -> str:
    *others, last = sorted(names)
    return f"{', '.join(others)} or {last}"
