"""Episodes: many findings of one trouble become one warning, one drift, and one recovery.

One change is found by several detectors on several signals, and some sensors never come to rest.
So what is told is limited twice: by how grave it is, and by how long ago something was told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from detectors.diagnosis import Severity, severity
from detectors.evidence import Evidence
from detectors.signal import Finding, Position
from schemas.errors import ConfigurationError

Phase = Literal["warning", "drift", "recovered"]

MOST_WORSENINGS: Final = 2
"""From low to medium to high: there is nothing graver."""

_GRADES: Final[Mapping[Severity, int]] = {"low": 1, "medium": 2, "high": 3}


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
    opens
        Whether it is the first that is told of the episode.
    """

    kind: Phase
    signal: str
    detector: str
    finding: Finding | None
    episode_id: str
    evidence: tuple[Evidence, ...] = ()
    opens: bool = False


class Episodes:
    """The episodes of one sensor, one after another.

    The first finding opens an episode. Of its findings are told:

    - a warning, if it is the first;
    - the first drift;
    - a later drift that is graver than all that was told of the episode, `cooldown_events` events
      or more after the last that was told: sooner, it is the same change on another signal. There
      are at most two of these.

    All others are absorbed. After `quiet_events` events without a finding the episode ends in a
    recovery.

    For `cooldown_events` events after a recovery, only what is graver than the episode before is
    told: a sensor that does not come to rest opens one silently. An episode of which nothing was
    told ends without a recovery, and does not begin the time anew.

    Parameters
    ----------
    quiet_events
        Events without a finding that end an episode; at least 1.
    cooldown_events
        See above; 0: nothing is held back.

    Attributes
    ----------
    quiet
        Events since the last finding of the open episode; 0 while there is none.
    """

    __slots__ = (
        "_detector",
        "_drifted",
        "_grade",
        "_grade_before",
        "_id",
        "_recovered_at",
        "_signal",
        "_told_at",
        "_worsened",
        "cooldown_events",
        "quiet",
        "quiet_events",
    )

    def __init__(self, quiet_events: int, cooldown_events: int = 0) -> None:
        if quiet_events < 1:
            raise ConfigurationError("episodes.quiet_events", quiet_events, "an integer at least 1")
        self.quiet_events = quiet_events
        self.cooldown_events = cooldown_events
        self._recovered_at: int | None = None
        self._grade_before = 0
        self._close()

    def __setstate__(self, state: tuple[None, dict[str, Any]]) -> None:
        """Take over what was stored, by an earlier version too: that knew less."""
        self.__init__(1)  # type: ignore[misc]
        for name, value in state[1].items():
            setattr(self, name, value)

    def _close(self) -> None:
        self._id: str | None = None
        self._signal = ""
        self._detector = ""
        self._drifted = False
        self._grade = 0
        self._told_at = 0
        self._worsened = 0
        self.quiet = 0

    @property
    def open(self) -> bool:
        """Whether an episode is going on."""
        return self._id is not None

    @property
    def blank(self) -> bool:
        """Whether there is nothing to remember: no episode is going on, and none was told."""
        return self._id is None and self._recovered_at is None

    @property
    def episode_id(self) -> str | None:
        """Tells the present episode from all others of the sensor; None while there is none."""
        return self._id

    def observe(
        self, at: Position, findings: Sequence[tuple[str, Finding]], events: int
    ) -> list[EpisodeEvent]:
        """Take one event of the sensor, in order, with what was found at it.

        Parameters
        ----------
        at
            The event.
        findings
            Signal and finding, the most telling first; mostly none.
        events
            Events of the sensor so far, this one included.

        Returns
        -------
        list of EpisodeEvent
            What is to be told; mostly nothing, never more than one event.
        """
        if not findings:
            return self._quiet_event(events) if self._id is not None else []
        self.quiet = 0
        drifts = [pair for pair in findings if pair[1].kind == "drift"]
        signal, finding = drifts[0] if drifts else findings[0]
        if self._drifted and drifts:
            signal, finding = max(drifts, key=lambda pair: _GRADES[severity(pair[1])])
        if self._id is None:
            # A signal's findings all come from one topic, so its offsets never repeat.
            self._id = f"{signal}@{at.offset}"
        grade = _GRADES[severity(finding)]
        if not self._is_told(finding, grade, events):
            return []
        opens = self._grade == 0
        if opens:
            self._signal = signal
            self._detector = finding.detector
        self._worsened += self._drifted
        self._drifted = finding.kind == "drift"
        self._grade = max(grade, self._grade)
        self._told_at = events
        return [self._event(finding.kind, signal, finding.detector, finding, opens=opens)]

    def _is_told(self, finding: Finding, grade: int, events: int) -> bool:
        if self._drifted:
            return (
                finding.kind == "drift"
                and grade > self._grade
                and self._worsened < MOST_WORSENINGS
                and events - self._told_at >= self.cooldown_events
            )
        if self._grade > 0:
            return finding.kind == "drift"
        recovered_at = self._recovered_at
        resting = recovered_at is not None and events - recovered_at <= self.cooldown_events
        return not resting or grade > self._grade_before

    def _quiet_event(self, events: int) -> list[EpisodeEvent]:
        self.quiet += 1
        if self.quiet < self.quiet_events:
            return []
        told = []
        if self._grade > 0:
            told = [self._event("recovered", self._signal, self._detector, None)]
            self._recovered_at = events
            self._grade_before = self._grade
        self._close()
        return told

    def _event(
        self,
        kind: Phase,
        signal: str,
        detector: str,
        finding: Finding | None,
        *,
        opens: bool = False,
    ) -> EpisodeEvent:
        return EpisodeEvent(kind, signal, detector, finding, self._id or "", opens=opens)
