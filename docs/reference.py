"""Write the tables of docs/ that repeat what the code says: keys, metrics, detectors.

    python docs/reference.py

Each table stands between two comments, ``<!-- begin NAME -->`` and ``<!-- end NAME -->``. A test
fails if a table is not what this program would write, or if a key has no description here.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from prometheus_client import CollectorRegistry
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from detectors import NAMES, parameters
from detectors.defaults import DETECTORS, SCALED
from schemas.settings import Maintenance, Rule, SensorOverride, Settings
from schemas.settings_errors import Allowed
from streams.metrics import Metrics, Reason

DOCS = Path(__file__).resolve().parent

MEANING: Mapping[str, str] = {
    "kafka.bootstrap_servers": "Brokers to begin with.",
    "kafka.security_protocol": "How to talk to them.",
    "kafka.sasl_mechanism": "Needed with `sasl_plaintext` and `sasl_ssl`.",
    "kafka.sasl_username": "Needed with PLAIN and SCRAM.",
    "kafka.sasl_password": "Needed with PLAIN and SCRAM. A secret.",
    "kafka.ssl_ca_location": "File with the certificates of the authorities to trust.",
    "kafka.ssl_certificate_location": "File with this client's certificate.",
    "kafka.ssl_key_location": "File with this client's private key.",
    "kafka.ssl_key_password": "Password of that key. A secret.",
    "kafka.outage_timeout": "A worker whose broker is gone for longer ends with exit code 1.",
    "kafka.session_timeout": "A worker that is silent for longer loses its partitions.",
    "group": "Consumer group, and prefix of the transactional ids.",
    "topics.prefix": "Every topic is `<prefix>.<name>`.",
    "topics.partitions": "Of every topic. Fixed for the life of a deployment.",
    "topics.replication_factor": "For `driftline topics create`; -1 is the broker's default.",
    "topics.retention": "How long records stay on the topics that are cut by time.",
    "guarantee": "`at_least_once` is for brokers without transactions.",
    "checkpoint.interval": "How far apart checkpoints are; the longest that a drift event waits.",
    "learner.task": "What is learned of each sensor.",
    "learner.lags": "`forecast`: how many of the last values the next one is predicted from.",
    "learner.target": "`forecast` on events with features: the feature to forecast.",
    "learner.model": "A River estimator, or a list of them as a pipeline; "
    "without it the task's own default.",
    "learner.grace": "Events learned before the model's error is watched.",
    "labels.max_pending": "Predictions that wait for their label, and labels that wait for their "
    "event, per sensor.",
    "labels.max_age": "How long they wait, in event time.",
    "detectors.value": "Detectors of the signal `value`.",
    "detectors.error": "Of the model's error.",
    "detectors.label": "Of the labels.",
    "detectors.prediction": "Of the predictions.",
    "detectors.missing": "Of missing readings.",
    "detectors.feature": "Of every feature.",
    "detectors.warmup": "Values that make the reference of a signal.",
    "detectors.params": "Parameters by detector, under River's names: "
    "`params = { adwin = { delta = 1e-6 } }`.",
    "budget.per_10k_events": "False drifts per 10,000 events of a sensor, all of its detectors "
    "together. See [the budget](concepts.md#the-budget-of-false-alarms).",
    "budget.per_sensor_per_year": "The same per year of a sensor. The strictest counts.",
    "budget.fleet_per_day": "The same per day of all sensors together.",
    "hygiene.checks": "What is told apart from drift as a [fault on the way here]"
    "(concepts.md#faults-on-the-way-here); a check that is left out is not made.",
    "hygiene.range": "Lowest and highest reading that there can be, see "
    "[below](#readings-that-cannot-be).",
    "episodes.quiet_events": "Events without a finding that end an episode.",
    "episodes.cooldown_events": "Events after a drift event, or a recovery, in which only what is "
    "graver is told, see [episodes](concepts.md#episodes). Without it, half of `quiet_events`.",
    "fleet.enabled": "Off: each sensor's drift is told by itself.",
    "fleet.window": "Of event time: what changes within it "
    "[changes at once](concepts.md#the-fleet).",
    "fleet.min_sensors": "Sensors of a partition that make one drift event of the fleet.",
    "fleet.min_share": "The share that they must be of those that sent something in the window.",
    "maintenance": "When sensors are being worked on, see below.",
    "policy.enabled": "Off: drift is reported and nothing is done about it.",
    "policy.rules": "What to do about which drift event; the first rule that fits decides.",
    "policy.relearn": "`background`: a challenger learns beside the model until it is better. "
    "`fresh`: an untrained model takes over at once.",
    "policy.cooldown_events": "Events after an action during which the policy rests.",
    "policy.challenger_events": "Events on which model and challenger are compared.",
    "policy.margin": "How much smaller, in parts of the model's error, a new model's error must be "
    "for it to take over.",
    "policy.retrain_min_events": "Examples since the change point that a batch retrain needs.",
    "predictions.enabled": "Write every prediction to `<prefix>.predictions`.",
    "http.host": "Where /metrics, /healthz, /readyz and the dashboard listen. No log-in: "
    "leave it on loopback, or put something with a log-in before it.",
    "http.port": "0 asks for a free port. A port that is taken is replaced by a free one.",
    "log.level": "The least that is logged.",
    "log.format": "`auto`: `console` on a terminal, `json` elsewhere.",
    "state.max_sensors": "Sensors that a partition keeps; times `topics.partitions`, that is how "
    "many the deployment keeps. [Beyond it](guarantees.md#how-many-sensors-are-kept) those that "
    "were silent for the longest are forgotten.",
    "state.signing_key": "What state and models are signed with, at least 16 characters. A secret.",
    "state.signing_key_file": "The same in a file. Without both: `driftline/signing.key` in "
    "`$XDG_STATE_HOME` (`~/.local/state`), made if it is not there.",
    "sensors": "Other settings for sensors whose id matches a glob, see below.",
}

RULE_MEANING: Mapping[str, str] = {
    "diagnosis": "Diagnosis that fits.",
    "signal": "Glob that the signal must match, such as `feature:*`.",
    "severity": "Severity that fits.",
    "actions": "What to do, in this order; an empty list: nothing.",
}

OVERRIDE_MEANING: Mapping[str, str] = {
    "match": "Glob on the sensor id. `*` stands for any text, `/` included.",
    "learner": "Keys of the section `learner` that differ.",
    "detectors": "Keys of the section `detectors` that differ.",
    "budget": "Keys of the section `budget` that differ.",
    "hygiene": "Keys of the section `hygiene` that differ.",
    "episodes": "Keys of the section `episodes` that differ.",
    "policy": "Keys of the section `policy` that differ.",
    "labels": "Keys of the section `labels` that differ.",
}

MAINTENANCE_MEANING: Mapping[str, str] = {
    "match": "Glob on the sensor id.",
    "from_": "Event time from which on nothing is told or learned.",
    "until": "Event time from which on it goes on.",
}

REASON_MEANING: Mapping[Reason, str] = {
    Reason.EMPTY: "The value is null or has no bytes.",
    Reason.ENCODING: "The bytes are not UTF-8.",
    Reason.JSON: "They are not one JSON object, or one that is nested too deeply.",
    Reason.DUPLICATE_KEY: "A key stands twice in the same object.",
    Reason.TIMESTAMP: "`ts` is missing, has no zone, or is no time.",
    Reason.SCHEMA: "Another known field is missing, of the wrong type or out of range.",
    Reason.PROCESSING: "A defect in Driftline itself. Please report it.",
}


def settings_table() -> str:
    """All keys of the configuration."""
    rows = [
        (f"`{key}`", _default(field), _allowed(field), MEANING[key])
        for key, field in keys(Settings)
    ]
    return _table(("key", "default", "allowed", "meaning"), rows)


def rule_table() -> str:
    """The keys of one rule of the policy."""
    return _fields_table(Rule, RULE_MEANING)


def override_table() -> str:
    """The keys of one override."""
    return _fields_table(SensorOverride, OVERRIDE_MEANING)


def maintenance_table() -> str:
    """The keys of one maintenance window."""
    return _fields_table(Maintenance, MAINTENANCE_MEANING)


def metrics_table() -> str:
    """All metrics of a worker."""
    registry = CollectorRegistry()
    Metrics.create(registry)
    rows = []
    collectors = {id(c): c for c in registry._collector_to_names}
    for collector in collectors.values():
        family = next(iter(collector.describe()))  # type: ignore[attr-defined]
        suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
        labels = ", ".join(f"`{label}`" for label in collector._labelnames)  # type: ignore[attr-defined]
        rows.append((f"`{family.name}{suffix}`", family.type, labels, family.documentation))
    return _table(("metric", "type", "labels", "meaning"), rows)


def reasons_table() -> str:
    """Values of the label `reason` of dead letters."""
    rows = [(f"`{reason.value}`", REASON_MEANING[reason]) for reason in Reason]
    return _table(("reason", "the record"), rows)


def detectors_table() -> str:
    """Parameters of each detector: River's default, and that for a scaled signal."""
    rows = []
    for name in NAMES:
        ours = SCALED.get(name, {})
        for parameter, default in parameters(name).items():
            value = f"**{_value(ours[parameter])}**" if parameter in ours else _value(default)
            rows.append((f"`{name}.{parameter}`", _value(default), value))
    return _table(("parameter", "`detect`", "a worker, `backtest`"), rows)


def signals_table() -> str:
    """Which detectors watch which signal by default."""
    rows = [
        (f"`{signal}{':<name>' if signal == 'feature' else ''}`", _value(list(names)))
        for signal, names in DETECTORS.items()
    ]
    return _table(("signal", "default detectors"), rows)


TABLES: Mapping[str, Callable[[], str]] = {
    "settings": settings_table,
    "rule": rule_table,
    "override": override_table,
    "maintenance": maintenance_table,
    "metrics": metrics_table,
    "reasons": reasons_table,
    "detectors": detectors_table,
    "signals": signals_table,
}


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key of a configuration and its field, sections by dots."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from keys(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def updated(text: str) -> str:
    """`text` with the tables in it written anew."""

    def write(found: re.Match[str]) -> str:
        name = found[1]
        return f"<!-- begin {name} -->\n{TABLES[name]()}\n<!-- end {name} -->"

    return re.sub(r"<!-- begin (\w+) -->\n.*?<!-- end \1 -->", write, text, flags=re.DOTALL)


def main() -> int:
    """Bring every page in this folder up to date."""
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        new = updated(text)
        if new != text:
            page.write_text(new, encoding="utf-8")
            print(f"updated {page.name}")
    return 0


def _fields_table(model: type[BaseModel], meaning: Mapping[str, str]) -> str:
    rows = [
        (f"`{field.alias or name}`", _default(field), _allowed(field), meaning[name])
        for name, field in model.model_fields.items()
    ]
    return _table(("key", "default", "allowed", "meaning"), rows)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "(needed)"
    if field.default is None:
        return ""
    if isinstance(field.default, tuple) and field.default and isinstance(field.default[0], Rule):
        return "see below"
    return _value(field.default)


def _value(value: object) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(f"`{item}`" for item in value) or "none"
    if value == {}:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value)
    return f"`{text}`"


def _allowed(field: FieldInfo) -> str:
    described = [item.text for item in field.metadata if isinstance(item, Allowed)]
    if described:
        return described[0]
    return _type(field.annotation)


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in arguments)
    if annotation is bool:
        return "true or false"
    if annotation is SecretStr or annotation is str:
        return "text"
    if annotation is Path:
        return "a path"
    if origin is tuple:
        item = arguments[0]
        if isinstance(item, type) and issubclass(item, BaseModel):
            return "a list of tables"
        return f"a list of {_type(item)}" if len(_type(item)) < 60 else "a list of names"
    if origin is dict or annotation is dict:
        return "a table"
    inner = [part for part in arguments if part is not type(None)]
    if len(inner) == 1:
        return _type(inner[0])
    return "a table or a list of tables"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


if __name__ == "__main__":
    sys.exit(main())
