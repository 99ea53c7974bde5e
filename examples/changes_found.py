"""What is found of the known changes of the three demo data sets, and what else is reported.

Runs the worker's own pipeline on each data set, without Kafka, and holds its drift events
against what really changed. Takes about 20 seconds:

    python examples/changes_found.py
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass

from schemas.settings import load_settings
from schemas.timestamps import parse_timestamp
from streams import datasets
from streams.backtest import Backtest


@dataclass(frozen=True)
class Drift:
    """A drift event, as far as it matters here; `index` counts the sensor's events from 0."""

    ts: int
    signal: str
    index: int


def main() -> None:
    """Print one table per data set."""
    for name in datasets.NAMES:
        dataset = datasets.load(name, seed=0)
        drifts, events = backtest(dataset)
        print(f"{name}: {sum(len(times) for times in events.values()):,} events")
        explained: set[Drift] = set()
        found: dict[str, list[int | None]] = {}
        for change in dataset.truth:
            # A change that stays can be found until the end of the data.
            end = change.until if change.until is not None else 2**62
            hits = [d for d in drifts.get(change.sensor_id, []) if change.ts <= d.ts <= end]
            explained.update(hits)
            start = sum(ts < change.ts for ts in events[change.sensor_id])
            found.setdefault(change.kind, []).append(hits[0].index - start if hits else None)
        for kind, delays in found.items():
            late = sorted(delay for delay in delays if delay is not None)
            after = f", after {late[0]} to {late[-1]} events" if late else ""
            print(f"  {kind}: {len(late)} of {len(delays)} found{after}")
        others = [d for list_ in drifts.values() for d in list_ if d not in explained]
        signals = Counter(d.signal for d in others)
        print(f"  other drift events: {len(others)} {dict(signals) if signals else ''}".rstrip())


def backtest(dataset: datasets.Dataset) -> tuple[dict[str, list[Drift]], dict[str, list[int]]]:
    """Return the drift events and the event times of every sensor."""
    run = Backtest(load_settings(None, dataset.settings))
    drifts: dict[str, list[Drift]] = {}
    events: dict[str, list[int]] = {}
    for message in dataset.messages():
        if message.kind == "sensors":
            events.setdefault(message.sensor_id, []).append(message.ts)
        for raw in run.feed(message.kind, message.value):
            event = json.loads(raw)
            if event["kind"] == "drift":
                sensor, ts = event["sensor_id"], parse_timestamp(event["ts"])
                index = sum(before < ts for before in events[sensor])
                drifts.setdefault(sensor, []).append(Drift(ts, event["signal"], index))
    return drifts, events


if __name__ == "__main__":
    main()
