"""Closing the loop: what drift events, commands and retrained models do to a sensor's model.

A drift event comes back from the alerts topic, the policy answers with commands on the
control topic, and the owner of the partition carries them out. Each step that changes a
model, or decides not to, is an adaptation record that names the drift event.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from detectors.hygiene import Hygiene
from detectors.strictness import MOST
from learners.base import Learner
from learners.policy import first_match
from learners.snapshot import digest, loads
from schemas.errors import InvalidMessage, SnapshotError
from schemas.events import (
    Action,
    Adaptation,
    ControlEvent,
    DriftEvent,
    Message,
    ModelRecord,
    ModelRef,
    RetrainRequest,
    SourceRange,
)
from schemas.ids import derived_id
from streams.context import Context
from streams.sensor import Challenge, RetrainDue, Sensor, forget_error, loosen, strictness

FOREVER = 2**62
"""Milliseconds since the epoch that never come: a mute without an end."""


def on_alert(sensor: Sensor, drift: DriftEvent, context: Context) -> list[Message]:
    """Decide by rule what a drift event leads to, and ask for it on the control topic."""
    policy = context.sensor_settings.policy
    if not policy.enabled or drift.kind != "drift" or sensor.events == 0:
        return []
    rule = first_match(drift, policy.rules)
    actions = () if rule is None else rule.actions
    resting = (
        sensor.acted_at is not None and sensor.events - sensor.acted_at < policy.cooldown_events
    )
    if not actions or resting:
        return []
    sensor.acted_at = sensor.events
    messages: list[Message] = []
    for action in actions:
        if action == "retrain":
            due = RetrainDue(_since(drift), drift.id, str(rule))
            if sensor.retrain_due is None:
                sensor.retrain_due = due
            else:
                # One that drifts again and again would never be retrained if each began anew.
                sensor.retrain_next = due
        else:
            messages.append(
                ControlEvent(
                    command=action,
                    sensor_id=sensor.sensor_id,
                    ts=context.now,
                    drift_event_id=drift.id,
                    rule=str(rule),
                    reason=f"{drift.detector} on {drift.signal}: {drift.diagnosis}",
                )
            )
    return messages


def on_control(sensor: Sensor, command: ControlEvent, context: Context) -> list[Message]:
    """Carry out a command of the policy or of an operator."""
    match command.command:
        case "mute":
            sensor.muted_until = FOREVER if command.until is None else command.until // 1000
            return []
        case "unmute":
            sensor.muted_until = None
            return []
        case "ack":
            sensor.acked_episode = command.episode_id
            return []
    before = _ref(sensor)
    challenge = Challenge(command.drift_event_id, command.rule or "manual")
    if sensor.events == 0:
        return [_record(sensor, "reject", challenge, before, context, "no such sensor here")]
    match command.command:
        case "reset":
            sensor.monitors = {}
            sensor.observed = None
            sensor.hygiene = Hygiene()
            return [_record(sensor, "reset", challenge, before, context, command.reason)]
        case "feedback":
            return _feedback(sensor, command, challenge, before, context)
        case "relearn":
            # Whoever wants the present readings learned takes them as they are.
            sensor.hygiene.units.clear()
            return _relearn(sensor, challenge, before, command.reason, context)
        case "promote":
            return _promote(sensor, command.version, challenge, before, context)
        case _:
            if sensor.champion.rollback() is None:
                return [_record(sensor, "reject", challenge, before, context, "no earlier model")]
            forget_error(sensor)
            return [
                _record(sensor, "rollback", challenge, before, context, command.reason),
                _production(sensor, challenge, context, {}),
            ]


def is_due(sensor: Sensor) -> bool:
    """Tell whether `after_learning` has something to look at."""
    return sensor.champion.challenger is not None or sensor.retrain_due is not None


def after_learning(sensor: Sensor, context: Context) -> list[Message]:
    """Judge the challenger when its time has come, and ask for a batch retrain when it is due."""
    messages: list[Message] = []
    champion, policy = sensor.champion, context.sensor_settings.policy
    verdict = champion.verdict()
    if verdict is not None:
        messages += _settle(sensor, promote=verdict == "promote", context=context)
    due = sensor.retrain_due
    if due is not None and due.examples >= policy.retrain_min_events:
        sensor.retrain_due, sensor.retrain_next = sensor.retrain_next, None
        messages += _ask_for_retrain(sensor, due, context)
    return messages


def on_model(sensor: Sensor, record: ModelRecord, context: Context) -> list[Message]:
    """Take a retrained model into use if it is better than the one in use; record either.

    Raises
    ------
    InvalidMessage
        If the artifact is not signed by this deployment, or is no model of this sensor's task.
    """
    # A rejection that is written here comes back; without a request its digest tells.
    answer = record.request_id or record.digest
    known = answer is not None and answer == sensor.answered_request
    if record.stage not in ("candidate", "rejected") or sensor.events == 0 or known:
        return []
    if record.stage == "rejected":
        sensor.answered_request = answer
        challenge = Challenge(record.drift_event_id, "retrain")
        return [_record(sensor, "reject", challenge, _ref(sensor), context, record.reason)]
    learner = _open_artifact(record, context.key)
    champion = sensor.champion
    if learner.task != champion.learner.task:
        raise InvalidMessage("$.artifact", f"a {champion.learner.task} model")
    sensor.answered_request = answer
    challenge = Challenge(record.drift_event_id, "retrain")
    before = _ref(sensor)
    error, running = record.metrics.get("error"), record.metrics.get("champion_error")
    margin = context.sensor_settings.policy.margin
    version = champion.newest = champion.newest + 1
    sensor.candidate = (version, learner)
    if error is None or running is None or not error < running * (1.0 - margin):
        reason = f"held-out error {_number(error)} against {_number(running)} of the model in use"
        return [
            _record(sensor, "reject", challenge, before, context, reason),
            record.model_copy(
                update={
                    "stage": "rejected",
                    "version": version,
                    "artifact": None,
                    "reason": reason,
                    "ts": context.now,
                }
            ),
        ]
    return _take_candidate(sensor, challenge, before, context, dict(record.metrics))


def _settle(sensor: Sensor, *, promote: bool, context: Context) -> list[Message]:
    """End the contest between the model in use and its challenger."""
    champion, before = sensor.champion, _ref(sensor)
    challenge, sensor.challenge = sensor.challenge, Challenge(None, "manual")
    error = champion.challenger_error.value
    reason = f"error {_number(error)} against {_number(champion.champion_error.value)}"
    if not promote:
        champion.reject()
        return [
            _record(sensor, "reject", challenge, before, context, f"{reason}: not clearly better")
        ]
    champion.promote()
    forget_error(sensor)
    return [
        _record(sensor, "promote", challenge, before, context, reason),
        _production(sensor, challenge, context, {"error": error}),
    ]


def _relearn(
    sensor: Sensor, challenge: Challenge, before: ModelRef, reason: str | None, context: Context
) -> list[Message]:
    """Begin to learn anew: beside the model in use, or in its place."""
    champion = sensor.champion
    if context.sensor_settings.policy.relearn == "fresh":
        champion.swap_in(champion.learner.fresh())
        forget_error(sensor)
        return [
            _record(sensor, "relearn", challenge, before, context, reason),
            _production(sensor, challenge, context, {}),
        ]
    if champion.start_challenger():
        sensor.challenge = challenge
    else:
        reason = "its challenger learns on"
    return [_record(sensor, "relearn", challenge, before, context, reason)]


def _feedback(
    sensor: Sensor,
    command: ControlEvent,
    challenge: Challenge,
    before: ModelRef,
    context: Context,
) -> list[Message]:
    """Take an operator's word that a drift event was a false alarm."""
    signal = command.signal
    if command.verdict is None or signal is None:
        missing = "verdict" if command.verdict is None else "signal"
        raise InvalidMessage(f"$.{missing}", "one, as `driftline alerts feedback` writes it")
    if signal not in sensor.monitors and signal not in sensor.loosened:
        reason = f"no signal {signal!r} of this sensor"
        return [_record(sensor, "reject", challenge, before, context, reason)]
    factor = loosen(sensor, signal, command.drift_event_id)
    if factor is None:
        held = strictness(sensor, signal)
        known = "counted before" if held < MOST else "no threshold is raised further"
        reason = f"thresholds of {signal} are {held:.4g} times as high: {known}"
        return [_record(sensor, "reject", challenge, before, context, reason)]
    said = "false alarm" + (f" ({command.reason})" if command.reason else "")
    by = f", says {command.by}" if command.by else ""
    reason = f"{said}{by}: thresholds of {signal} times {factor:.4g}"
    return [_record(sensor, "loosen", challenge, before, context, reason)]


def _promote(
    sensor: Sensor,
    version: int | None,
    challenge: Challenge,
    before: ModelRef,
    context: Context,
) -> list[Message]:
    """Take into use what an operator names: a candidate, the challenger or the version before."""
    champion = sensor.champion
    if sensor.candidate is not None and version in (None, sensor.candidate[0]):
        return _take_candidate(sensor, challenge, before, context, {})
    if champion.challenger is not None and version in (None, champion.newest + 1):
        champion.promote()
    elif champion.previous is not None and version == champion.previous[0]:
        champion.rollback()
    else:
        reason = "no candidate" if version is None else f"version {version} is not held here"
        return [_record(sensor, "reject", challenge, before, context, reason)]
    forget_error(sensor)
    return [
        _record(sensor, "promote", challenge, before, context, "by command"),
        _production(sensor, challenge, context, {}),
    ]


def _take_candidate(
    sensor: Sensor,
    challenge: Challenge,
    before: ModelRef,
    context: Context,
    metrics: dict[str, float | int | None],
) -> list[Message]:
    assert sensor.candidate is not None
    version, learner = sensor.candidate
    sensor.candidate = None
    sensor.champion.swap_in(learner, version)
    forget_error(sensor)
    reason = "better on held-out data" if metrics else "by command"
    return [
        _record(sensor, "promote", challenge, before, context, reason),
        _production(sensor, challenge, context, metrics),
    ]


def _ask_for_retrain(sensor: Sensor, due: RetrainDue, context: Context) -> list[Message]:
    """Ask for a model that is fitted on what came since the change point."""
    to_offset = sensor.last_labelled + 1
    reason = f"{to_offset - due.from_offset} records since the change point"
    request = RetrainRequest(
        id=derived_id(
            "retrain", context.partition, to_offset, sensor.sensor_id, due.drift_event_id
        ),
        ts=context.now,
        sensor_id=sensor.sensor_id,
        model=sensor.champion.name,
        reason=reason,
        drift_event_id=due.drift_event_id,
        range=SourceRange(
            topic=context.settings.topic("sensors"),
            partition=context.partition,
            from_offset=due.from_offset,
            to_offset=to_offset,
        ),
    )
    challenge = Challenge(due.drift_event_id, due.rule)
    return [request, _record(sensor, "retrain", challenge, _ref(sensor), context, reason)]


def _open_artifact(record: ModelRecord, key: bytes) -> Learner:
    try:
        raw = base64.b64decode(record.artifact or "", validate=True)
    except binascii.Error:
        raise InvalidMessage("$.artifact", "base64 text") from None
    if hashlib.sha256(raw).hexdigest() != record.digest:
        raise InvalidMessage("$.digest", "the SHA-256 of the artifact")
    try:
        learner = loads(raw, key)
    except SnapshotError as error:
        raise InvalidMessage("$.artifact", f"a model of this deployment ({error})") from error
    if not isinstance(learner, Learner):
        raise InvalidMessage("$.artifact", "a learner")
    return learner


def _production(
    sensor: Sensor,
    challenge: Challenge,
    context: Context,
    metrics: dict[str, float | int | None],
) -> ModelRecord:
    """Say on the models topic which version is in use; the model itself lies in the state."""
    champion = sensor.champion
    return ModelRecord(
        name=champion.name,
        version=champion.version,
        stage="production",
        sensor_id=sensor.sensor_id,
        ts=context.now,
        metrics=metrics,
        training_range=None,
        digest=digest(champion.learner),
        artifact=None,
        reason=challenge.rule,
        drift_event_id=challenge.drift_event_id,
        request_id=None,
    )


def _record(
    sensor: Sensor,
    action: Action,
    challenge: Challenge,
    before: ModelRef,
    context: Context,
    reason: str | None,
    after: ModelRef | None = None,
) -> Adaptation:
    return Adaptation(
        id=derived_id("adaptation", context.kind, context.partition, context.record.offset, action),
        ts=context.now,
        sensor_id=sensor.sensor_id,
        action=action,
        rule=challenge.rule,
        drift_event_id=challenge.drift_event_id,
        model_before=before,
        model_after=after or _ref(sensor),
        reason=reason,
    )


def _ref(sensor: Sensor) -> ModelRef:
    return ModelRef(name=sensor.champion.name, version=sensor.champion.version)


def _since(drift: DriftEvent) -> int:
    point = drift.change_point
    return drift.source.offset if point is None or point.offset is None else point.offset


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"
