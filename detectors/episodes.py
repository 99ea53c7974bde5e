"""Episodes: many findings of one trouble become one warning, one drift and one recovery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from detectors.evidence import Evidence
from detectors.signal import Finding, Position
from schemas.errors import ConfigurationError

Phase = Literal["warning", "drift", "recovered"]


@dataclass(frozen=True, slots=True)
class EpisodeEvent:
    """What is to be told about an episode.

    Attributes
    ----------
    kind
        ``"warning"``, ``"drift"`` or ``"recovered"``.
    signal, detector
        Who found it; of a recovery: who opened the episode.
    finding
        What was found; None for a recovery.
    episode_id
        Tells the episode from all others of the same sensor, on every replay.
    evidence
        What speaks for it.
    """

    kind: Phase
    signal: str
    detector: str
    finding: Finding | None
    episode_id: str
    evidence: tuple[Evidence, ...] = ()


class Episodes:
    """The episodes of one sensor, one after another.

    The first finding opens an episode. Of its findings at most one warning is told, namely the
    opening one, and at most one drift, the first; all others are absorbed. After
    `quiet_events` events without a finding the episode ends in a recovery.

    Parameters
    ----------
    quiet_events
        Events without a finding that end an episode; at least 1.

    Attributes
    ----------
    quiet
        Events since the last finding of the open episode; 0 while there is none.
    """

    __slots__ = ("_detector", "_drifted", "_id", "_signal", "quiet", "quiet_events")

    def __init__(self, quiet_events: int) -> None:
        if quiet_events < 1:
            raise ConfigurationError("episodes.quiet_events", quiet_events, "an integer at least 1")
        self.quiet_events = quiet_events
        self._close()

    def _close(self) -> None:
        self._id: str | None = None
        self._signal = ""
        self._detector = ""
        self._drifted = False
        self.quiet = 0

    @property
    def open(self) -> bool:
        """Whether an episode is going on."""
        return self._id is not None

    @property
    def episode_id(self) -> str | None:
        """Tells the present episode from all others of the sensor; None while there is none."""
        return self._id

    def observe(self, at: Position, findings: Sequence[tuple[str, Finding]]) -> list[EpisodeEvent]:
        """Take one event of the sensor, in order, with what was found at it.

        Parameters
        ----------
        at
            The event.
        findings
            Signal and finding, the most telling first; mostly none.

        Returns
        -------
        list of EpisodeEvent
            What is to be told; mostly nothing, never more than one event.
        """
        if not findings:
            return self._quiet_event() if self._id is not None else []
        self.quiet = 0
        signal, finding = next((pair for pair in findings if pair[1].kind == "drift"), findings[0])
        opens = self._id is None
        if opens:
            # A signal's findings all come from one topic, so its offsets never repeat.
            self._id = f"{signal}@{at.offset}"
            self._signal = signal
            self._detector = finding.detector
            self._drifted = False
        if self._drifted or (finding.kind == "warning" and not opens):
            return []
        self._drifted = finding.kind == "drift"
        return [self._event(finding.kind, signal, finding.detector, finding)]

    def _quiet_event(self) -> list[EpisodeEvent]:
        self.quiet += 1
        if self.quiet < self.quiet_events:
            return []
        recovered = self._event("recovered", self._signal, self._detector, None)
        self._close()
        return [recovered]

    def _event(
        self, kind: Phase, signal: str, detector: str, finding: Finding | None
    ) -> EpisodeEvent:
        return EpisodeEvent(kind, signal, detector, finding, self._id or "")
