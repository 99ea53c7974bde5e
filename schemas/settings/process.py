"""What a process does besides: predictions, its web server, its log, what it keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator

from schemas.settings.fields import Count, Number, Section
from schemas.settings_errors import Allowed

Port = Annotated[int, Number, Field(ge=0, le=65535), Allowed("a port from 0 to 65535")]


class Predictions(Section):
    """The topic of predictions."""

    enabled: bool = False


class Http(Section):
    """/metrics, /healthz, /readyz and the dashboard."""

    host: Annotated[str, Field(min_length=1), Allowed("a host name or an address")] = "127.0.0.1"
    port: Port = 8080


class Log(Section):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"

    @field_validator("level", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value


class State(Section):
    """How much is kept, and the key that stored state and models are signed with."""

    max_sensors: Count = 125_000
    """Sensors that a partition keeps; those silent for the longest are forgotten."""
    signing_key: SecretStr | None = None
    signing_key_file: Path | None = None
