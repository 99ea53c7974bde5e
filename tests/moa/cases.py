"""Which of our detectors is held against which of MOA's, on which streams."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from detectors import create

LENGTH: Final = 4000
SEEDS: Final = (1, 2, 3)
CALM: Final = 20.0


@dataclass(frozen=True)
class Case:
    """One comparison.

    Parameters
    ----------
    name
        Of our detector.
    moa
        MOA's, as its driver takes it.
    params
        Ours.
    why
        Why both differ; empty if they are the same at each index.
    begins_calm
        The streams have no noise in their first 30 values, and are never below zero.
    """

    name: str
    moa: str
    params: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""
    begins_calm: bool = False

    @property
    def label(self) -> str:
        """What tells it from other cases."""
        told = " ".join(f"{key}={value}" for key, value in self.params.items())
        return f"{self.name} {told} / {self.moa}".replace("  ", " ")

    @property
    def streams(self) -> list[str]:
        """The streams that both take: bits for a detector of bits, otherwise all."""
        bits = create(self.name).domain == "bit"
        names = [name for name in STREAMS if not bits or name.startswith("Bernoulli")]
        return [name for name in names if not self.begins_calm or name.startswith("N")]

    def stream(self, name: str, seed: int) -> list[float]:
        """Return a stream as both get it."""
        values = stream(name, seed)
        # River sums from the first value on, that test of MOA from the 31st: without noise the 30
        # values before come to the same. It takes magnitudes.
        return [CALM] * 30 + [CALM + x for x in values] if self.begins_calm else values


CASES: Final = (
    Case("adwin", "anew ADWIN 0.002 32"),
    Case("adwin", "anew ADWIN 0.2 1", {"delta": 0.2, "clock": 1}),
    Case(
        "adwin",
        "ADWIN 0.002 32",
        why="after a change MOA goes on with the newer part of its window, River begins with an "
        "empty one",
    ),
    Case(
        "adwin",
        "ADWINChangeDetector",
        why="as above; and this class of MOA reports only changes upwards",
    ),
    Case("ddm", "DDM", {"warm_start": 28}),
    Case("ddm", "DDM -n 32"),
    Case(
        "ddm",
        "DDM -n 100 -w 1.0 -o 2.0",
        {"warm_start": 98, "warning_threshold": 1.0, "drift_threshold": 2.0},
    ),
    Case("ddm", "DDM", why="River begins to look for the minimum two values later"),
    Case(
        "page-hinkley",
        "first PageHinkleyTest 50 0.005",
        {"mode": "up", "min_instances": 31, "alpha": 1.0},
        begins_calm=True,
    ),
    Case(
        "page-hinkley",
        "first PageHinkleyTest 10 0.25",
        {"mode": "up", "min_instances": 31, "alpha": 1.0, "threshold": 10.0, "delta": 0.25},
        begins_calm=True,
    ),
    Case(
        "page-hinkley",
        "PageHinkleyDM",
        why="this class of MOA looks upwards only and compares the sum itself with the threshold, "
        "not its distance from the minimum",
    ),
    Case(
        "eddm",
        "EDDM",
        why="MOA divides the squared deviations of the distances by their number, River by one "
        "less; and MOA looks from one value earlier on",
    ),
    Case("hddm-a", "HDDM_A_Test -t One-sided"),
    Case(
        "hddm-a",
        "HDDM_A_Test -t One-sided -d 0.05 -w 0.1",
        {"drift_confidence": 0.05, "warning_confidence": 0.1},
    ),
    Case(
        "hddm-a",
        "HDDM_A_Test",
        {"two_sided_test": True},
        why="both begin anew at a fall too; River reports it, MOA does not",
    ),
    Case(
        "hddm-w",
        "HDDM_W_Test",
        why="a sample of one value has the weight 1 in MOA, and less in River",
    ),
    Case(
        "cusum",
        "CusumDM",
        why="ours is Page's chart: two-sided, in standard deviations of a reference; MOA's sums "
        "raw deviations from the running mean, upwards",
    ),
)


# --- streams -----------------------------------------------------------------------------


def _levels(rng: random.Random, levels: Sequence[float], blend: int) -> list[float]:
    """Return a level for each value: pieces of equal length; over `blend` values drawn from two."""
    piece = LENGTH // len(levels)
    drawn = []
    for n in range(LENGTH):
        now = min(n // piece, len(levels) - 1)
        since = n - now * piece
        old = now > 0 and since < blend and rng.random() >= since / blend
        drawn.append(levels[now - old])
    return drawn


def _normal(*levels: float, blend: int = 0) -> Any:
    def draw(rng: random.Random) -> list[float]:
        return [rng.gauss(level, 1.0) for level in _levels(rng, levels, blend)]

    return draw


def _bits(*rates: float, blend: int = 0) -> Any:
    def draw(rng: random.Random) -> list[float]:
        return [float(rng.random() < rate) for rate in _levels(rng, rates, blend)]

    return draw


STREAMS: Final = MappingProxyType(
    {
        "N(0, 1), stationary": _normal(0.0),
        "N(0, 1), abrupt": _normal(0.0, 2.0, -1.0, 0.0),
        "N(0, 1), gradual": _normal(0.0, 2.0, -1.0, 0.0, blend=500),
        "Bernoulli, stationary": _bits(0.2),
        "Bernoulli, abrupt": _bits(0.1, 0.5, 0.2, 0.4),
        "Bernoulli, gradual": _bits(0.1, 0.5, 0.2, 0.4, blend=500),
    }
)


def stream(name: str, seed: int) -> list[float]:
    """Return a stream; the same at any time and place."""
    drawn: list[float] = STREAMS[name](random.Random(f"{name} {seed}"))
    return drawn
