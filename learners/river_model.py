"""River estimators from their class names, and the one place where River's types are handled.

A model is configured as ``{class: "river.….Name", params: {…}}``, where a parameter may be such a
table again, or as a list of them: a pipeline, in order. Only public subclasses of
``river.base.Base`` are allowed; names are looked up, never evaluated.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import pickle
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, Final, TypeAlias

from river import anomaly, base, compose, multiclass, time_series

from learners import repeatable
from schemas.errors import ConfigurationError, UnknownKey, nearest
from schemas.settings import ModelSpec

__all__ = [
    "LINEAR",
    "Estimator",
    "Spec",
    "build",
    "canonical",
    "describe",
    "for_many_classes",
    "has_finite_probabilities",
    "is_classifier",
    "is_forecaster",
    "is_regressor",
    "is_scorer",
    "is_supervised_scorer",
    "new",
    "reason",
    "score_value",
    "warm_up",
]

repeatable.install()

Estimator: TypeAlias = Any
"""A River estimator. River is typed in part only; what it returns is checked where it is used."""

Spec: TypeAlias = ModelSpec | Mapping[str, Any] | Sequence[Any]
"""One estimator, or several in a row; as read from the settings or as plain JSON."""

FIELD: Final = "learner.model"
_CLASS: Final = "the path of a public River class, such as river.linear_model.LinearRegression"


def build(spec: Spec, seed: int = 0, field: str = FIELD) -> Estimator:
    """Make an untrained River estimator.

    Parameters
    ----------
    spec
        One estimator, or several in a row.
    seed
        For every estimator that has a parameter ``seed`` and is not given one.
    field
        Name of the setting, for messages.

    Raises
    ------
    schemas.errors.ConfigurationError
        For a class that is not River's, does not exist or can't be made from these parameters.

    Examples
    --------
    >>> build({"class": "river.linear_model.LinearRegression", "params": {"l2": 0.1}}).l2
    0.1
    """
    if _is_spec(spec):
        return _one(spec, seed, field)
    if isinstance(spec, Sequence) and not isinstance(spec, str) and spec:
        steps = [build(step, seed, f"{field}[{index}]") for index, step in enumerate(spec)]
        if len(steps) == 1:
            return steps[0]
        for index, step in enumerate(steps[:-1]):
            if not isinstance(step, base.Transformer | base.AnomalyFilter):
                raise ConfigurationError(
                    f"{field}[{index}]", type(step).__name__, "a transformer before the last step"
                )
        return compose.Pipeline(*steps)
    raise ConfigurationError(field, spec, "a table with class and params, or a list of them")


def canonical(spec: Spec) -> str:
    """The spec as JSON with sorted keys: the same text for the same model."""
    return json.dumps(_plain(spec), sort_keys=True, separators=(",", ":"))


def new(spec: str, seed: int) -> Estimator:
    """An untrained estimator from the text that `canonical` gave."""
    return pickle.loads(_template(spec, seed))  # noqa: S301 - made in this process


def describe(estimator: Estimator) -> str:
    """The estimator in a few words: ``StandardScaler | LinearRegression``."""
    return str(estimator)


def is_regressor(estimator: Estimator) -> bool:
    """Whether it predicts a number from features."""
    return isinstance(estimator, base.Regressor)


def is_classifier(estimator: Estimator) -> bool:
    """Whether it predicts a class from features."""
    return isinstance(estimator, base.Classifier)


def is_forecaster(estimator: Estimator) -> bool:
    """Whether it keeps the series itself, and forecasts it."""
    return isinstance(estimator, time_series.base.Forecaster)


def is_scorer(estimator: Estimator) -> bool:
    """Whether it scores how unusual an event is."""
    return isinstance(estimator, base.AnomalyDetector) or is_supervised_scorer(estimator)


def is_supervised_scorer(estimator: Estimator) -> bool:
    """Whether it scores a value rather than features."""
    return isinstance(estimator, base.SupervisedAnomalyDetector)


def for_many_classes(estimator: Estimator) -> Estimator:
    """The classifier itself, or one per class if it can tell only two apart."""
    last: Estimator = getattr(estimator, "_last_step", estimator)
    if last._multiclass:
        return estimator
    return multiclass.OneVsRestClassifier(estimator)


def warm_up(estimator: Estimator) -> int:
    """Samples, at least 1, that an anomaly detector learns before its scores say anything."""
    last = getattr(estimator, "_last_step", estimator)
    if isinstance(last, anomaly.HalfSpaceTrees):
        return int(last.window_size)
    return max(1, int(getattr(last, "grace_period", 1)))


def score_value(scorer: Estimator, value: Any) -> float:
    """Score of a value by a supervised anomaly detector."""
    if isinstance(scorer, anomaly.GaussianScorer) and not scorer.gaussian.sigma:
        # River calls a constant the utmost anomaly: its distribution function has its step there
        return float(value != scorer.gaussian.mu)
    return float(scorer.score_one(None, value))


def has_finite_probabilities(classifier: Estimator, x: Mapping[str, Any]) -> bool:
    """Whether what a classifier says of ``x`` is sound; one without probabilities always is."""
    try:
        return all(map(isfinite, classifier.predict_proba_one(x).values()))
    except NotImplementedError:
        return True


@functools.lru_cache(maxsize=256)
def _template(spec: str, seed: int) -> bytes:
    # unpickling is several times faster than building or cloning
    return pickle.dumps(build(json.loads(spec), seed), protocol=pickle.HIGHEST_PROTOCOL)


def _is_spec(value: object) -> bool:
    return isinstance(value, ModelSpec) or (isinstance(value, Mapping) and "class" in value)


def _plain(value: Any) -> Any:
    if isinstance(value, ModelSpec):
        return {"class": value.class_, "params": _plain(value.params)}
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _one(spec: Any, seed: int, field: str) -> Estimator:
    """Make one estimator, and those among its parameters."""
    if isinstance(spec, ModelSpec):
        path, params = spec.class_, spec.params
    else:
        if unknown := set(spec) - {"class", "params"}:
            raise UnknownKey(f"{field}.{min(unknown)}", (f"{field}.class", f"{field}.params"))
        path, params = spec["class"], spec.get("params", {})
    if not isinstance(params, Mapping):
        raise ConfigurationError(f"{field}.params", params, "a table of parameters")
    cls = _resolve(path, f"{field}.class")
    positional: list[Any] = []
    named: dict[str, Any] = {}
    signature = inspect.signature(cls).parameters
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature.values())
    for name, value in params.items():
        if name not in signature and not open_ended:
            raise UnknownKey(
                f"{field}.params.{name}", [f"{field}.params.{known}" for known in signature]
            )
        made = _parameter(name, value, seed, f"{field}.params.{name}")
        if name in signature and signature[name].kind is inspect.Parameter.VAR_POSITIONAL:
            positional = made if isinstance(made, list) else [made]
        else:
            named[name] = made
    if "seed" in signature and named.get("seed") is None:
        named["seed"] = seed
    try:
        return cls(*positional, **named)
    except Exception as error:  # noqa: BLE001 - any River class may stand here
        raise ConfigurationError(
            f"{field}.params", dict(params), f"parameters that {path} takes ({reason(error)})"
        ) from None


def _parameter(name: str, value: Any, seed: int, field: str) -> Any:
    if _is_spec(value):
        return _one(value, seed, field)
    if isinstance(value, list | tuple):
        if value and all(_is_spec(item) for item in value) and not name.endswith("s"):
            return build(value, seed, field)
        return [_parameter("", item, seed, f"{field}[{index}]") for index, item in enumerate(value)]
    return value


def _resolve(path: object, field: str) -> Any:
    """Return the public River class of a path, imported part by part."""
    if not isinstance(path, str):
        raise ConfigurationError(field, path, _CLASS)
    first, *parents, name = path.split(".") if path.count(".") else (path, "")
    if first != "river" or not name or any(part.startswith("_") for part in (*parents, name)):
        raise ConfigurationError(field, path, _CLASS)
    place: Any = importlib.import_module("river")
    for part in parents:
        if not hasattr(place, part):
            try:
                importlib.import_module(f"{place.__name__}.{part}")
            except ImportError:
                raise ConfigurationError(field, path, _CLASS) from None
        place = getattr(place, part)
        if not inspect.ismodule(place) or place.__name__.partition(".")[0] != "river":
            raise ConfigurationError(field, path, _CLASS)
    found = getattr(place, name, None)
    if not inspect.isclass(found):
        guess = nearest(name, _public(place))
        hint = f" (did you mean {path.rpartition('.')[0]}.{guess}?)" if guess else ""
        raise ConfigurationError(field, path, f"a public River class{hint}")
    if not issubclass(found, base.Base) or found.__module__.partition(".")[0] != "river":
        raise ConfigurationError(field, path, _CLASS)
    if inspect.isabstract(found):
        raise ConfigurationError(field, path, "a class that can be used, not an abstract one")
    return found


def _public(module: Any) -> list[str]:
    names = getattr(module, "__all__", dir(module))
    return sorted(name for name in names if inspect.isclass(getattr(module, name, None)))


def reason(error: Exception) -> str:
    """What went wrong inside River, in a few words."""
    return f"{type(error).__name__}: {error}"


LINEAR: Final = canonical(
    [
        {"class": "river.preprocessing.StandardScaler"},
        {"class": "river.linear_model.LinearRegression"},
    ]
)
"""The default for numbers."""
