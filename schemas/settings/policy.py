"""What drift leads to."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.settings.fields import Count, CountOrNone, Glob, Number, Section
from schemas.settings_errors import Allowed


class Rule(Section):
    """What to do about a drift event that fits; of all rules the first that fits counts."""

    diagnosis: Literal["upstream", "data", "prior", "concept", "*"] = "*"
    signal: Glob = "*"
    severity: Literal["low", "medium", "high", "*"] = "*"
    actions: tuple[Literal["reset", "relearn", "retrain"], ...]

    def __str__(self) -> str:
        """How an adaptation names the rule."""
        conditions = [
            f"{name}={value}"
            for name, value in (
                ("diagnosis", self.diagnosis),
                ("signal", self.signal),
                ("severity", self.severity),
            )
            if value != "*"
        ]
        return f"{' '.join(conditions) or 'any'} -> {'+'.join(self.actions) or 'nothing'}"


class Policy(Section):
    """What drift events lead to."""

    enabled: bool = True
    rules: tuple[Rule, ...] = (
        Rule(diagnosis="upstream", actions=()),
        Rule(diagnosis="concept", actions=("relearn", "retrain")),
        Rule(diagnosis="data", actions=("relearn",)),
        Rule(diagnosis="prior", actions=("relearn", "retrain")),
    )
    relearn: Literal["background", "fresh"] = "background"
    """A challenger learns beside the model until it is better, or a fresh model takes over."""
    cooldown_events: CountOrNone = 200
    challenger_events: Count = 200
    margin: Annotated[
        float, Number, Field(ge=0, lt=1, allow_inf_nan=False), Allowed("a number from 0 to 1")
    ] = 0.05
    """How much smaller, in parts of the model's error, the challenger's error must be."""
    retrain_min_events: Count = 500
