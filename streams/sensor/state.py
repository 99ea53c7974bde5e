"""What is kept of one sensor."""

from __future__ import annotations

from dataclasses import dataclass, field

from detectors.diagnosis import Diagnosis, Severity
from detectors.episodes import Episodes
from detectors.hygiene import Hygiene
from detectors.observed import Observed
from detectors.season import Season
from detectors.signal import Finding, SignalMonitor
from learners.base import Learner
from learners.champion import Champion
from learners.labels import PendingLabels
from learners.metrics import ClassMetrics, Prequential


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
    retrain_due, retrain_next
        The batch retrain that waits for examples, and the one that is to wait after it.
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
    retrain_next: RetrainDue | None = None
    observed: Observed | None = None
    loosened: dict[str, Loosened] = field(default_factory=dict)
    classes: ClassMetrics | None = None
    foreseen: tuple[int, str, Finding] | None = None

    @property
    def blank(self) -> bool:
        """Whether nothing is known of the sensor that is worth keeping."""
        waiting = self.pending.head().number > 0
        return self.events == 0 and self.muted_until is None and not waiting
