"""What a drift event leads to: the first rule that fits decides."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

from schemas.events import DriftEvent
from schemas.settings import Rule

__all__ = ["decide", "first_match"]


def first_match(drift: DriftEvent, rules: Sequence[Rule]) -> Rule | None:
    """The first rule that fits a drift event.

    Warnings and recoveries fit none: nothing is done about them.

    Examples
    --------
    The rules that are built in do nothing about a fault upstream of the model: what it was taught
    is still right.

    >>> from schemas.settings import Policy
    >>> str(Policy().rules[0])
    'diagnosis=upstream -> nothing'
    """
    if drift.kind != "drift":
        return None
    for rule in rules:
        if (
            rule.diagnosis in ("*", drift.diagnosis)
            and rule.severity in ("*", drift.severity)
            and fnmatch.fnmatchcase(drift.signal, rule.signal)
        ):
            return rule
    return None


def decide(drift: DriftEvent, rules: Sequence[Rule]) -> tuple[str, ...]:
    """What to do about a drift event: any of ``reset``, ``relearn``, ``retrain``, or nothing."""
    rule = first_match(drift, rules)
    return () if rule is None else rule.actions
