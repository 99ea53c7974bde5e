"""A usage error as one line: the option, the value, what is allowed."""

from __future__ import annotations

from typing import Any

import typer
from pydantic import ValidationError

from schemas.errors import ConfigurationError
from schemas.explain import phrase

_CHOICES = " is not one of "


def explain(error: typer.TyperException) -> str:
    """What was wrong with the command line.

    Parameters
    ----------
    error
        As typer raises it. What it knows beyond its message it knows under names of its own,
        which is why none of them is taken for granted.
    """
    context: Any = getattr(error, "ctx", None)
    parameter: Any = getattr(error, "param", None)
    message = error.format_message().rstrip(".")
    if parameter is not None and isinstance(error.__cause__, ValidationError):
        return _bad_value(_option(parameter), error.__cause__)
    commands = getattr(getattr(context, "command", None), "commands", None)
    if commands and " command" in message:
        return f"{message}: expected one of {', '.join(commands)}"
    path = getattr(context, "command_path", "driftline")
    return f"{message} (see `{path} --help`)"


def _option(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name)
    return str(max(parameter.opts, key=len))


def _bad_value(option: str, cause: ValidationError) -> str:
    details = cause.errors(include_url=False)[0]
    _, is_choice, choices = details["msg"].partition(_CHOICES)
    allowed = f"one of {choices.rstrip('.')}" if is_choice else phrase(details)
    return str(ConfigurationError(option, details["input"], allowed.replace("'", "")))
