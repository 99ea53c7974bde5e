"""The web server, asked over real HTTP: what it answers, and what it refuses."""

from __future__ import annotations

import asyncio
import io
import json
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog
from aiohttp import ClientSession
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from schemas.errors import ConfigurationError
from schemas.settings import Http
from streams.metrics import Metrics
from streams.web import WebServer, start_web
from streams.web.words import describe, explain

DRIFT: dict[str, Any] = {
    "id": "0f",
    "sensor_id": "oven-2",
    "ts": "2026-01-05T12:00:00Z",
    "kind": "drift",
    "detector": "adwin",
    "signal": "error",
    "direction": "up",
    "diagnosis": "concept",
    "severity": "high",
    "before": {"n": 992, "mean": 0.2, "std": 0.4},
    "after": {"n": 31, "mean": 0.79, "std": 0.41},
}


@dataclass
class Process:
    alive: bool = True
    reasons: list[str] = field(default_factory=list)
    shown: Mapping[str, Any] = field(
        default_factory=lambda: {
            "role": "worker",
            "events": 3,
            "lag_seconds": 0.5,
            "partitions": [],
            "recent_drift": [DRIFT],
        }
    )

    @property
    def ready(self) -> tuple[bool, list[str]]:
        return not self.reasons, self.reasons

    def status(self) -> Mapping[str, Any]:
        return self.shown


@pytest.fixture
def process() -> Process:
    return Process()


@pytest.fixture
async def server(process: Process) -> AsyncIterator[WebServer]:
    registry = CollectorRegistry()
    Metrics.create(registry).events.inc(3)
    running = await start_web(Http(port=0), registry, process)
    yield running
    await running.stop()


@pytest.fixture
async def http(server: WebServer) -> AsyncIterator[ClientSession]:
    async with ClientSession(server.url) as session:
        yield session


async def test_the_default_is_loopback(server: WebServer) -> None:
    assert server.host == "127.0.0.1"
    assert server.url == f"http://127.0.0.1:{server.port}/"


async def test_metrics_are_in_the_text_format_of_prometheus(http: ClientSession) -> None:
    async with http.get("/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        families = {f.name for f in text_string_to_metric_families(await answer.text())}
    assert "driftline_events" in families


async def test_metrics_are_in_openmetrics_for_who_asks_for_it(http: ClientSession) -> None:
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    async with http.get("/metrics", headers=accept) as answer:
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
        assert (await answer.text()).endswith("# EOF\n")


async def test_healthz_is_ok_while_the_process_is_alive(
    http: ClientSession, process: Process
) -> None:
    process.reasons = ["partition 3 is being restored"]
    async with http.get("/healthz") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "ok"})


async def test_healthz_fails_once_the_process_is_dead(
    http: ClientSession, process: Process
) -> None:
    process.alive = False
    async with http.get("/healthz") as answer:
        assert (answer.status, await answer.json()) == (503, {"status": "dead"})


async def test_readyz_says_why_it_is_not_ready(http: ClientSession, process: Process) -> None:
    process.reasons = ["partition 3 is being restored"]
    async with http.get("/readyz") as answer:
        assert answer.status == 503
        assert (await answer.json())["reasons"] == ["partition 3 is being restored"]
    process.reasons = []
    async with http.get("/readyz") as answer:
        assert (answer.status, (await answer.json())["status"]) == (200, "ready")


async def test_the_status_holds_drift_events_in_plain_words(http: ClientSession) -> None:
    async with http.get("/api/status") as answer:
        status = await answer.json()
    assert status["alive"] is True
    assert status["ready"] is True
    (drift,) = status["recent_drift"]
    assert drift["sensor_id"] == "oven-2"
    assert drift["words"] == "Predictions got worse: mean 0.2 before, 0.79 since."


async def test_the_status_stays_short(http: ClientSession, process: Process) -> None:
    process.shown = {**process.shown, "recent_drift": [DRIFT] * 1000}
    async with http.get("/api/status") as answer:
        assert len((await answer.json())["recent_drift"]) == 50


async def test_a_figure_that_is_not_finite_is_null_in_the_status(
    http: ClientSession, process: Process
) -> None:
    process.shown = {**process.shown, "lag_seconds": float("nan")}
    async with http.get("/api/status") as answer:
        assert json.loads(await answer.text())["lag_seconds"] is None


async def test_a_failing_status_is_an_error_of_that_request_alone(
    http: ClientSession, process: Process
) -> None:
    process.shown = {"recent_drift": 7}
    async with http.get("/api/status") as answer:
        assert answer.status == 500
        assert "Traceback" not in await answer.text()
    async with http.get("/healthz") as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/", "text/html"), ("/dashboard.css", "text/css"), ("/dashboard.js", "text/javascript")],
)
async def test_the_page_comes_from_here_alone(http: ClientSession, path: str, kind: str) -> None:
    async with http.get(path) as answer:
        assert answer.status == 200
        assert answer.content_type == kind
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        body = (await answer.text()).replace("http://www.w3.org/2000/svg", "")
    assert "http:" not in body
    assert "https:" not in body


async def test_text_is_never_set_as_markup(http: ClientSession) -> None:
    async with http.get("/dashboard.js") as answer:
        script = await answer.text()
    for markup in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert markup not in script


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/metrics", "/api/status", "/elsewhere"])
async def test_nothing_but_reading_is_allowed(http: ClientSession, method: str, path: str) -> None:
    async with http.request(method, path) as answer:
        assert answer.status == 405
        assert set(answer.headers["Allow"].split(",")) == {"GET", "HEAD"}


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/readyz"])
async def test_head_answers_as_get_without_a_body(http: ClientSession, path: str) -> None:
    async with http.head(path) as answer:
        assert answer.status == 200
        assert await answer.read() == b""


async def test_an_unknown_path_is_not_found(http: ClientSession) -> None:
    async with http.get("/elsewhere") as answer:
        assert answer.status == 404


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:1", 200),
        ("localhost", 200),
        ("[::1]:80", 200),
        ("elsewhere.example", 421),
        ("127.0.0.1.elsewhere.example", 421),
    ],
)
async def test_on_loopback_a_foreign_name_in_host_is_refused(
    http: ClientSession, host: str, status: int
) -> None:
    async with http.get("/api/status", headers={"Host": host}) as answer:
        assert answer.status == status


async def test_beyond_loopback_any_name_may_be_used(process: Process) -> None:
    server = await start_web(Http(host="0.0.0.0", port=0), CollectorRegistry(), process)
    try:
        async with (
            ClientSession() as session,
            session.get(
                f"http://127.0.0.1:{server.port}/healthz", headers={"Host": "worker-1:8080"}
            ) as answer,
        ):
            assert answer.status == 200
    finally:
        await server.stop()


async def test_a_second_worker_on_the_host_takes_a_free_port_and_says_so(
    server: WebServer, process: Process
) -> None:
    said = io.StringIO()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(said))
    try:
        second = await start_web(Http(port=server.port), CollectorRegistry(), process)
    finally:
        structlog.reset_defaults()
    try:
        assert second.port not in (0, server.port)
        async with ClientSession(second.url) as session, session.get("/healthz") as answer:
            assert answer.status == 200
    finally:
        await second.stop()
    assert said.getvalue().count("\n") == 1
    assert f"http.port {server.port} is taken" in said.getvalue()
    assert str(second.port) in said.getvalue()


@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid"])
async def test_a_host_that_is_not_this_machine_is_bad_configuration(
    process: Process, host: str
) -> None:
    with pytest.raises(ConfigurationError, match=r"^http\.host: .* is not allowed: expected"):
        await start_web(Http(host=host, port=0), CollectorRegistry(), process)


async def test_after_stop_nobody_listens(process: Process) -> None:
    server = await start_web(Http(port=0), CollectorRegistry(), process)
    await server.stop()
    with socket.socket() as probe:
        assert probe.connect_ex((server.host, server.port)) != 0


async def test_a_client_that_sends_nothing_does_not_hold_up_the_end(process: Process) -> None:
    server = await start_web(Http(port=0), CollectorRegistry(), process)
    _, writer = await asyncio.open_connection(server.host, server.port)
    async with asyncio.timeout(5.0):
        await server.stop()
    writer.close()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "Predictions got worse: mean 0.2 before, 0.79 since."),
        ({"signal": "value", "direction": "down"}, "The value went down: mean 0.2"),
        ({"signal": "feature:temperature"}, "Temperature went up: mean 0.2"),
        ({"kind": "warning"}, "First sign that predictions got worse: mean 0.2"),
        ({"kind": "recovered"}, "Quiet again after: predictions got worse."),
        ({"detector": "stuck", "signal": "value"}, "The reading no longer moves"),
        (
            {"signal": "missing", "detector": "missing"},
            "More readings are missing: 20% before, 79% since.",
        ),
        ({"before": None, "after": None}, "Predictions got worse."),
        ({"after": {"n": 0, "mean": None, "std": None}}, "Predictions got worse."),
        ({"signal": "something new", "direction": "none"}, "Something new changed"),
        ({"signal": "feature:"}, " went up"),
    ],
)
def test_a_drift_event_has_plain_words(changed: Mapping[str, Any], words: str) -> None:
    assert describe({**DRIFT, **changed}).startswith(words)


def test_an_empty_drift_event_has_words_too() -> None:
    assert describe({}) == "A signal changed."


@pytest.mark.parametrize("diagnosis", ["upstream", "data", "prior", "concept"])
def test_every_diagnosis_is_explained(diagnosis: str) -> None:
    assert explain({**DRIFT, "diagnosis": diagnosis})
    assert explain({**DRIFT, "diagnosis": diagnosis, "kind": "recovered"}) == ""
