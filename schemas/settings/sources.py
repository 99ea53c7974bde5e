"""Where settings come from: built-in default < TOML file < environment < command line."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource, SettingsError

from schemas.errors import ConfigurationError, UnknownKey
from schemas.settings.trees import merge, nested
from schemas.settings.whole import PREFIX, Settings
from schemas.settings_errors import Words, dotted_keys, explained, models_in

CONFIG_FILE: Final = "driftline.toml"

_KUBERNETES: Final = re.compile(r"DRIFTLINE_(SERVICE_(HOST|PORT)|PORT)(_[A-Z0-9_]+)?")
"""Set in every pod beside a Service named driftline; not meant for us."""


def load_settings(
    config_file: Path | None = None, overrides: Mapping[str, Any] | None = None
) -> Settings:
    """Read the configuration: default < TOML file < environment < ``overrides``.

    Parameters
    ----------
    config_file
        A TOML file; without it, ``driftline.toml`` in the working directory if it is there.
    overrides
        From the command line, by dotted key: ``{"http.port": 0}``. Text for a list or a table is
        JSON.

    Raises
    ------
    ConfigurationError
        For the first thing that is wrong: one line that names the field, the value and what is
        allowed, or for an unknown key the nearest right one.
    """
    file = _from_file(config_file)
    _refuse_unknown_variables()
    try:
        environment = EnvSettingsSource(Settings)()
    except SettingsError as error:
        raise _not_json(error) from None
    given = merge(merge(file, environment), nested(overrides or {}))
    try:
        return Settings(**given)
    except ValidationError as error:
        raise explained(error, given, Settings) from None


def _from_file(config_file: Path | None) -> dict[str, Any]:
    path = Path(CONFIG_FILE) if config_file is None else config_file
    if config_file is None and not path.is_file():
        return {}
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        reason = (error.strerror or "not readable").lower()
        raise ConfigurationError(
            "-c", str(path), f"a TOML file that can be read ({reason})"
        ) from None
    except ValueError as error:
        raise ConfigurationError(str(path), Words("its text"), f"TOML ({error})") from None


def _refuse_unknown_variables() -> None:
    for name in os.environ:
        upper = name.upper()
        if not upper.startswith(PREFIX) or _KUBERNETES.fullmatch(upper):
            continue
        section, nested, _ = upper.removeprefix(PREFIX).lower().partition("__")
        field = Settings.model_fields.get(section)
        if field is None or (nested and models_in(field.annotation) == []):
            known = [PREFIX + key.upper().replace(".", "__") for key in dotted_keys(Settings)]
            raise UnknownKey(name, known)


def _not_json(error: SettingsError) -> ConfigurationError:
    quoted = re.search(r'field "(\w+)"', str(error))
    return ConfigurationError(
        quoted.group(1) if quoted else "environment", Words("its text"), "JSON"
    )
