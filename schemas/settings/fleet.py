"""What holds for many sensors at once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from schemas.settings.fields import Glob, Number, Seconds, Section
from schemas.settings_errors import Allowed
from schemas.timestamps import format_timestamp, parse_timestamp


class Fleet(Section):
    """When many sensors of a partition that change at once are one drift event."""

    enabled: bool = True
    window: Seconds = 300.0
    """Of event time."""
    min_sensors: Annotated[int, Number, Field(ge=2), Allowed("a whole number of at least 2")] = 5
    min_share: Annotated[
        float,
        Number,
        Field(gt=0, le=1, allow_inf_nan=False),
        Allowed("a number greater than 0, up to 1"),
    ] = 0.2
    """Of the sensors that sent something within the window."""


def _moment(value: object) -> object:
    if isinstance(value, datetime):
        value = value.isoformat()
    if not isinstance(value, str):
        raise PydanticCustomError("time", "expected a time")
    try:
        return parse_timestamp(value)
    except ValueError:
        raise PydanticCustomError("time", "expected a time") from None


Moment = Annotated[
    int,
    BeforeValidator(_moment),
    PlainSerializer(format_timestamp, return_type=str),
]

_TIME: Final = "a time with a zone, such as 2026-01-05T22:00:00Z"


class Maintenance(Section):
    """A stretch of event time in which what sensors send says nothing of them."""

    model_config = ConfigDict(validate_by_name=True)

    match: Glob
    from_: Annotated[Moment, Field(alias="from"), Allowed(_TIME)]
    until: Annotated[Moment, Allowed(f"{_TIME}, later than `from`")]

    @field_validator("until")
    @classmethod
    def _not_before_it_begins(cls, until: int, info: ValidationInfo) -> int:
        if until <= info.data.get("from_", until - 1):
            raise PydanticCustomError("time", "expected a later time")
        return until
