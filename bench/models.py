"""What other River models cost: time per event, and what a checkpoint writes of each.

Usage: ``python -m bench.models [--events N]``.

One sensor per model goes through the plain path, as in a worker; then its row is written once.
Half a model's events come before the measured half, since trees are small at first.
"""

from __future__ import annotations

import random
import time
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from schemas.settings import load_settings
from streams.pipeline import Pipeline
from streams.records import FileRecord

START = 1_767_614_400
SEED = 1
SCALER = {"class": "river.preprocessing.StandardScaler"}

MODELS: dict[str, tuple[str, Any]] = {
    "StandardScaler | LinearRegression": ("forecast", None),
    "SNARIMAX(p=3)": (
        "forecast",
        {"class": "river.time_series.SNARIMAX", "params": {"p": 3, "d": 0, "q": 0}},
    ),
    "HoltWinters": (
        "forecast",
        {"class": "river.time_series.HoltWinters", "params": {"alpha": 0.3}},
    ),
    "HoeffdingTreeRegressor": ("forecast", {"class": "river.tree.HoeffdingTreeRegressor"}),
    "HoeffdingAdaptiveTreeRegressor": (
        "forecast",
        {"class": "river.tree.HoeffdingAdaptiveTreeRegressor"},
    ),
    "ARFRegressor, 10 trees": ("forecast", {"class": "river.forest.ARFRegressor"}),
    "GaussianScorer": ("anomaly", None),
    "HalfSpaceTrees": ("anomaly", {"class": "river.anomaly.HalfSpaceTrees"}),
}


def records(first: int, count: int) -> list[FileRecord]:
    """Return stationary N(20, 1) readings of one sensor."""
    draw = random.Random(SEED + first)
    found = []
    for offset in range(first, first + count):
        event = {"sensor_id": "press-7", "ts": START + offset, "value": draw.gauss(20.0, 1.0)}
        found.append(FileRecord(offset, START * 1000, None, orjson.dumps(event)))
    return found


def measured(task: str, model: Any, events: int) -> tuple[float, float, int]:
    """Return microseconds of CPU per event and per checkpoint, and the bytes of the row."""
    pipeline = Pipeline(
        load_settings(
            None,
            {
                "learner.task": task,
                "policy.enabled": False,
                "state.signing_key": "only for measuring",
            }
            | ({} if model is None else {"learner.model": model}),
        ),
        0,
    )
    pipeline.process("sensors", records(0, events // 2))
    pipeline.take()
    half = records(events // 2, events // 2)
    began = time.process_time()
    pipeline.process("sensors", half)
    per_event = (time.process_time() - began) / len(half)
    began = time.process_time()
    _, rows = pipeline.take()
    per_checkpoint = time.process_time() - began
    return per_event * 1e6, per_checkpoint * 1e6, sum(len(row or b"") for _, row in rows)


def main(
    events: Annotated[int, typer.Option(min=200, help="Events per model.")] = 10_000,
) -> None:
    """Print what each model costs."""
    console = Console(width=100)
    table = Table(box=None)
    for heading in ("model", "us of CPU an event", "us a checkpoint", "bytes of state"):
        table.add_column(heading, justify="left" if heading == "model" else "right")
    for name, (task, model) in track(
        MODELS.items(), console=console, transient=True, disable=not console.is_terminal
    ):
        event, checkpoint, size = measured(task, model, events)
        table.add_row(name, f"{event:,.0f}", f"{checkpoint:,.0f}", f"{size:,}")
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
