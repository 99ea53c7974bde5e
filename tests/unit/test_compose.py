"""The deployment files fit each other, the contract and the code they deploy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from schemas.settings import Settings
from streams.metrics import Metrics

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("topics", "worker-1", "worker-2", "retrain")
DASHBOARD = json.loads((DEPLOY / "grafana/dashboards/driftline.json").read_text())
RULES = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
# The names that the contract promises to operators.
PROMISED = (
    "driftline_events_total",
    "driftline_labels_total",
    "driftline_dead_letters_total",
    "driftline_drift_events_total",
    "driftline_sensors",
    "driftline_checkpoint_duration_seconds_bucket",
    "driftline_processing_lag_seconds",
)


def metric_names() -> set[str]:
    """Each name that a worker's /metrics can show."""
    registry = CollectorRegistry()
    Metrics.create(registry)
    suffixes = {
        "counter": ("_total",),
        "histogram": ("_bucket", "_sum", "_count"),
        "info": ("_info",),
        "gauge": ("",),
    }
    return {
        family.name + suffix for family in registry.collect() for suffix in suffixes[family.type]
    }


def expressions() -> Iterator[tuple[str, str]]:
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield f"panel {panel['title']}", target["expr"]
    for group in RULES["groups"]:
        for rule in group["rules"]:
            yield f"alert {rule['alert']}", rule["expr"]


def test_the_services_are_kafka_two_workers_retraining_prometheus_and_grafana() -> None:
    assert set(SERVICES) == {"kafka", *OURS, "prometheus", "grafana"}


def test_each_service_runs_the_command_that_it_is_named_after() -> None:
    commands = {name: SERVICES[name]["command"] for name in OURS}
    assert commands == {
        "topics": ["topics", "create"],
        "worker-1": ["run"],
        "worker-2": ["run"],
        "retrain": ["retrain", "run"],
    }


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_ports_are_published_on_the_loopback_interface_alone(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:")


def test_no_two_services_publish_the_same_port() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    hosts = [port.rsplit(":", 1)[0] for port in published]
    assert len(hosts) == len(set(hosts))


def test_the_topics_exist_before_anything_of_ours_starts() -> None:
    assert SERVICES["topics"]["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    for name in ("worker-1", "worker-2", "retrain"):
        depends = SERVICES[name]["depends_on"]
        assert depends == {"topics": {"condition": "service_completed_successfully"}}


@pytest.mark.parametrize("name", ["kafka", "prometheus", "grafana"])
def test_what_is_not_ours_has_a_healthcheck_and_a_version(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]
    assert re.search(r":-[a-z]+/[a-z]+:v?\d+\.\d+\.\d+\}$", SERVICES[name]["image"])


def test_workers_are_watched_by_the_healthcheck_of_their_image() -> None:
    assert "HEALTHCHECK" in DOCKERFILE
    assert "/healthz" in DOCKERFILE
    for name in ("worker-1", "worker-2"):
        assert "healthcheck" not in SERVICES[name]


def test_a_worker_has_longer_than_its_fifteen_seconds_to_end() -> None:
    for name in OURS:
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > 15


def test_every_setting_in_the_environment_exists() -> None:
    for name in OURS:
        for key in SERVICES[name]["environment"]:
            section, field = key.removeprefix("DRIFTLINE_").lower().split("__")
            model = Settings.model_fields[section].annotation
            assert field in getattr(model, "model_fields", {}), key


def test_no_secret_is_written_down() -> None:
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            if re.search("KEY$|PASSWORD|SECRET", key):
                assert value is None, (name, key)


def test_the_signing_key_is_shared_by_all_that_sign_or_verify() -> None:
    for name in OURS:
        assert "driftline:/var/lib/driftline" in SERVICES[name]["volumes"]
    assert "XDG_STATE_HOME=/var/lib " in DOCKERFILE


def test_our_containers_have_no_privileges() -> None:
    for name in OURS:
        assert SERVICES[name]["cap_drop"] == ["ALL"]
        assert SERVICES[name]["read_only"] is True
        assert SERVICES[name]["security_opt"] == ["no-new-privileges:true"]


def test_the_image_is_built_in_stages_on_any_base_and_runs_as_nobody_in_particular() -> None:
    stages = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert stages == ["${BASE}", "${BASE}"]
    assert "ARG BASE=python:3.11-slim" in DOCKERFILE
    user = DOCKERFILE.index("\nUSER 10001")
    assert user < DOCKERFILE.index("\nENTRYPOINT")
    assert 'ENTRYPOINT ["driftline"]\nCMD ["run"]' in DOCKERFILE


def test_every_volume_that_is_mounted_is_declared_or_a_folder_of_ours() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (ROOT / source).is_dir(), volume


def test_prometheus_asks_every_worker_on_the_port_it_serves() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    (targets,) = (entry["targets"] for entry in job["static_configs"])
    port = Settings().http.port
    assert targets == [f"worker-1:{port}", f"worker-2:{port}"]
    for name in ("worker-1", "worker-2"):
        assert SERVICES[name]["ports"][0].endswith(f":{port}")
    mounts = SERVICES["prometheus"]["volumes"]
    assert "./deploy/prometheus:/etc/prometheus:ro" in mounts
    for file in config["rule_files"]:
        assert (DEPLOY / "prometheus" / Path(file).name).is_file()


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_every_expression_asks_for_metrics_that_a_worker_has(where: str, expression: str) -> None:
    names = set(re.findall(r"driftline_[a-z0-9_]+", expression))
    assert names <= metric_names(), where
    assert names or "up{" in expression
    assert expression.count("(") == expression.count(")")


def test_the_metrics_that_the_contract_promises_exist_and_are_shown() -> None:
    shown = set(re.findall(r"driftline_[a-z0-9_]+", " ".join(e for _, e in expressions())))
    assert set(PROMISED) <= metric_names()
    assert set(PROMISED) <= shown


def test_every_alert_says_what_to_do() -> None:
    for group in RULES["groups"]:
        for rule in group["rules"]:
            assert set(rule["annotations"]) == {"summary", "action"}, rule["alert"]
            assert rule["labels"]["severity"] in ("warning", "critical")


def test_grafana_finds_its_datasource_and_its_dashboard() -> None:
    provisioning = DEPLOY / "grafana/provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    (provider,) = yaml.safe_load((provisioning / "dashboards/driftline.yml").read_text())[
        "providers"
    ]
    assert source["url"] == "http://prometheus:9090"
    for panel in DASHBOARD["panels"]:
        assert panel["datasource"]["uid"] == source["uid"]
        assert panel["description"]
    folder = f"./deploy/grafana/dashboards:{provider['options']['path']}:ro"
    assert folder in SERVICES["grafana"]["volumes"]


def test_the_panels_do_not_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
