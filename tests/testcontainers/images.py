"""The images under test: pulled, or built from Debian packages where nothing can be pulled."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import docker
from docker.errors import APIError, BuildError, ImageNotFound

from tests.brokers import ROOT, SERVER_FILES, kafka_jars

PUBLIC_BASE = "python:3.11-slim"
PUBLIC_KAFKA = "apache/kafka:4.1.1"
LOCAL_BASE = "driftline-test-base:bookworm"
LOCAL_KAFKA = "driftline-test-kafka:4.1.1"
DRIFTLINE = "driftline-test:latest"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def base(client: docker.DockerClient) -> str:
    """An image with Python 3.11: the public one, else one made of Debian packages."""
    if _available(client, PUBLIC_BASE):
        return PUBLIC_BASE
    if not _here(client, LOCAL_BASE):
        _debootstrap()
    return LOCAL_BASE


def kafka(client: docker.DockerClient) -> str:
    """An image of Apache Kafka 4.1.1: the public one, else one made of Maven's jars."""
    if _available(client, PUBLIC_KAFKA):
        return PUBLIC_KAFKA
    if not _here(client, LOCAL_KAFKA):
        with tempfile.TemporaryDirectory() as folder:
            context = Path(folder) / "context"
            shutil.copytree(Path(__file__).parent / "kafka", context)
            shutil.copytree(kafka_jars(), context / "libs")
            shutil.copy(SERVER_FILES / "log4j2.properties", context)
            _build(client, context, LOCAL_KAFKA, {"BASE": base(client)})
    return LOCAL_KAFKA


def driftline(client: docker.DockerClient) -> str:
    """The project's own image, built from the working tree."""
    _build(client, ROOT, DRIFTLINE, {"BASE": base(client)})
    return DRIFTLINE


def _here(client: docker.DockerClient, image: str) -> bool:
    try:
        client.images.get(image)
    except ImageNotFound:
        return False
    return True


def _available(client: docker.DockerClient, image: str) -> bool:
    if _here(client, image):
        return True
    try:
        client.images.pull(image)
    except APIError:
        return False
    return True


def _build(client: docker.DockerClient, context: Path, tag: str, arguments: dict[str, str]) -> None:
    try:
        client.images.build(path=str(context), tag=tag, buildargs=arguments, rm=True)
    except BuildError as error:
        log = "".join(str(line.get("stream", "")) for line in error.build_log)
        raise RuntimeError(f"{tag}: {error}\n{log[-3000:]}") from error


def _debootstrap() -> None:
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        raise RuntimeError(
            f"{PUBLIC_BASE} can't be pulled, and to make a base image of Debian packages takes "
            "root and debootstrap"
        )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        packages = "python3,python3-venv,ca-certificates"
        _run("debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", str(root))
        # What this machine trusts, a package proxy among it, is trusted inside.
        shutil.copy(CERTIFICATES, root / CERTIFICATES.relative_to("/"))
        archive = Path(folder) / "root.tar"
        _run("tar", "--directory", str(root), "--create", "--file", str(archive), ".")
        environment = f"ENV PIP_CERT={CERTIFICATES}"
        _run("docker", "import", "--change", environment, str(archive), LOCAL_BASE)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        output = done.stdout + done.stderr
        raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}\n{output[-2000:]}")
