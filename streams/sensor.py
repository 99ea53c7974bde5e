"""One sensor: its model, its signals, its episode, and what one event does to them.

Everything here is a function of the order of events alone, so that a replay after a
failure comes to the same state and the same drift events.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Any

from detectors.budget import budget_factor, rate
from detectors.defaults import DETECTORS, EARLY, OF_A_CLASS, calibrated, family_of, with_defaults
from detectors.diagnosis import CHECKS, Diagnosis, Severity, diagnose, severity
from detectors.episodes import EpisodeEvent, Episodes
from detectors.evidence import evidence_for, facts_of
from detectors.hygiene import Hygiene, reference_in_use
from detectors.observed import Labels, Observed
from detectors.registry import create as create_detector
from detectors.season import FEW, HOUR, Season
from detectors.signal import Caution, Finding, Position, SignalMonitor
from detectors.strictness import MOST, STEP, stricter
from learners import create
from learners.base import LARGEST, VALUE, Feature, Learner, PredictionValue
from learners.champion import Champion
from learners.classification import Classification
from learners.labels import Head, Pending, PendingLabels
from learners.metrics import ClassMetrics, Prequential
from schemas.codec import Reading
from schemas.errors import ConfigurationError, UnknownKey
from schemas.events import MAX_FEATURES
from schemas.settings import LearnerSettings, SensorSettings, Settings
from streams.class_signals import HISTORY, RARE, class_name, series, signal_of

SEED = 0
"""Seed of every learner that draws random numbers: a replay must draw the same."""

ROW_VERSION = 2
"""Before 2, a class that was a number was watched as that number."""

MOVES_WITHIN = 100
"""Events within which inputs must be seen to move for predictions that moved to be told."""


@dataclass(slots=True)
class RetrainDue:
    """A batch retrain that waits for enough examples of the new behaviour.

    Attributes
    ----------
    from_offset
        Where the new behaviour begins.
    drift_event_id, rule
        What led to it.
    examples
        Events from there on whose truth was learned since; a late label of an event before the
        change tells nothing of what came after it.
    """

    from_offset: int
    drift_event_id: str
    rule: str
    examples: int = 0


@dataclass(frozen=True, slots=True)
class Challenge:
    """Why a model is challenged: the drift event, if one led to it, and the rule."""

    drift_event_id: str | None
    rule: str


@dataclass(frozen=True, slots=True)
class Loosened:
    """What false alarms have made of the thresholds of a signal: by what factor, and the last."""

    factor: float
    drift_event_id: str | None


@dataclass(slots=True)
class Sensor:
    """State of one sensor.

    Attributes
    ----------
    sensor_id
        Its id; also the name of its model.
    champion
        The model in use, its challenger and its predecessor.
    episodes
        The open episode, if there is one.
    prequential
        Error of the model in use, each prediction made before its label was known.
    pending
        Predictions that wait for labels and labels that wait for events; stored row by row.
    monitors
        One per signal: ``value``, ``error``, ``label``, ``missing``, ``prediction``,
        ``feature:<name>``.
    seasons
        What time of day adds to a reading, by signal.
    hygiene
        What is known of faults on the way here.
    observed
        Inputs, labels and errors, for evidence; None for one that sends a value and needs no label:
        there the monitors know enough.
    classes
        Labels and recall by class; None where labels are no classes.
    foreseen
        A change of predictions, with the value of `events` then, that waits to be told until inputs
        are seen to have moved.
    events
        Events scored so far.
    examples
        Events whose truth the model has learned so far.
    renewed_at
        Offset up to which predictions came from a model that was untrained since; -1: none did.
    last_labelled
        Largest offset among them; -1 before the first.
    muted_until
        Kafka time in milliseconds up to which no drift events are written; None: not muted.
    acted_at
        Value of `events` when the policy last acted.
    candidate
        The last retrained model that was not taken into use, with its version.
    answered_request
        Id of the last retrain request whose model has come, or the digest of a model that nobody
        asked for: a repeated one is no news.
    loosened
        By signal, where an operator called a drift event a false alarm.
    """

    sensor_id: str
    champion: Champion
    episodes: Episodes
    prequential: Prequential
    pending: PendingLabels
    monitors: dict[str, SignalMonitor] = field(default_factory=dict)
    seasons: dict[str, Season] = field(default_factory=dict)
    hygiene: Hygiene = field(default_factory=Hygiene)
    events: int = 0
    examples: int = 0
    last_offset: int = -1
    last_ts: int = 0
    first_ts: int = 0
    last_labelled: int = -1
    renewed_at: int = -1
    diagnosis: Diagnosis = "data"
    severity: Severity = "low"
    muted_until: int | None = None
    acked_episode: str | None = None
    acted_at: int | None = None
    challenge: Challenge = field(default_factory=lambda: Challenge(None, "manual"))
    candidate: tuple[int, Learner] | None = None
    answered_request: str | None = None
    retrain_due: RetrainDue | None = None
    observed: Observed | None = None
    loosened: dict[str, Loosened] = field(default_factory=dict)
    classes: ClassMetrics | None = None
    foreseen: tuple[int, str, Finding] | None = None

    @property
    def blank(self) -> bool:
        """Whether nothing is known of the sensor that is worth keeping."""
        waiting = self.pending.head().number > 0
        return self.events == 0 and self.muted_until is None and not waiting

    def stored(self, settings: SensorSettings) -> Stored:
        """Return what goes into the sensor's row; what waits has rows of its own."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "pending"}
        return Stored(ROW_VERSION, fingerprint(settings), self.pending.head(), values)


@dataclass(slots=True)
class Stored:
    """A sensor's row on the state topic.

    Parameters
    ----------
    version
        Of this layout.
    fingerprints
        What the learner and the detectors were configured as, see `fingerprint`.
    head
        What `learners.labels` keeps besides its entries.
    values
        Attributes of `Sensor`.
    """

    version: int
    fingerprints: dict[str, str]
    head: Head
    values: dict[str, Any]


@dataclass(slots=True, frozen=True)
class Scored:
    """What one event or label brought to light.

    Attributes
    ----------
    at
        The sensor event that it is about.
    prediction
        Made before the event was learned; None until the model has learned something.
    events
        Warnings, drifts and recoveries to report, each with its diagnosis and severity.
    withheld
        Why the event was kept from the model: ``maintenance``, ``missing`` or the check that found
        a fault; None if it was not.
    """

    at: Position
    prediction: PredictionValue | None
    events: list[tuple[EpisodeEvent, Diagnosis, Severity]]
    withheld: str | None = None


def try_out(settings: Settings) -> None:
    """Build what every kind of sensor will need, so that a wrong parameter ends the start.

    Raises
    ------
    ConfigurationError
        For a model or a detector that can't be made as configured.
    """
    for variant in settings.variants():
        untrained(variant)
        _try_detectors(variant)
        for signal in ("value", "error", "label", "prediction", "missing", "feature"):
            monitor_of(signal, variant)


def _try_detectors(settings: SensorSettings) -> None:
    """Refuse wrong parameters, also of a detector that watches nothing yet, by their full key."""
    given = settings.detectors.params
    try:
        for name, parameters in with_defaults(list(given), params=given):
            create_detector(name, **parameters)
    except UnknownKey as error:
        known = [f"detectors.params.{key}" for key in error.known]
        raise UnknownKey(f"detectors.params.{error.field}", known) from None
    except ConfigurationError as error:
        raise ConfigurationError(
            f"detectors.params.{error.field}", error.value, error.allowed
        ) from None


def new_sensor(sensor_id: str, settings: SensorSettings) -> Sensor:
    """Return the state of a sensor that has sent nothing yet."""
    return Sensor(
        sensor_id,
        Champion(
            sensor_id,
            1,
            untrained(settings),
            settings.policy.margin,
            settings.policy.challenger_events,
        ),
        Episodes(settings.episodes.quiet_events, settings.episodes.cooldown),
        Prequential(),
        _pending(settings),
    )


def fingerprint(settings: SensorSettings) -> dict[str, str]:
    """Return what a stored learner and stored monitors depend on, as text to compare."""
    return {
        "learner": settings.learner.model_dump_json(exclude={"grace"}),
        "detectors": detectors_text(settings),
    }


def detectors_text(settings: SensorSettings) -> str:
    """Return what stored monitors depend on; the rest of the budget counts when it is looked at."""
    return f"{settings.detectors.model_dump_json()} {settings.budget.per_10k_events}"


def refit(stored: Stored, sensor_id: str, settings: SensorSettings) -> Sensor:
    """Return a stored sensor, made to fit the configuration as it is now.

    A learner or detectors that are configured otherwise than when they were stored begin
    anew; everything else goes on.
    """
    values = dict(stored.values)
    # An earlier version kept the first label, and no more of the checks than this.
    values.pop("first_label", None)
    repeats = values.pop("repeats", None)
    sensor = Sensor(**values, pending=_pending(settings))
    if repeats is not None:
        sensor.hygiene.repeats = repeats
    sensor.pending.restore_head(stored.head)
    if stored.version < ROW_VERSION and settings.learner.task == "classification":
        sensor.monitors.pop("label", None)
    now = fingerprint(settings)
    return fitted(
        sensor,
        settings,
        same_learner=stored.fingerprints["learner"] == now["learner"],
        same_detectors=stored.fingerprints["detectors"] == now["detectors"],
    )


def fitted(
    sensor: Sensor, settings: SensorSettings, *, same_learner: bool, same_detectors: bool
) -> Sensor:
    """Make a restored sensor fit the configuration as it is now; see `refit`."""
    if not same_learner:
        sensor.champion.swap_in(untrained(settings))
        sensor.champion.previous = None
        sensor.candidate = None
        forget_error(sensor)
        # Another task's labels are another kind of signal.
        _drop(sensor, "label", "prediction")
        sensor.classes = None
    if not same_detectors:
        sensor.monitors = {}
        sensor.seasons = {}
    if not (same_learner and same_detectors):
        sensor.observed = None
    sensor.episodes.quiet_events = settings.episodes.quiet_events
    sensor.episodes.cooldown_events = settings.episodes.cooldown
    sensor.champion.margin = settings.policy.margin
    sensor.champion.challenger_events = settings.policy.challenger_events
    return sensor


def score(
    sensor: Sensor,
    reading: Reading,
    at: Position,
    event_id: str,
    settings: SensorSettings,
    arrived: int = -1,
) -> Scored:
    """Score one event: predict, compare, learn, judge.

    Parameters
    ----------
    sensor
        Changed in place.
    reading
        The decoded event.
    at
        Its offset on the sensors topic, and its time.
    event_id
        Its own, or the one that stands for it.
    settings
        Those of this sensor.
    arrived
        The broker's time for it in milliseconds, below 0 if there is none.
    """
    if sensor.events == 0:
        sensor.first_ts = at.ts
    last_ts, sensor.last_ts = sensor.last_ts, at.ts
    sensor.events += 1
    sensor.last_offset = at.offset
    single = reading.features is None
    values = {VALUE: reading.value} if reading.features is None else reading.features
    checked = sensor.hygiene.observe(
        values,
        single,
        at,
        last_ts=last_ts,
        arrived=arrived,
        earlier=sensor.events - 1,
        patience=settings.detectors.warmup,
        rules=settings.hygiene,
        monitors=sensor.monitors,
    )
    findings = list(checked.findings)
    missing = any(value is None for value in values.values())
    _feed(sensor, "missing", float(missing), at, settings, findings)
    if checked.renewed:
        _begin_anew(sensor)
    prediction = None
    if not missing:
        x = _known(sensor, values)
        clipped = dict(x)
        for name, value in x.items():
            if isinstance(value, float):
                signal = VALUE if single else f"feature:{name}"
                if name in checked.unusable:
                    monitor = sensor.monitors.get(signal)
                    clipped[name] = value if monitor is None else monitor.clip(value)
                    continue
                # One reading of 1e308 would make a running variance infinite for good.
                clipped[name] = _limit(sensor, signal, value, at, settings, findings)
        champion = sensor.champion
        prediction = champion.learner.predict(clipped)
        withheld = checked.withheld or ("unit" if sensor.hygiene.units else None)
        if withheld is not None:
            # A faulty reading says nothing: nothing is learned from it or judged by it.
            return Scored(at, prediction, _observe(sensor, at, findings), withheld)
        _see(sensor, clipped, single, settings)
        if champion.learner.needs_label:
            _foresee(sensor, prediction, clipped, at, settings, findings)
        elif isinstance(prediction, float) and settings.detectors.prediction:
            _feed(sensor, "prediction", prediction, at, settings, findings)
        rival = None if champion.challenger is None else champion.challenger.predict(clipped)
        if champion.learner.needs_label:
            early = sensor.pending.add(
                event_id,
                clipped,
                prediction=prediction,
                challenger=rival,
                version=champion.version,
                ts=at.ts,
                offset=at.offset,
                now=sensor.hygiene.now(at.ts),
            )
            if early is not None:
                early = _take_label(sensor, early, at, settings, findings)
                error = _compare(sensor, prediction, rival, early, at, settings, findings)
                _judge(sensor, at, clipped, error, early)
                _learn(sensor, clipped, early, at)
        else:
            # Judged by the same limited value: one wild reading would stay in the error for days.
            truth = champion.learner.truth(clipped)
            error = _compare(sensor, prediction, rival, truth, at, settings, findings)
            _judge(sensor, at, clipped, error, None)
            _learn(sensor, clipped, None, at)
    return Scored(at, prediction, _observe(sensor, at, findings), "missing" if missing else None)


def pass_by(sensor: Sensor, reading: Reading, at: Position) -> Scored:
    """Count an event that says nothing of the sensor: it is neither judged nor learned.

    Parameters
    ----------
    sensor
        Changed in place: only its counts.
    reading
        The decoded event.
    at
        Its offset on the sensors topic, and its time.
    """
    sensor.events += 1
    sensor.last_offset = at.offset
    sensor.last_ts = at.ts
    single = reading.features is None
    values = {VALUE: reading.value} if reading.features is None else reading.features
    if any(value is None for value in values.values()):
        return Scored(at, None, [], "maintenance")
    x = _known(sensor, values)
    for name, value in x.items():
        monitor = sensor.monitors.get(VALUE if single else f"feature:{name}")
        if monitor is not None and isinstance(value, float):
            x[name] = monitor.clip(value)
    return Scored(at, sensor.champion.learner.predict(x), [], "maintenance")


def learn_label(
    sensor: Sensor, waiting: Pending, label: PredictionValue, settings: SensorSettings
) -> Scored:
    """Learn the label of an event that was scored before.

    Drift that shows now is reported for that event: its offset and time.
    """
    at = Position(waiting.offset, waiting.ts)
    findings: list[tuple[str, Finding]] = []
    label = _take_label(sensor, label, at, settings, findings)
    error = None
    if waiting.version == sensor.champion.version:
        # What an earlier model expected says nothing of the one in use.
        error = _compare(
            sensor, waiting.prediction, waiting.challenger, label, at, settings, findings
        )
    _judge(sensor, at, waiting.features, error, label)
    _learn(sensor, waiting.features, label, at)
    # An episode's quiet time is counted in events, and a label is none.
    return Scored(at, waiting.prediction, _observe(sensor, at, findings) if findings else [])


def forget_error(sensor: Sensor) -> None:
    """Begin the error signal anew: another model's errors are another signal."""
    _drop(sensor, "error")
    if sensor.champion.learner.needs_label:
        _drop(sensor, "prediction")
        sensor.foreseen = None
    sensor.prequential = Prequential()
    if sensor.classes is not None:
        sensor.classes.forget_recalls()
    if sensor.observed is not None:
        sensor.observed.forget_errors()


def _drop(sensor: Sensor, *signals: str) -> None:
    """Begin signals anew, with all their series."""
    for name in [name for name in sensor.monitors if signal_of(name) in signals]:
        del sensor.monitors[name]


@cache
def _template(settings: str) -> Learner:
    return create(LearnerSettings.model_validate_json(settings), SEED)


def untrained(settings: SensorSettings) -> Learner:
    """Return an untrained learner; making one is slow, so it is made once for all sensors."""
    return _template(settings.learner.model_dump_json()).fresh()


def _known(sensor: Sensor, values: Mapping[str, float | str | None]) -> dict[str, Feature]:
    """Leave out names beyond a sensor's first 256: what is held for it stays bounded."""
    features = len(sensor.monitors)
    if features >= MAX_FEATURES:
        features = sum(name.startswith("feature:") for name in sensor.monitors)
    full = features >= MAX_FEATURES
    return {
        name: value
        for name, value in values.items()
        if value is not None and not (full and f"feature:{name}" not in sensor.monitors)
    }


def _take_label(
    sensor: Sensor,
    label: PredictionValue,
    at: Position,
    settings: SensorSettings,
    findings: list[tuple[str, Finding]],
) -> PredictionValue:
    """Watch a label, and return it as it is to be learned: a number is limited as values are."""
    if settings.learner.task == "regression" and not isinstance(label, str):
        return _limit(sensor, "label", float(label), at, settings, findings)
    if settings.learner.task == "classification":
        _count_class(sensor, class_name(label), at, settings, findings)
    return label


def _count_class(
    sensor: Sensor,
    name: str,
    at: Position,
    settings: SensorSettings,
    findings: list[tuple[str, Finding]],
) -> None:
    """Watch which class a label is."""
    if sensor.classes is None:
        sensor.classes = ClassMetrics()
    classes = sensor.classes
    absent = 0 if name in classes.seen else min(classes.labels, HISTORY)
    classes.label(name)
    for watched, x in series("label", tuple(classes.seen), lambda each: float(each == name)):
        if absent and watched == f"label:{name}":
            monitor = sensor.monitors[watched] = monitor_of(
                watched, settings, strictness(sensor, watched)
            )
            for _ in range(absent):
                monitor.update(0.0, at)
        _feed(sensor, watched, x, at, settings, findings)


def _foresee(
    sensor: Sensor,
    prediction: PredictionValue | None,
    x: Mapping[str, Feature],
    at: Position,
    settings: SensorSettings,
    findings: list[tuple[str, Finding]],
) -> None:
    """Watch predictions whose labels may come late: a first sign, before there are errors.

    Predictions that move while no input does are the model's own learning, and are passed over.
    What is left is a warning, never a drift: that waits for labels.
    """
    learner = sensor.champion.learner
    if prediction is None or learner.learned < settings.learner.grace:
        return
    if settings.detectors.prediction is not None and not settings.detectors.prediction:
        return
    found: list[tuple[str, Finding]] = []
    if isinstance(learner, Classification):
        if sensor.classes is None:
            return
        told = learner.probabilities(x) or {prediction: 1.0}
        by_name = {class_name(label): p for label, p in told.items()}
        classes = tuple(sensor.classes.seen)
        for watched, share in series("prediction", classes, lambda each: by_name.get(each, 0.0)):
            _feed(sensor, watched, share, at, settings, found)
    elif isinstance(prediction, float):
        _feed(sensor, "prediction", prediction, at, settings, found)
    if found and sensor.foreseen is None:
        watched, one = found[0]
        sensor.foreseen = (sensor.events, watched, replace(one, kind="warning"))
    if sensor.foreseen is not None and sensor.observed is not None:
        since, watched, one = sensor.foreseen
        if sensor.observed.inputs_moved():
            findings.append((watched, one))
            sensor.foreseen = None
        elif sensor.events - since >= MOVES_WITHIN:
            sensor.foreseen = None


def _limit(
    sensor: Sensor,
    signal: str,
    value: float,
    at: Position,
    settings: SensorSettings,
    findings: list[tuple[str, Finding]],
) -> float:
    """Watch a number, and return it limited to what the reference can explain, to be learned.

    While there is no reference, nothing is limited. So a model that has learned little but a
    warm-up with a wild number in it begins anew; one that knows more has guards of its own.
    """
    season = sensor.seasons.get(signal)
    if season is None:
        season = sensor.seasons[signal] = Season()
    monitor = sensor.monitors.get(signal)
    reference = None if monitor is None else monitor.reference
    known = reference is not None
    measured, earlier = reference_in_use(monitor), len(findings)
    usual = reference.mean if reference is not None and season.holds else math.nan
    of_the_hour = season.expected(at.ts)
    judged = of_the_hour == of_the_hour
    left = value - of_the_hour if judged else value
    limited = left
    if monitor is not None:
        # What is right for an hour that is not known may be far from what is right for the others.
        limited = monitor.learnable(left) if judged else monitor.clip(left)
    learned = limited + of_the_hour if judged else limited
    if judged:
        caution = _caution(sensor, season, at)
        _feed(sensor, signal, left, at, settings, findings, caution)
        if caution is Caution.STEPS:
            findings[:] = [
                (name, finding)
                for name, finding in findings
                if name != signal or not _explained(finding, season, at)
            ]
        reading = signal != "label" and not season.holds
        if len(findings) > earlier and reading and "unit" in settings.hygiene.checks:
            found = [finding for _, finding in findings[earlier:]]
            told = sensor.hygiene.explain(signal, found, measured)
            findings[earlier:] = [(signal, finding) for finding in told]
    in_another_unit = signal in sensor.hygiene.units
    if not in_another_unit and season.advance(at.ts, limited, usual):
        sensor.monitors[signal].reset()
    if known or signal not in sensor.monitors:
        return learned
    if sensor.monitors[signal].wild_in_warmup and sensor.examples <= settings.detectors.warmup:
        _begin_anew(sensor)
    return learned


def _caution(sensor: Sensor, season: Season, at: Position) -> Caution:
    """Say what of a drift is to be believed as long as no day, or only one, is known."""
    if not season.on_trial and (season.holds or not season.first_day(at.ts)):
        return Caution.NONE
    hours = max((at.ts - sensor.first_ts) / HOUR, 1.0)
    if sensor.events * 24.0 / hours <= FEW:
        return Caution.ALL
    return Caution.NONE if season.holds else Caution.STEPS


def _explained(finding: Finding, season: Season, at: Position) -> bool:
    before, after, since = finding.before, finding.after, finding.change_point.ts
    if before is None or after is None or finding.detector in CHECKS:
        return False
    return season.explains(before, after, since, at.ts)


def _begin_anew(sensor: Sensor) -> None:
    """Take an untrained model: what the present one knows is of no use."""
    sensor.champion.learner = sensor.champion.learner.fresh()
    sensor.renewed_at = sensor.last_offset
    forget_error(sensor)


def _compare(
    sensor: Sensor,
    prediction: PredictionValue | None,
    rival: PredictionValue | None,
    truth: PredictionValue | None,
    at: Position,
    settings: SensorSettings,
    findings: list[tuple[str, Finding]],
) -> float | None:
    """Judge a prediction by the truth, and that of the challenger on the same event.

    Returns
    -------
    float or None
        The error, if the model has learned enough for it to count.
    """
    if at.offset <= sensor.renewed_at:
        return None
    champion, learner = sensor.champion, sensor.champion.learner
    error = learner.error(prediction, truth)
    if champion.challenger is not None:
        champion.observe(error, champion.challenger.error(rival, truth))
    if error is None or error >= LARGEST:
        return None
    sensor.prequential.update(error)
    rare = None
    if sensor.classes is not None and truth is not None:
        name = class_name(truth)
        sensor.classes.judge(name, error == 0.0)
        rare = name if sensor.classes.share(name) < RARE else None
    if learner.learned < settings.learner.grace:
        return None
    _feed(sensor, "error", error, at, settings, findings)
    if rare is not None:
        found: list[tuple[str, Finding]] = []
        _feed(sensor, f"error:{rare}", error, at, settings, found)
        findings.extend(pair for pair in found if pair[1].kind == "drift")
    return error


def _see(sensor: Sensor, x: Mapping[str, Feature], single: bool, settings: SensorSettings) -> None:
    """Keep what evidence needs of the inputs of an event."""
    if sensor.observed is None:
        learner = sensor.champion.learner
        if single and not learner.needs_label:
            return
        kinds: dict[str, Labels] = {"classification": "classes", "regression": "numbers"}
        labels = kinds.get(learner.task, "none")
        sensor.observed = Observed(labels, settings.detectors.warmup)
    sensor.observed.event(x)


def _judge(
    sensor: Sensor,
    at: Position,
    x: Mapping[str, Feature],
    error: float | None,
    label: PredictionValue | None,
) -> None:
    """Keep what evidence needs of an event whose truth is known."""
    if sensor.observed is None:
        return
    if label is not None:
        label = float(label) if sensor.champion.learner.task == "regression" else class_name(label)
    sensor.observed.judge(at.offset, x, error, label)


def _learn(
    sensor: Sensor, x: Mapping[str, Feature], label: PredictionValue | None, at: Position
) -> None:
    champion = sensor.champion
    champion.learner.learn(x, label)
    if champion.challenger is not None:
        champion.challenger.learn(x, label)
    sensor.examples += 1
    sensor.last_labelled = max(sensor.last_labelled, at.offset)
    due = sensor.retrain_due
    if due is not None and at.offset >= due.from_offset:
        due.examples += 1


def _pending(settings: SensorSettings) -> PendingLabels:
    return PendingLabels(settings.labels.max_pending, int(settings.labels.max_age * 1_000_000))


def _feed(
    sensor: Sensor,
    signal: str,
    x: float,
    at: Position,
    settings: SensorSettings,
    findings: list[tuple[str, Finding]],
    caution: Caution = Caution.NONE,
) -> None:
    monitor = sensor.monitors.get(signal)
    if monitor is None:
        monitor = sensor.monitors[signal] = monitor_of(signal, settings, strictness(sensor, signal))
    found = monitor.update(x, at, caution)
    if found:
        findings.extend((signal, finding) for finding in found)


def strictness(sensor: Sensor, signal: str) -> float:
    """Return by what the thresholds of a sensor's signal are multiplied."""
    loosened = sensor.loosened.get(signal_of(signal))
    return 1.0 if loosened is None else loosened.factor


def loosen(sensor: Sensor, signal: str, drift_event_id: str | None) -> float | None:
    """Raise the thresholds of a signal after a false alarm; what it is now is taken as normal.

    Parameters
    ----------
    sensor
        Changed in place.
    signal
        One that the sensor has.
    drift_event_id
        Of the false alarm: told twice, it counts once.

    Returns
    -------
    float or None
        The factor that holds from now on; None if nothing was changed.
    """
    before = sensor.loosened.get(signal, Loosened(1.0, None))
    if before.factor >= MOST or (
        drift_event_id is not None and before.drift_event_id == drift_event_id
    ):
        return None
    factor = min(before.factor * STEP, MOST)
    sensor.loosened[signal] = Loosened(factor, drift_event_id)
    _drop(sensor, signal)
    return factor


def calibrate(sensor: Sensor, settings: SensorSettings, sensors: int) -> None:
    """Take the limits of detectors anew where that is due.

    Parameters
    ----------
    sensor
        Changed in place.
    settings
        Those of this sensor.
    sensors
        In the fleet, as far as this partition can tell.
    """
    due = [name for name, monitor in sensor.monitors.items() if monitor.due]
    if not due:
        return
    budget = settings.budget
    allowed = rate(
        budget.per_10k_events,
        budget.per_sensor_per_year,
        budget.fleet_per_day,
        seconds_per_event=(sensor.last_ts - sensor.first_ts) / 1e6 / max(sensor.events - 1, 1),
        sensors=sensors,
        detectors=sum(
            len(monitor.detectors)
            for signal, monitor in sensor.monitors.items()
            if signal != "missing"
        ),
    )
    for signal in due:
        sensor.monitors[signal].calibrate(allowed, strictness(sensor, signal))


def monitor_of(signal: str, settings: SensorSettings, factor: float = 1.0) -> SignalMonitor:
    """Return a monitor that has seen nothing of a signal yet.

    Parameters
    ----------
    signal
        Its name.
    settings
        Those of the sensor.
    factor
        What its thresholds are multiplied by, see `detectors.strictness`.
    """
    family = family_of(signal)
    classes = settings.learner.task == "classification"
    bits = signal == "missing" or (classes and family in ("error", "label", "prediction"))
    configured: tuple[str, ...] | None = getattr(settings.detectors, family)
    names = DETECTORS[family] if configured is None else configured
    if family == "prediction" and configured is None:
        names = EARLY.get(settings.learner.task, names)
    elif family == "error" and signal != family and names:
        names = OF_A_CLASS
    detectors = with_defaults(
        names,
        scaled=not bits,
        params=settings.detectors.params,
        strictness=budget_factor(settings.budget.per_10k_events),
    )
    return SignalMonitor(
        stricter(detectors, factor),
        settings.detectors.warmup,
        scaled=not bits,
        # Errors that fall are learning, and readings that come again are no fault.
        alarm_on="up" if family in ("error", "missing") else "both",
        calibrated=calibrated(names, settings.detectors.params),
    )


def _observe(
    sensor: Sensor, at: Position, findings: list[tuple[str, Finding]]
) -> list[tuple[EpisodeEvent, Diagnosis, Severity]]:
    named = [_named(watched, found) for watched, found in findings]
    told = [(signal_of(watched), found) for watched, found in named]
    events = sensor.episodes.observe(at, told, sensor.events)
    for number, event in enumerate(events):
        if event.finding is None:
            continue
        told_one = next(pair for pair in named if pair[1] is event.finding)
        evidence = evidence_for(named, told_one, sensor.monitors, sensor.observed)
        facts = facts_of(evidence, told_one, sensor.monitors, sensor.observed)
        sensor.diagnosis = diagnose(event.signal, event.finding, facts)
        sensor.severity = severity(event.finding)
        events[number] = replace(event, evidence=evidence)
        if event.kind == "drift" and sensor.diagnosis != "upstream" and sensor.observed is not None:
            sensor.observed.told(at.offset)
    return [(event, sensor.diagnosis, sensor.severity) for event in events]


def _named(signal: str, finding: Finding) -> tuple[str, Finding]:
    """Name the check that a signal is there for."""
    return signal, replace(finding, detector="missing") if signal == "missing" else finding
