"""What is wrong with a configuration, said in one line: pydantic's errors in the user's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from schemas.errors import ConfigurationError, UnknownKey, nearest
from schemas.explain import dotted, phrase, real_location

__all__ = ["NOTHING", "Allowed", "Words", "dotted_keys", "explained", "models_in"]


class Allowed:
    """Says, in the words of an error message, what a field takes."""

    def __init__(self, text: str) -> None:
        self.text = text


class Words:
    """A value that is told, not shown."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        """The words, without quotation marks."""
        return self.text


NOTHING: Final = Words("nothing")


def explained(
    error: ValidationError, tree: Mapping[str, Any], model: type[BaseModel], place: str = ""
) -> ConfigurationError:
    """The first thing that is wrong in ``tree``, which was to be a ``model`` (under ``place``)."""
    errors = error.errors(include_url=False)
    first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
    location = [part for part in real_location(first["loc"], tree) if part != "[key]"]
    name = f"{place}.{dotted(location)}" if place else dotted(location)
    if first["type"] == "extra_forbidden":
        parent = name.rpartition(".")[0]
        owner, _ = _at(model, location[:-1])
        siblings = [f"{parent}.{key}" if parent else key for key in _keys(owner)]
        everything = [*siblings, *([] if place else dotted_keys(model))]
        return UnknownKey(name, everything if nearest(name, everything) else siblings)
    _, field = _at(model, location)
    metadata = field.metadata if field is not None else []
    allowed = [item.text for item in metadata if isinstance(item, Allowed)]
    expected = allowed[0] if allowed else phrase(first)
    return ConfigurationError(name, _shown(first, field), expected.replace("an object", "a table"))


def _shown(error: ErrorDetails, field: FieldInfo | None) -> object:
    value = error["input"]
    if error["type"] == "missing":
        return NOTHING
    if field is not None and "SecretStr" in repr(field.annotation):
        return Words("'**********'")
    if isinstance(value, Mapping):
        return Words("a table")
    if isinstance(value, list | tuple):
        return Words("a list")
    # text in place of a table may hold a secret
    annotation = None if field is None else field.annotation
    is_section = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return Words("a single value") if is_section else value


def _at(
    model: type[BaseModel], location: list[int | str]
) -> tuple[type[BaseModel], FieldInfo | None]:
    """The model and the field that ``location`` leads to, as far as it leads."""
    field = None
    for part in location:
        if isinstance(part, str) and (found := _keys(model).get(part)) is not None:
            field = found
            model = next(iter(models_in(found.annotation)), model)
    return model, field


def _keys(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def dotted_keys(model: type[BaseModel]) -> list[str]:
    """Every key of a model and of the models that are its fields, by dotted name."""
    keys: list[str] = []
    for name, field in _keys(model).items():
        inner = models_in(field.annotation)
        keys.append(name)
        if inner and field.annotation is inner[0]:
            keys += [f"{name}.{key}" for key in dotted_keys(inner[0])]
    return keys


def models_in(annotation: object) -> list[type[BaseModel]]:
    """The models that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models_in(part)]
