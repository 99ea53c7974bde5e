"""The same connection settings for each Kafka client in use."""

from __future__ import annotations

import ssl
from typing import Any

import faust

from schemas.errors import ConfigurationError
from schemas.settings import Kafka


def ssl_context(kafka: Kafka) -> ssl.SSLContext | None:
    """Return the TLS context, None where the security protocol has none.

    Raises
    ------
    ConfigurationError
        If a certificate or key file can't be read.
    """
    if kafka.security_protocol not in ("ssl", "sasl_ssl"):
        return None
    field, path = "kafka.ssl_ca_location", kafka.ssl_ca_location
    try:
        context = ssl.create_default_context(cafile=str(path) if path else None)
        if kafka.ssl_certificate_location:
            field, path = "kafka.ssl_certificate_location", kafka.ssl_certificate_location
            password = kafka.ssl_key_password
            context.load_cert_chain(
                str(kafka.ssl_certificate_location),
                str(kafka.ssl_key_location) if kafka.ssl_key_location else None,
                password.get_secret_value() if password else None,
            )
    except (OSError, ssl.SSLError) as error:
        # A wrong ssl_key_location or ssl_key_password shows itself with the certificate.
        allowed = f"PEM files of a CA, or of a certificate and its key ({error})"
        raise ConfigurationError(field, str(path), allowed) from error
    return context


def aiokafka_options(kafka: Kafka) -> dict[str, Any]:
    """Return the constructor arguments that every aiokafka client takes."""
    options: dict[str, Any] = {
        "bootstrap_servers": kafka.bootstrap_servers.split(","),
        "security_protocol": kafka.security_protocol.upper(),
        "ssl_context": ssl_context(kafka),
    }
    if kafka.security_protocol.startswith("sasl"):
        password = kafka.sasl_password
        options |= {
            "sasl_mechanism": kafka.sasl_mechanism,
            "sasl_plain_username": kafka.sasl_username,
            "sasl_plain_password": password.get_secret_value() if password else None,
        }
    return options


def faust_credentials(kafka: Kafka) -> Any:
    """Return Faust's credentials object, None for a plaintext listener."""
    context = ssl_context(kafka)
    if kafka.security_protocol == "ssl":
        return faust.SSLCredentials(context=context)
    if kafka.security_protocol.startswith("sasl"):
        password = kafka.sasl_password
        return faust.SASLCredentials(
            mechanism=kafka.sasl_mechanism,
            username=kafka.sasl_username,
            password=password.get_secret_value() if password else None,
            ssl_context=context,
        )
    return None
