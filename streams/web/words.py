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
    "fleet": "many sensors changed at once",
}

_SUBJECT: Final = {
    "value": "the value",
    "error": "the error",
    "label": "the label",
    "prediction": "the prediction",
    "missing": "the share of missing readings",
}
_A_SHIFT: Final = 0.1
"""Standard deviations of a shift that is worth telling."""

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


def strongest(drift: Mapping[str, Any]) -> str:
    """Say what moved the farthest, and which input did so first; empty where nothing did.

    Examples
    --------
    >>> moved = {"subject": "feature", "name": "pressure", "moved": True, "shift": 1.5, "psi": 0.9}
    >>> strongest({"evidence": [moved]})
    'pressure moved up by 1.5 standard deviations (PSI 0.9)'
    """
    listed = drift.get("evidence")
    entries = [entry for entry in listed or () if isinstance(entry, Mapping) and entry.get("moved")]
    if not entries:
        return ""
    top = entries[0]
    shift, psi = top.get("shift"), top.get("psi")
    how = ""
    if isinstance(shift, int | float) and abs(shift) >= _A_SHIFT:
        way = "up" if shift > 0 else "down"
        how = f" {way} by {abs(shift):.2g} standard deviations"
    size = f" (PSI {psi:.2g})" if isinstance(psi, int | float) else ""
    first = next((entry for entry in entries if entry.get("first_moved")), top)
    then = f"; {_named(first)} moved first" if first is not top else ""
    farthest = " the farthest," if len(entries) > 1 and how else ""
    return f"{_named(top)} moved{farthest}{how}{size}{then}"


def _named(entry: Mapping[str, Any]) -> str:
    subject, name = str(entry.get("subject")), entry.get("name")
    if subject == "feature":
        return str(name)
    words = _SUBJECT.get(subject, subject)
    return words if name is None else f"{words} of class {name}"


def _what(drift: Mapping[str, Any]) -> str:
    count = drift.get("member_count")
    if isinstance(count, int):
        return f"{count:,} sensors changed at once"
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
