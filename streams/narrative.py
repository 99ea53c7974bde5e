"""Drift events and what was done about them, told to someone who sees them for the first time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from schemas.timestamps import format_timestamp, parse_timestamp
from streams.datasets import Change, Dataset
from streams.web.words import describe, explain, strongest

_STYLES = {"drift": "bold red", "warning": "yellow", "recovered": "green"}
_SECOND = 1_000_000
_DEEDS = {
    "relearn": "a new model learns beside the one in use",
    "promote": "the new model takes over",
    "reject": "the new model is not taken",
    "retrain": "a batch retrain is asked for",
    "rollback": "the earlier model is back in use",
    "reset": "the detectors begin anew",
    "loosen": "thresholds are raised after a false alarm",
    "evict": "it was silent for the longest and is forgotten",
}


class Narrative:
    """Tells a run of one data set as it happens.

    Parameters
    ----------
    console
        Where to.
    dataset
        Its truth is held against what is found.
    """

    def __init__(self, console: Console, dataset: Dataset) -> None:
        self._console = console
        self._dataset = dataset
        self._counts = {"warning": 0, "drift": 0, "recovered": 0}
        self._deeds: dict[str, int] = {}
        self._drifts: list[tuple[int, str]] = []
        self._times: dict[str, int] = {}
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("starting broker and workers", total=None)

    def __enter__(self) -> Narrative:
        """Show on a terminal that something is going on."""
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was."""
        self._progress.stop()

    def played(self, events: int) -> None:
        """Show how far it has come."""
        self._progress.update(self._task, description=f"{events:,} events played")

    def begin(self) -> None:
        """Say what is going to happen."""
        self._say(Text(f"Driftline demo: {self._dataset.name}", style="bold"))
        self._say(f"{self._dataset.title}.")
        self._say(
            "An embedded Kafka broker, a worker and a retrain worker run on this computer while it "
            "lasts. Times below are those of the events."
        )
        self._say("")

    def alert(self, event: Mapping[str, Any]) -> None:
        """Tell one drift event: what, when, why."""
        kind, sensor, ts = event["kind"], event["sensor_id"], parse_timestamp(event["ts"])
        self._counts[kind] += 1
        head = Text(f"{_minute(ts)}  ")
        head.append(f"{kind.upper():<9}", style=_STYLES[kind])
        head.append(f"  {sensor}", style="bold")
        if kind == "recovered":
            head.append(f"  {describe(event)}")
            self._say(head)
            return
        head.append(f"  severity {event['severity']}")
        self._say(head)
        self._detail("what", describe(event))
        self._detail("when", _when(event, ts))
        self._detail("why", f"{event['diagnosis']} drift: {explain(event)}")
        if strongest(event):
            self._detail("evidence", strongest(event))
        self._detail("found by", _found_by(event))
        if kind == "drift":
            self._drifts.append((ts, sensor))
            self._times[event["id"]] = ts
            change = self._change_at(sensor, ts)
            if change is not None:
                self._detail("truth", change.description)

    def adaptation(self, record: Mapping[str, Any]) -> None:
        """Tell one step that was taken because of a drift event."""
        action = record["action"]
        self._deeds[action] = self._deeds.get(action, 0) + 1
        line = Text(f"{'':18}")
        line.append(f"{action.upper():<9}", style="cyan")
        line.append(f"  {record['sensor_id']}", style="bold")
        line.append(f"  {_DEEDS[action]}{_versions(record)}")
        details = [record["reason"]] if record["reason"] else []
        if record["drift_event_id"] in self._times:
            details.append(f"after the drift of {_minute(self._times[record['drift_event_id']])}")
        if details:
            line.append(f" ({', '.join(details)})", style="dim")
        self._say(line)

    def end(self, events: int, scored: int, dead_letters: int, seconds: float) -> None:
        """Sum up, and hold what was found against what really happened."""
        self._say("")
        self._say(Text("Summary", style="bold"))
        self._say(
            f"{events:,} events produced, {scored:,} scored, {dead_letters:,} dead letters "
            f"in {seconds:.0f} s."
        )
        counts = self._counts
        self._say(
            f"{counts['drift']:,} drifts, {counts['warning']:,} warnings, "
            f"{counts['recovered']:,} times quiet again."
        )
        done = ", ".join(f"{action} {count}" for action, count in sorted(self._deeds.items()))
        self._say(f"Steps taken: {done or 'none'}.")
        self._say("")
        self._tell_truth()

    def _tell_truth(self) -> None:
        """Hold what was found against what is known to have changed."""
        truth = self._dataset.truth
        found = [self._found(change) for change in truth]
        self._say(
            f"{sum(ts is not None for ts in found)} of {len(truth)} known changes were found:"
        )
        for change, ts in zip(truth, found, strict=True):
            outcome = "not found" if ts is None else f"found after {_span(ts - change.ts)}"
            line = Text(f"  {_minute(change.ts)}  {change.sensor_id}: {change.description}: ")
            line.append(outcome, style="yellow" if ts is None else "green")
            self._say(line)
        calm = self._dataset.calm_sensors
        if calm:
            changed = {change.sensor_id for change in truth}
            false = {sensor for _, sensor in self._drifts if sensor not in changed}
            self._say(f"Of the {calm} sensors that never changed, {len(false)} raised a drift.")

    def _found(self, change: Change) -> int | None:
        """Time of the first drift event that this change explains."""
        return next(
            (
                ts
                for ts, sensor in sorted(self._drifts)
                if sensor == change.sensor_id and self._change_at(sensor, ts) is change
            ),
            None,
        )

    def _change_at(self, sensor: str, ts: int) -> Change | None:
        """The last change of a sensor that had begun by then and was not yet over."""
        for change in reversed(self._dataset.truth):
            if change.sensor_id == sensor and change.ts <= ts:
                return change if change.until is None or ts <= change.until else None
        return None

    def _detail(self, name: str, text: str) -> None:
        line = Text(f"{'':18}")
        line.append(f"{name:<9}  ", style="dim")
        line.append(text)
        self._say(line)

    def _say(self, text: str | Text) -> None:
        self._console.print(text, soft_wrap=True, highlight=False, markup=False)


def _minute(ts: int) -> str:
    return format_timestamp(ts)[:16].replace("T", " ")


def _when(event: Mapping[str, Any], ts: int) -> str:
    began = (event["change_point"] or {}).get("ts")
    if began is None:
        return f"noticed at {_minute(ts)}"
    since = parse_timestamp(began)
    if since >= ts:
        return f"began just now, at {_minute(ts)}"
    return f"began about {_minute(since)}, noticed {_span(ts - since)} later"


def _found_by(event: Mapping[str, Any]) -> str:
    by = f"{event['detector']} on {event['signal']}"
    if event["score"] is None or event["threshold"] is None:
        return by
    return f"{by}, {event['score']:.4g} against a limit of {event['threshold']:.4g}"


def _versions(record: Mapping[str, Any]) -> str:
    before, after = record["model_before"], record["model_after"]
    if not before or not after or before["version"] == after["version"]:
        return ""
    return f", version {before['version']} -> {after['version']}"


def _span(us: int) -> str:
    """A length of time in the largest unit that says it well."""
    seconds = us / _SECOND
    for size, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
