"""What the fields of several sections are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from schemas.settings_errors import Allowed


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticCustomError("number", "expected a number")
    return value


def _glob(text: str) -> str:
    if not text:
        raise PydanticCustomError("glob", "expected a pattern such as press-*")
    return text


def not_negative(count: int | None) -> int | None:
    """Refuse a count below 0."""
    if count is not None and count < 0:
        raise PydanticCustomError("count", "expected a whole number of at least 0")
    return count


Number = BeforeValidator(_no_bool)

Seconds = Annotated[
    float,
    Number,
    Field(gt=0, allow_inf_nan=False),
    Allowed("a number of seconds greater than 0"),
]

Count = Annotated[int, Number, Field(ge=1), Allowed("a whole number of at least 1")]

CountOrNone = Annotated[int, Number, Field(ge=0), Allowed("a whole number of at least 0")]

Glob = Annotated[
    str,
    AfterValidator(_glob),
    Allowed("a pattern that is not empty, such as press-*"),
]


class Section(BaseModel):
    """A table of the configuration: fixed once it is read, and without keys that mean nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)
