"""A drift event in plain words, for someone who sees one for the first time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_DIAGNOSIS: Final = {
    "upstream": "a fault on the way here is likely: sensor, gateway or transport",
    "data": "the input changed; what is to be predicted may still follow it as before",
    "prior": "outcomes occur in other proportions than before",
    "concept": "the same input now leads to another outcome: the model has to relearn",
}

_CHECK: Final = {
    "missing": "more readings are missing",
    "stuck": "the reading no longer moves",
    "range": "readings leave their range",
    "rate": "events come at another rate",
    "unit": "the readings look like another unit",
    "schema": "events carry other fields",
    "fleet": "the sensor parts from the others of its kind",
}

_SIGNAL: Final = {
    "value": {
        "up": "the value went up",
        "down": "the value went down",
        "none": "the value changed",
    },
    "error": {
        "up": "predictions got worse",
        "down": "predictions got better",
        "none": "the prediction error changed",
    },
    "label": {
        "up": "the label went up",
        "down": "the label went down",
        "none": "the labels changed",
    },
    "prediction": {
        "up": "predictions went up",
        "down": "predictions went down",
        "none": "predictions changed",
    },
    "missing": {
        "up": "more readings are missing",
        "down": "fewer readings are missing",
        "none": "another share of readings is missing",
    },
}


def describe(drift: Mapping[str, Any]) -> str:
    """Say what a drift event means, in one sentence.

    Parameters
    ----------
    drift
        The JSON object of a drift event. Keys that are absent or null are passed over.

    Examples
    --------
    >>> describe({"kind": "drift", "signal": "value", "direction": "up", "detector": "adwin",
    ...           "before": {"n": 900, "mean": 20.0, "std": 0.5},
    ...           "after": {"n": 40, "mean": 22.0, "std": 0.5}})
    'The value went up: mean 20 before, 22 since.'
    """
    what = _what(drift)
    if drift.get("kind") == "recovered":
        return f"Quiet again after: {what}."
    if drift.get("kind") == "warning":
        what = f"first sign that {what}"
    sentence = f"{what[0].upper()}{what[1:]}"
    before, after = _mean(drift.get("before")), _mean(drift.get("after"))
    if before is not None and after is not None:
        if drift.get("signal") == "missing":  # 1 for a missing reading, 0 for one that is there
            sentence += f": {before:.0%} before, {after:.0%} since"
        else:
            sentence += f": mean {before:.4g} before, {after:.4g} since"
    return f"{sentence}."


def explain(drift: Mapping[str, Any]) -> str:
    """Say what the diagnosis of a drift event means; empty where there is none, or it is over."""
    if drift.get("kind") == "recovered":
        return ""
    return _DIAGNOSIS.get(str(drift.get("diagnosis")), "")


def _what(drift: Mapping[str, Any]) -> str:
    check = _CHECK.get(str(drift.get("detector")))
    if check is not None:
        return check
    signal, direction = str(drift.get("signal") or "a signal"), str(drift.get("direction", "none"))
    if signal.startswith("feature:"):
        verb = {"up": "went up", "down": "went down"}.get(direction, "changed")
        return f"{signal.removeprefix('feature:')} {verb}"
    words = _SIGNAL.get(signal)
    return f"{signal} changed" if words is None else words.get(direction, words["none"])


def _mean(statistics: object) -> float | None:
    mean = statistics.get("mean") if isinstance(statistics, Mapping) else None
    return float(mean) if isinstance(mean, int | float) else None
