"""How a backtest's alarms compare, for people and as one JSON line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from schemas.timestamps import format_timestamp
from streams.cli.output import console, emit, note, printable

if TYPE_CHECKING:
    from streams.comparison import Method, Recording
    from streams.scoring import Score

HEADERS = (
    "missed",
    "alarms",
    "false",
    "events between false",
    "delay in events",
    "precision",
    "recall",
    "F1",
    "beats evenly spaced",
)


def show(recording: Recording, methods: Sequence[Method], *, json: bool) -> None:
    """Write the scores: a JSON line to stdout, or tables to stderr."""
    unused = recording.unused()
    if unused:
        note(f"{unused:,} windows hold no event of their sensor and were left out")
    if json:
        emit(as_json(recording, methods))
        return
    stderr = console(stderr=True)
    stderr.print(_scores(recording, methods))
    if any(recording.windows(sensor) for sensor in recording.times):
        stderr.print()
        stderr.print(_delays(recording, methods))


def as_json(recording: Recording, methods: Sequence[Method]) -> dict[str, Any]:
    """Return the scores as they are written with ``--json``."""
    lines: list[dict[str, Any]] = []
    for method in methods:
        rows: list[tuple[str | None, Score]] = [*method.by_sensor.items(), (None, method.total)]
        for sensor, score in rows:
            lines.append(
                {
                    "method": method.name,
                    "sensor_id": sensor,
                    **figures(score),
                    "evenly_spaced_f1": method.dummy_f1(sensor),
                    "beats_evenly_spaced": method.beats_dummy(sensor),
                }
            )
    return {"kind": "scores", "scores": lines, "windows": _windows(recording, methods)}


def figures(score: Score) -> dict[str, Any]:
    """Return all figures of a score, times in events and in seconds; null where there is none."""
    return {
        "events": score.events,
        "windows": score.windows,
        "hits": score.hits,
        "missed": score.missed,
        "alarms": score.alarms,
        "false_alarms": score.false_alarms,
        "mtfa_events": score.mtfa_events,
        "mtfa_seconds": score.mtfa_seconds,
        "mtd_events": score.mtd_events,
        "mtd_seconds": score.mtd_seconds,
        "mdr": score.mdr,
        "precision": score.precision,
        "recall": score.recall,
        "f1": score.f1,
    }


def cells(score: Score) -> list[str]:
    """Return what stands under `HEADERS`, but for the last."""
    return [
        f"{score.missed} of {score.windows}",
        f"{score.alarms:,}",
        f"{score.false_alarms:,}",
        _both(score.mtfa_events, score.mtfa_seconds),
        _both(score.mtd_events, score.mtd_seconds),
        *(share(value) for value in (score.precision, score.recall, score.f1)),
    ]


def verdict(beats: bool | None, dummy_f1: float | None) -> str:
    """Return what stands under the last of `HEADERS`."""
    return "-" if beats is None else f"{'yes' if beats else 'no'} ({share(dummy_f1)})"


def share(value: float | None) -> str:
    """Write a share; a dash where there is none."""
    return "-" if value is None else f"{value:.2f}"


def span(seconds: float | None) -> str:
    """Write a duration in its two largest units: ``3d 4h``; a dash where there is none."""
    if seconds is None:
        return "-"
    left = round(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


def _both(events: float | None, seconds: float | None) -> str:
    return "-" if events is None else f"{events:,.0f} ({span(seconds)})"


def _scores(recording: Recording, methods: Sequence[Method]) -> Table:
    """One line per method: of each sensor, and of all together."""
    ours = methods[0]
    several = len(ours.by_sensor) > 1
    table = grid((*(("sensor",) if several else ()), "method", *HEADERS), 1 + several)
    told = [s for s in ours.by_sensor if recording.windows(s) or ours.by_sensor[s].alarms]
    for sensor in (*told, None) if several else (None,):
        for method in methods:
            score = method.total if sensor is None else method.by_sensor[sensor]
            beats = method.beats_dummy(sensor)
            name = ("all" if sensor is None else printable(sensor),) if several else ()
            row = [*name, method.name, *cells(score), verdict(beats, method.dummy_f1(sensor))]
            table.add_row(*(Text(cell) for cell in row), style="red" if beats is False else None)
    return table


def _delays(recording: Recording, methods: Sequence[Method]) -> Table:
    """One line per window: after how many events each method raised its first alarm in it."""
    several = len(methods[0].by_sensor) > 1
    names = (*(("sensor",) if several else ()), "window", *(method.name for method in methods))
    table = grid(names, 1 + several)
    for line in _windows(recording, methods):
        found = (line["delays"][method.name] for method in methods)
        told = ("missed" if d is None else _both(d["events"], d["seconds"]) for d in found)
        name = (printable(line["sensor_id"]),) if several else ()
        row = (*name, f"{line['start']} to {line['end']}", *told)
        table.add_row(*(Text(cell) for cell in row))
    return table


def _windows(recording: Recording, methods: Sequence[Method]) -> list[dict[str, Any]]:
    """Say of each window how soon each method found it."""
    return [
        {
            "sensor_id": sensor,
            "start": format_timestamp(window.start),
            "end": format_timestamp(window.end),
            "delays": {
                method.name: None
                if (delay := method.by_sensor[sensor].delays[place]) is None
                else {"events": delay.events, "seconds": delay.seconds}
                for method in methods
            },
        }
        for sensor in sorted(recording.times)
        for place, window in enumerate(recording.windows(sensor))
    ]


def grid(headers: Sequence[str], left: int) -> Table:
    """Return an empty table, the first columns to the left and the rest to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, header in enumerate(headers):
        table.add_column(
            header, justify="left" if place < left else "right", overflow="fold", vertical="bottom"
        )
    return table
