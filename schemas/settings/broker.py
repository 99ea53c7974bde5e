"""How to reach the brokers, and what is kept there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError

from schemas.errors import ConfigurationError
from schemas.settings.fields import Count, Number, Seconds, Section
from schemas.settings_errors import NOTHING, Allowed

TopicName = Literal[
    "sensors",
    "labels",
    "control",
    "predictions",
    "alerts",
    "adaptations",
    "retrain",
    "models",
    "dead-letters",
    "state",
]


def _servers(text: str) -> str:
    for server in text.split(","):
        host, _, port = server.strip().rpartition(":")
        if not host.strip() or not port.isdecimal() or not 0 < int(port) < 65536:
            raise PydanticCustomError("servers", "expected host:port[,host:port]")
    return text


def _readable(field: str, path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        reason = (error.strerror or "not readable").lower()
        allowed = f"a file that can be read ({reason})"
        raise ConfigurationError(field, str(path), allowed) from None


def _some_replicas(count: int) -> int:
    if count != -1 and not 1 <= count <= 32767:
        raise PydanticCustomError("replicas", "expected -1 or 1 to 32767")
    return count


class Kafka(Section):
    """How to reach the brokers; the names and values are librdkafka's."""

    bootstrap_servers: Annotated[
        str, AfterValidator(_servers), Allowed("host:port[,host:port]")
    ] = "localhost:9092"
    security_protocol: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = "plaintext"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_ca_location: Path | None = None
    ssl_certificate_location: Path | None = None
    ssl_key_location: Path | None = None
    ssl_key_password: SecretStr | None = None
    outage_timeout: Seconds = 600.0
    session_timeout: Seconds = 10.0

    @field_validator("security_protocol", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("sasl_mechanism", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        """Refuse a protocol that lacks what it needs."""
        if self.security_protocol.startswith("sasl"):
            if self.sasl_mechanism is None:
                allowed = f"one, such as PLAIN, with {self.security_protocol}"
                raise ConfigurationError("kafka.sasl_mechanism", NOTHING, allowed)
            for name in ("sasl_username", "sasl_password"):
                if getattr(self, name) is None:
                    allowed = f"one with {self.sasl_mechanism}"
                    raise ConfigurationError(f"kafka.{name}", NOTHING, allowed)
        if self.security_protocol.endswith("ssl"):
            for name in ("ssl_ca_location", "ssl_certificate_location", "ssl_key_location"):
                if (path := getattr(self, name)) is not None:
                    _readable(f"kafka.{name}", path)
        return self

    def librdkafka(self) -> dict[str, str]:
        """The connection as librdkafka's properties, secrets in clear: never to be printed."""
        properties = {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": self.security_protocol,
        }
        for name, value in (
            ("sasl.mechanism", self.sasl_mechanism),
            ("sasl.username", self.sasl_username),
            ("sasl.password", self.sasl_password),
            ("ssl.ca.location", self.ssl_ca_location),
            ("ssl.certificate.location", self.ssl_certificate_location),
            ("ssl.key.location", self.ssl_key_location),
            ("ssl.key.password", self.ssl_key_password),
        ):
            if value is not None:
                clear = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
                properties[name] = clear
        return properties


class Topics(Section):
    """Names and shapes of the topics."""

    prefix: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9._-]{1,200}$"),
        Allowed("1 to 200 of the characters a-z A-Z 0-9 . _ -"),
    ] = "driftline"
    partitions: Count = 8
    replication_factor: Annotated[
        int,
        Number,
        AfterValidator(_some_replicas),
        Allowed("-1 (the broker's default) or 1 to 32767"),
    ] = -1
    retention: Seconds = 604_800.0
    """Seconds that records stay on the topics that are cut by time."""


class Checkpoint(Section):
    """When state, alerts and position are made durable."""

    interval: Seconds = 1.0
