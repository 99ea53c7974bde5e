"""Detectors by name. A new detector is a new module in this package, found here by itself."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import detectors
from detectors.base import Detector
from schemas.errors import ConfigurationError, UnknownKey, nearest

Parameter = float | int | bool | str


@cache
def classes() -> Mapping[str, type[Detector]]:
    """Every detector class of this package by its name, in alphabetical order."""
    found: dict[str, type[Detector]] = {}
    for module in pkgutil.iter_modules(detectors.__path__, "detectors."):
        if module.name == __name__:
            continue
        for item in vars(importlib.import_module(module.name)).values():
            if (
                inspect.isclass(item)
                and issubclass(item, Detector)
                and item.__module__ == module.name
                and "name" in vars(item)
            ):
                found[item.name] = item
    return MappingProxyType(dict(sorted(found.items())))


def parameters(name: str) -> Mapping[str, Parameter]:
    """Parameters of a detector and their defaults.

    Raises
    ------
    ConfigurationError
        There is no detector of that name.
    """
    signature = inspect.signature(_class_of(name).__init__)
    return {
        parameter.name: parameter.default
        for parameter in signature.parameters.values()
        if parameter.name != "self"
    }


def create(name: str, **params: Parameter) -> Detector:
    """Make a detector.

    Parameters
    ----------
    name
        One of `classes`, e.g. ``"page-hinkley"``.
    **params
        Its parameters, under River's names; the rest keep their defaults.

    Raises
    ------
    ConfigurationError
        Unknown name or parameter (the nearest right one is named), wrong type or range.

    Examples
    --------
    >>> from detectors.registry import create
    >>> create("adwin", delta=0.01)
    Adwin(delta=0.01, clock=32, max_buckets=5, min_window_length=5, grace_period=10)
    """
    chosen = _class_of(name)
    for parameter in params:
        if parameter not in chosen.allowed:
            raise UnknownKey(f"{name}.{parameter}", [f"{name}.{known}" for known in chosen.allowed])
    return chosen(**params)


def _class_of(name: str) -> type[Detector]:
    found = classes()
    if name not in found:
        guess = nearest(name, found)
        hint = f" (did you mean {guess}?)" if guess else ""
        raise ConfigurationError("detector", name, f"one of {', '.join(found)}{hint}")
    return found[name]
