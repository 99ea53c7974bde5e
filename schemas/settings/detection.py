"""What counts as drift of one sensor, and what as a fault on the way here."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator
from pydantic_core import PydanticCustomError

from schemas.settings.fields import Count, Number, Section, not_negative
from schemas.settings.trees import from_json
from schemas.settings_errors import Allowed

DetectorName = Literal["adwin", "ddm", "page-hinkley", "kswin", "eddm", "hddm-a", "hddm-w", "cusum"]

CheckName = Literal["stuck", "range", "rate", "unit", "schema"]

Warmup = Annotated[int, Number, Field(ge=10), Allowed("a whole number of at least 10")]

FalseAlarms = Annotated[
    float,
    Number,
    Field(gt=0, le=1e6, allow_inf_nan=False),
    Allowed("a number greater than 0"),
]


def _scalar(value: object) -> object:
    if not isinstance(value, bool | int | float | str):
        raise PydanticCustomError("parameter", "expected a number, a string, true or false")
    return value


DetectorParameter = Annotated[bool | int | float | str, BeforeValidator(_scalar)]


class Detectors(Section):
    """Which detectors watch which signal; None is the built-in choice for that signal."""

    value: tuple[DetectorName, ...] | None = None
    error: tuple[DetectorName, ...] | None = None
    label: tuple[DetectorName, ...] | None = None
    prediction: tuple[DetectorName, ...] | None = None
    missing: tuple[DetectorName, ...] | None = None
    feature: tuple[DetectorName, ...] | None = None
    warmup: Warmup = 100
    """Values that make the reference of a signal."""
    params: dict[DetectorName, dict[str, DetectorParameter]] = {}
    """Parameters by detector, under River's names."""

    @field_validator("params", mode="before")
    @classmethod
    def _names_from_the_environment(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        # a variable's name can't hold a hyphen
        return {
            name.replace("_", "-") if isinstance(name, str) else name: _numbers(parameters)
            for name, parameters in value.items()
        }


def _numbers(parameters: object) -> object:
    if not isinstance(parameters, Mapping):
        return parameters
    return {
        name: from_json(value) if isinstance(value, str) else value
        for name, value in parameters.items()
    }


class Budget(Section):
    """How many false alarms are worth it; of the three the strictest counts."""

    per_10k_events: FalseAlarms = 0.5
    """False drifts per 10,000 events of a sensor."""
    per_sensor_per_year: FalseAlarms | None = None
    fleet_per_day: FalseAlarms | None = None
    """Of all sensors together."""


def _interval(limits: tuple[float, float]) -> tuple[float, float]:
    if not limits[0] < limits[1]:
        raise PydanticCustomError("interval", "expected [lowest, highest]")
    return limits


_Limit = Annotated[float, Number]

Ranges = Annotated[
    dict[
        Annotated[str, Field(pattern=r"^(value|feature:.+)$")],
        Annotated[tuple[_Limit, _Limit], AfterValidator(_interval)],
    ],
    Allowed("the lowest and highest reading by value or feature:GLOB: { value = [-40, 125] }"),
]


class Hygiene(Section):
    """What is told apart from drift as a fault on the way here."""

    checks: tuple[CheckName, ...] = ("stuck", "range", "rate", "unit", "schema")
    range: Ranges = {}
    """Lowest and highest reading there can be, by ``value`` or a glob on ``feature:<name>``."""

    def limits(self, signal: str) -> tuple[float, float] | None:
        """The limits of a reading; where several globs match, the first of them counts."""
        found = self.range.get(signal)
        if found is None:
            for pattern, limits in self.range.items():
                if fnmatch.fnmatchcase(signal, pattern):
                    return limits
        return found


class Episodes(Section):
    """When a change counts as over, and how soon the next one is told."""

    quiet_events: Count = 200
    """Events without a finding that end an episode; more than a warm-up takes."""
    cooldown_events: Annotated[
        int | None,
        Number,
        AfterValidator(not_negative),
        Allowed("a whole number of at least 0"),
    ] = None
    """See `detectors.episodes.Episodes`; None is half of `quiet_events`."""

    @property
    def cooldown(self) -> int:
        """The cool-down that holds, in events."""
        return self.quiet_events // 2 if self.cooldown_events is None else self.cooldown_events
