"""Streams of numbers that detectors are tried with."""

from __future__ import annotations

import random

REAL_KINDS = (
    "normal",
    "jumps",
    "spikes",
    "ramp",
    "constant",
    "decimals",
    "bits",
    "extreme",
    "tiny",
    "wide",
)
BIT_KINDS = ("bits", "rare ones", "all ones", "all zeros")


def stream(kind: str, seed: int, n: int) -> list[float]:
    """Return `n` numbers of a kind, the same ones for the same seed."""
    rng = random.Random(seed)
    if kind == "normal":
        return [rng.gauss(20.0, 2.0) for _ in range(n)]
    if kind == "spikes":
        return [rng.gauss(0.0, 1.0) + 1e3 * (rng.random() < 0.02) for _ in range(n)]
    if kind == "ramp":
        slope = rng.uniform(-0.05, 0.05)
        return [slope * i + rng.gauss(0.0, 1.0) for i in range(n)]
    if kind == "constant":
        return [rng.choice([0.0, 0.1, -7.3, 1e100])] * n
    if kind == "decimals":
        return [round(rng.gauss(21.5, 0.2), 1) for _ in range(n)]
    if kind == "extreme":
        return [rng.choice([1e100, -1e100, 0.0, 1.0]) for _ in range(n)]
    if kind == "tiny":
        return [rng.gauss(0.0, 1e-300) for _ in range(n)]
    if kind == "wide":
        return [rng.gauss(0.0, 1.0) * 10.0 ** rng.uniform(-100, 99) for _ in range(n)]
    if kind == "rare ones":
        return [float(rng.random() < 0.005) for _ in range(n)]
    if kind == "all ones":
        return [1.0] * n
    if kind == "all zeros":
        return [0.0] * n
    values: list[float] = []
    while len(values) < n:
        piece = rng.randint(30, 300)
        if kind == "bits":
            rate = rng.choice([0.0, 0.02, 0.1, 0.3, 0.5, 0.9, 1.0])
            values.extend(float(rng.random() < rate) for _ in range(piece))
        else:
            mean, spread = rng.uniform(-3.0, 3.0), rng.choice([0.0, 0.3, 1.0, 4.0])
            values.extend(rng.gauss(mean, spread) for _ in range(piece))
    return values[:n]
