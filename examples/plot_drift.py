"""Plot a backtest: the readings, what was found in them, and what people labelled.

    python examples/plot_drift.py docs/images/machine-temperature.png

Runs ``driftline backtest --json`` on the machine temperatures of the Numenta Anomaly Benchmark and
draws the drift events it printed. Needs matplotlib (``pip install '.[dev]'``).
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import matplotlib as mpl
import matplotlib.dates as mdates

from streams import datasets

mpl.use("Agg")
from matplotlib import pyplot as plt

READINGS = Path("streams/data/nab/machine_temperature_system_failure.csv")


def main(target: Path) -> None:
    """Run the backtest and write the picture to `target`."""
    command = [sys.executable, "-m", "streams", "backtest", str(READINGS), "--json"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    drifts = [event for event in map(json.loads, printed.splitlines()) if event["kind"] == "drift"]
    with READINGS.open() as file:
        rows = [(time(row["timestamp"] + "Z"), float(row["value"])) for row in csv.DictReader(file)]

    figure, axes = plt.subplots(figsize=(11, 4.6), layout="constrained")
    for label in datasets.load("machine-temperature").truth:
        shade = axes.axvspan(seconds(label.ts), seconds(label.until), color="#f2c14e", alpha=0.45)
    axes.plot(*zip(*rows, strict=True), color="#3b4a5a", linewidth=0.5)
    legend = {"labelled by NAB": shade}
    for colour, signal, name in (
        ("#c8102e", "value", "drift of the value"),
        ("#1b6ca8", "error", "drift of the model's error"),
    ):
        for drift in (d for d in drifts if d["signal"] == signal):
            found = time(drift["ts"])
            line = axes.axvline(found, color=colour, linewidth=1.1)
            since = time(drift["change_point"]["ts"])
            axes.axvspan(since, found, ymax=0.04, color=colour, alpha=0.8)
            legend[name] = line
    axes.legend(legend.values(), legend.keys(), loc="lower left", framealpha=1.0)
    axes.set_ylabel("temperature")
    axes.set_title(
        f"{len(rows):,} readings of one machine, {len(drifts)} drift events; "
        "the bar at the foot of each begins at its change point",
        fontsize=10,
    )
    axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(mdates.AutoDateLocator()))
    axes.margins(x=0.01)
    figure.savefig(target, dpi=120, metadata={"Software": None})


def time(text: str) -> datetime:
    """Read a time as it stands in a drift event or, with a Z added, in the file."""
    return datetime.fromisoformat(text)


def seconds(microseconds: int | None) -> datetime:
    """Read a time of the ground truth."""
    assert microseconds is not None
    return datetime.fromtimestamp(microseconds / 1e6, UTC)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "machine-temperature.png"))
