"""Made-up sensors, each with one change whose nature is known by how it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

CALM: Final = 1500
"""Events before the change."""
AFTER: Final = 1000

Features = dict[str, float | str | None]
Event = tuple[float | Features | None, Any]
Draw = Callable[[np.random.Generator, bool], Event]


@dataclass(frozen=True)
class Case:
    """One kind of change.

    Attributes
    ----------
    task
        Of the learner.
    truth
        The diagnosis that is right.
    name
        What changes.
    make
        Returns what draws an event, a reading and its label, before (False) or after the change.
    """

    task: str
    truth: str
    name: str
    make: Callable[[], Draw]

    def events(self, seed: int) -> Iterator[Event]:
        """Yield `CALM` events as usual, and `AFTER` events since the change."""
        rng = np.random.default_rng([seed, *self.name.encode()])
        draw = self.make()
        for n in range(CALM + AFTER):
            yield draw(rng, n >= CALM)


def _noise(before: float, after: float) -> Callable[[], Draw]:
    return lambda: lambda rng, changed: (float(rng.normal(after if changed else before)), None)


def _autoregression(before: float, after: float, level: float = 0.0) -> Callable[[], Draw]:
    def make() -> Draw:
        last = 0.0

        def draw(rng: np.random.Generator, changed: bool) -> Event:
            nonlocal last
            phi = after if changed else before
            # The noise is such that the variance is 1 at all times.
            last = phi * last + float(rng.normal()) * (1 - phi * phi) ** 0.5
            return last + (level if changed else 0.0), None

        return draw

    return make


def _cycle(period: float, level: float = 0.0) -> Callable[[], Draw]:
    def make() -> Draw:
        phase = 0.0

        def draw(rng: np.random.Generator, changed: bool) -> Event:
            nonlocal phase
            phase += 2 * np.pi / (period if changed else 25.0)
            return float(np.sin(phase) * 2 + rng.normal(0, 0.2)) + (level if changed else 0), None

        return draw

    return make


def _ramp() -> Draw:
    level = 0.0

    def draw(rng: np.random.Generator, changed: bool) -> Event:
        nonlocal level
        level = min(level + 0.02, 4.0) if changed else 0.0
        return float(rng.normal(level)), None

    return draw


def _missing() -> Draw:
    def draw(rng: np.random.Generator, changed: bool) -> Event:
        return None if changed and rng.random() < 0.4 else float(rng.normal(20, 1)), None

    return draw


def _stuck() -> Draw:
    def draw(rng: np.random.Generator, changed: bool) -> Event:
        return 20.0 if changed else float(rng.normal(20, 1)), None

    return draw


def _fahrenheit() -> Draw:
    def draw(rng: np.random.Generator, changed: bool) -> Event:
        celsius = float(rng.normal(21, 0.5))
        return celsius * 1.8 + 32 if changed else celsius, None

    return draw


Columns = tuple["np.ndarray[Any, Any]", str]
Shift = Callable[[np.random.Generator, "np.ndarray[Any, Any]"], None]
Rule = Callable[[np.random.Generator, "np.ndarray[Any, Any]", str], Any]


def _featured(
    rule: Rule,
    rule_after: Rule | None = None,
    move: Shift | None = None,
    share_of_a: float = 0.7,
    share_after: float | None = None,
    spoil: Callable[[np.random.Generator, Features], None] | None = None,
) -> Callable[[], Draw]:
    """Inputs first, the target from them: causal."""

    def draw(rng: np.random.Generator, changed: bool) -> Event:
        x = rng.normal(size=4)
        if changed and move is not None:
            move(rng, x)
        share = share_after if changed and share_after is not None else share_of_a
        lot = "A" if rng.random() < share else "B"
        y = (rule_after if changed and rule_after is not None else rule)(rng, x, lot)
        features: Features = {f"x{i}": float(value) for i, value in enumerate(x)}
        features["lot"] = lot
        features["oven"] = float(rng.normal(350, 2))
        if changed and spoil is not None:
            spoil(rng, features)
        return features, y

    return lambda: draw


def _caused(
    labels: Callable[[np.random.Generator, bool], Any],
    centre: Callable[[Any], tuple[float, ...]],
) -> Callable[[], Draw]:
    """The target first, inputs from it: what only changes its share is a label shift."""

    def draw(rng: np.random.Generator, changed: bool) -> Event:
        y = labels(rng, changed)
        x = rng.normal(centre(y), 1.0)
        return {f"x{i}": float(value) for i, value in enumerate(x)}, y

    return lambda: draw


def _plus(**shifts: float) -> Shift:
    def move(rng: np.random.Generator, x: np.ndarray[Any, Any]) -> None:
        for name, shift in shifts.items():
            x[int(name[1:])] += shift

    return move


def _null(rng: np.random.Generator, features: Features) -> None:
    if rng.random() < 0.3:
        features["x1"] = None


def _kelvin(rng: np.random.Generator, features: Features) -> None:
    features["oven"] = float(features["oven"] or 0.0) * 1.8 + 32


def _above(limit: float, flips: float = 0.0, of: int = 0) -> Rule:
    def rule(rng: np.random.Generator, x: np.ndarray[Any, Any], lot: str) -> Any:
        good = bool(x[of] + 0.3 * x[1] > limit)
        return int(good != (rng.random() < flips))

    return rule


def _not(rule: Rule) -> Rule:
    return lambda rng, x, lot: 1 - rule(rng, x, lot)


def _line(*weights: float, offset: float = 0.0, bend: float = 0.0) -> Rule:
    def rule(rng: np.random.Generator, x: np.ndarray[Any, Any], lot: str) -> Any:
        bent = bend * (x[1] * x[1] - 1.0)
        return float(x[: len(weights)] @ weights + offset + bent + rng.normal(0, 0.3))

    return rule


def _share(before: float, after: float) -> Callable[[np.random.Generator, bool], Any]:
    return lambda rng, changed: int(rng.random() < (after if changed else before))


def _of_three(before: tuple[float, ...], after: tuple[float, ...]) -> Any:
    return lambda rng, changed: str(
        rng.choice(["dry", "good", "wet"], p=after if changed else before)
    )


_PLACES = {"dry": (-1.5, 0.0, 0.0), "good": (0.0, 1.5, 0.0), "wet": (1.5, 0.0, 0.5)}
_USUAL = _above(0.0)
_SUM = _line(1.0, 0.5, -0.5)

CASES: Final = (
    Case("forecast", "data", "level up by two deviations", _noise(20, 22)),
    Case("forecast", "data", "level down by one deviation", _noise(20, 19)),
    Case("forecast", "data", "level of a dependent series", _autoregression(0.6, 0.6, 3.0)),
    Case("forecast", "data", "level of a cycle", _cycle(25.0, 4.0)),
    Case("forecast", "data", "slow rise", lambda: _ramp()),
    Case("forecast", "concept", "follows itself, then contradicts", _autoregression(0.7, -0.7)),
    Case("forecast", "concept", "follows itself, then forgets", _autoregression(0.95, 0.0)),
    Case("forecast", "concept", "cycle of another length", _cycle(6.0)),
    Case("forecast", "upstream", "readings missing", lambda: _missing()),
    Case("forecast", "upstream", "stuck", lambda: _stuck()),
    Case("forecast", "upstream", "Celsius to Fahrenheit", lambda: _fahrenheit()),
    Case(
        "classification",
        "data",
        "an input without influence",
        _featured(_USUAL, move=_plus(x3=1.5)),
    ),
    Case("classification", "data", "an input that matters", _featured(_USUAL, move=_plus(x0=1.0))),
    Case(
        "classification", "data", "three inputs", _featured(_USUAL, move=_plus(x0=-0.7, x2=1, x3=1))
    ),
    Case(
        "classification",
        "data",
        "another mix of lots, and one input",
        _featured(_USUAL, move=_plus(x2=-1.2), share_after=0.2),
    ),
    Case("classification", "concept", "the limit moves", _featured(_USUAL, _above(1.0))),
    Case("classification", "concept", "classes swapped", _featured(_USUAL, _not(_USUAL))),
    Case(
        "classification", "concept", "a third of labels wrong", _featured(_USUAL, _above(0.0, 0.35))
    ),
    Case(
        "classification", "concept", "another input decides", _featured(_USUAL, _above(0.0, of=2))
    ),
    Case(
        "classification",
        "concept",
        "the limit moves, and an input without influence",
        _featured(_USUAL, _above(1.2), move=_plus(x3=1.0)),
    ),
    Case(
        "classification",
        "prior",
        "half to one in eight",
        _caused(_share(0.5, 0.12), lambda y: (1.5 * y, -y, 0)),
    ),
    Case(
        "classification",
        "prior",
        "rare to common",
        _caused(_share(0.1, 0.5), lambda y: (2 * y, y, 0)),
    ),
    Case(
        "classification",
        "prior",
        "three classes",
        _caused(_of_three((0.3, 0.4, 0.3), (0.1, 0.2, 0.7)), _PLACES.__getitem__),
    ),
    Case("classification", "upstream", "an input missing", _featured(_USUAL, spoil=_null)),
    Case("classification", "upstream", "unit of an input", _featured(_USUAL, spoil=_kelvin)),
    Case("regression", "data", "an input without influence", _featured(_SUM, move=_plus(x3=1.5))),
    Case("regression", "data", "an input that matters", _featured(_SUM, move=_plus(x0=1.5))),
    Case("regression", "data", "three inputs", _featured(_SUM, move=_plus(x0=-1, x1=1, x3=1))),
    Case(
        "regression",
        "data",
        "another mix of lots, and one input",
        _featured(_SUM, move=_plus(x2=-1.2), share_after=0.2),
    ),
    Case("regression", "concept", "an offset", _featured(_SUM, _line(1.0, 0.5, -0.5, offset=3.0))),
    Case("regression", "concept", "a coefficient turned", _featured(_SUM, _line(-1.0, 0.5, -0.5))),
    Case(
        "regression",
        "concept",
        "another input decides",
        _featured(_SUM, _line(0.0, 0.5, -0.5, 1.0)),
    ),
    Case("regression", "concept", "a line bent", _featured(_SUM, _line(1.0, 0.5, -0.5, bend=1.0))),
    Case(
        "regression",
        "concept",
        "an offset, and an input without influence",
        _featured(_SUM, _line(1.0, 0.5, -0.5, offset=2.0), move=_plus(x3=1.0)),
    ),
    Case(
        "regression",
        "prior",
        "mean up",
        _caused(lambda rng, c: float(rng.normal(1.5 * c)), lambda y: (2 * y, -y, 0)),
    ),
    Case(
        "regression",
        "prior",
        "high ones common",
        _caused(
            lambda rng, c: float(rng.normal(3 * (rng.random() < (0.8 if c else 0.2)))),
            lambda y: (y, -y, y),
        ),
    ),
    Case("regression", "upstream", "an input missing", _featured(_SUM, spoil=_null)),
    Case("regression", "upstream", "unit of an input", _featured(_SUM, spoil=_kelvin)),
)
