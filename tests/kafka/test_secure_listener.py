"""Over TLS and with a password: every client of ours is let in, and secrets stay secret."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tests.brokers import KafkaServer, free_ports, wait_for

pytestmark = pytest.mark.kafka

PASSWORD = "s3cret-of-the-broker"
START = 1_767_614_400


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A Kafka with a second listener for TLS and SASL/PLAIN; yields the environment for it."""
    folder = tmp_path_factory.mktemp("secure")
    authority = trustme.CA(key_type=trustme.KeyType.RSA)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate = authority.issue_cert("127.0.0.1", "localhost", key_type=trustme.KeyType.RSA)
    (folder / "broker.pem").write_bytes(_for_kafka(certificate))
    (port,) = free_ports(1)
    server = KafkaServer(folder / "kafka")
    plain = f"127.0.0.1:{server.port}"
    controller = server._controller_port
    jaas = (
        "org.apache.kafka.common.security.plain.PlainLoginModule required "
        f'username="broker" password="{PASSWORD}" user_driftline="{PASSWORD}";'
    )
    with server._properties.open("a") as properties:
        properties.write(
            f"listeners=PLAINTEXT://{plain},CONTROLLER://127.0.0.1:{controller},"
            f"SECURE://127.0.0.1:{port}\n"
            f"advertised.listeners=PLAINTEXT://{plain},SECURE://127.0.0.1:{port}\n"
            "inter.broker.listener.name=PLAINTEXT\n"
            "listener.security.protocol.map="
            "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL\n"
            "sasl.enabled.mechanisms=PLAIN\n"
            f"listener.name.secure.plain.sasl.jaas.config={jaas}\n"
            "ssl.keystore.type=PEM\n"
            f"ssl.keystore.location={folder / 'broker.pem'}\n"
        )
    server.start()
    yield os.environ | {
        "DRIFTLINE_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{port}",
        "DRIFTLINE_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
        "DRIFTLINE_KAFKA__SASL_MECHANISM": "PLAIN",
        "DRIFTLINE_KAFKA__SASL_USERNAME": "driftline",
        "DRIFTLINE_KAFKA__SASL_PASSWORD": PASSWORD,
        "DRIFTLINE_KAFKA__SSL_CA_LOCATION": str(folder / "ca.pem"),
        "DRIFTLINE_TOPICS__PARTITIONS": "2",
        "DRIFTLINE_HTTP__PORT": "0",
        "DRIFTLINE_STATE__SIGNING_KEY": "a key that only this test knows",
    }
    server.kill()


def test_worker_and_commands_work_over_tls_with_a_password(
    secured: dict[str, str], tmp_path: Path
) -> None:
    assert _driftline(secured, "topics", "create").returncode == 0
    events = tmp_path / "press-7.csv"
    rows = (f"{START + i},{20 + i % 5}\n" for i in range(50))
    events.write_text("ts,value\n" + "".join(rows))
    assert _driftline(secured, "produce", str(events)).returncode == 0
    with (tmp_path / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "streams", "run"], env=secured, stderr=log, stdout=log
        )
    try:

        def scored() -> bool:
            assert worker.poll() is None, (tmp_path / "worker.log").read_text()
            shown = _driftline(secured, "state", "show", "press-7", "--json")
            return shown.returncode == 0 and json.loads(shown.stdout)["events"] == 50

        wait_for(scored, 60.0, "the worker has not scored 50 events")
    finally:
        worker.send_signal(signal.SIGTERM)
        code = worker.wait(20)
    assert code == 0
    assert PASSWORD not in (tmp_path / "worker.log").read_text()


def test_a_wrong_password_is_one_line_without_the_password(secured: dict[str, str]) -> None:
    done = _driftline(
        secured | {"DRIFTLINE_KAFKA__SASL_PASSWORD": "not-the-password"}, "topics", "check"
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "not-the-password" not in done.stderr + done.stdout


def _driftline(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "streams", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)


def _for_kafka(certificate: trustme.LeafCert) -> bytes:
    """The key as PKCS 8, which Kafka's PEM store wants, and the certificates."""
    key = load_pem_private_key(certificate.private_key_pem.bytes(), None)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem + b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
