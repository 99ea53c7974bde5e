"""A worker at work on both brokers, shared by the tests that need nothing of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.brokers import free_ports
from tests.deployment import EAGER, Deployment, eventually, get

CLASSES = {"match": "oven-*", "learner": {"task": "classification"}}
HANDLED = {"match": "managed-*", "policy": {"challenger_events": 50}}
WARNED = {
    "match": "warned-*",
    "episodes": {"quiet_events": 100},
    "detectors": {
        "value": ["ddm"],
        "params": {"ddm": {"warm_start": 30, "warning_threshold": 3.0, "drift_threshold": 4.5}},
    },
}


@pytest.fixture(
    scope="session",
    params=[
        pytest.param("embedded", marks=pytest.mark.embedded),
        pytest.param("kafka", marks=pytest.mark.kafka),
    ],
)
def at_work(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """One worker with the policy off, predictions on, and a web server on ``port``.

    Sensors named ``oven-*`` are classified, those named ``warned-*`` are warned of before a
    drift; each test has sensors of its own.
    """
    server = request.getfixturevalue(
        {"embedded": "embedded_broker", "kafka": "kafka"}[request.param]
    )
    overrides = {
        **EAGER,
        "policy.enabled": False,
        "predictions.enabled": True,
        "sensors": [CLASSES, HANDLED, WARNED],
        "http.port": free_ports(1)[0],
        "checkpoint.interval": 0.1,
    }
    with Deployment(server, tmp_path_factory.mktemp("at-work"), **overrides) as deployment:
        worker = deployment.start()
        port = deployment.overrides["http.port"]
        eventually(lambda: "worker starting" in worker.text(), message=worker.tail())
        eventually(lambda: get(port, "/readyz")[0] == 200, message="the worker is not ready")
        yield deployment
        assert worker.exit_code is None, worker.tail()
        assert worker.stop() == 0, worker.tail()
