"""What is learned of a sensor, and how long it waits for labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Discriminator, Field, JsonValue, Tag

from schemas.settings.fields import Count, CountOrNone, Seconds, Section
from schemas.settings_errors import Allowed


class ModelSpec(Section):
    """A River estimator by class name, with its parameters, which may be estimators themselves."""

    model_config = ConfigDict(validate_by_name=True)

    class_: Annotated[
        str,
        Field(alias="class", pattern=r"^river(\.[A-Za-z_][A-Za-z0-9_]*)+$"),
        Allowed("the dotted path of a River class, such as river.linear_model.LinearRegression"),
    ]
    params: dict[str, ModelParameter] = {}


def _parameter_kind(value: object) -> str:
    def is_spec(item: object) -> bool:
        return isinstance(item, ModelSpec) or (isinstance(item, Mapping) and "class" in item)

    if is_spec(value):
        return "model"
    if isinstance(value, list | tuple) and value and all(is_spec(item) for item in value):
        return "pipeline"
    return "json"


ModelParameter = Annotated[
    Annotated[ModelSpec, Tag("model")]
    | Annotated[tuple[ModelSpec, ...], Tag("pipeline")]
    | Annotated[JsonValue, Tag("json")],
    Discriminator(_parameter_kind),
]

ModelSpec.model_rebuild()


def _model_kind(value: object) -> str:
    return "pipeline" if isinstance(value, list | tuple) else "model"


class LearnerSettings(Section):
    """What is learned of each sensor."""

    task: Literal["forecast", "classification", "regression", "anomaly"] = "forecast"
    lags: Count = 3
    """``forecast``: how many of the last values the next one is predicted from."""
    target: str | None = None
    """``forecast`` on events with features: the feature to forecast."""
    model: (
        Annotated[
            Annotated[ModelSpec, Tag("model")]
            | Annotated[tuple[ModelSpec, ...], Field(min_length=1), Tag("pipeline")],
            Discriminator(_model_kind),
        ]
        | None
    ) = None
    """A River estimator, or several in a row; None is the task's own default."""
    grace: CountOrNone = 100
    """Events learned before the model's errors are looked at."""


class Labels(Section):
    """How long predictions wait for their labels, and labels for their events, per sensor."""

    max_pending: Count = 1000
    max_age: Seconds = 2_592_000.0
