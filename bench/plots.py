"""Pictures of results; they need matplotlib (``pip install '.[dev]'``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

from bench.figures import Spread

mpl.use("Agg")
from matplotlib import pyplot as plt

OURS, THEIRS = "#c8102e", "#8fa3b5"


def curves(path: Path, panels: Mapping[str, Mapping[int, Spread]]) -> None:
    """Draw the CPU time per event over each of a few quantities, with its range.

    Parameters
    ----------
    path
        The picture.
    panels
        Quantity -> (its value -> microseconds per event).
    """
    figure, all_axes = plt.subplots(
        1, len(panels), figsize=(5 * len(panels), 3.6), sharey=True, layout="constrained"
    )
    for axes, (quantity, costs) in zip(all_axes, panels.items(), strict=True):
        medians = [cost.median for cost in costs.values()]
        below = [cost.median - cost.low for cost in costs.values()]
        above = [cost.high - cost.median for cost in costs.values()]
        axes.errorbar(list(costs), medians, [below, above], marker="o", color=OURS, capsize=4)
        axes.set_xscale("log")
        axes.set_xticks(list(costs), [f"{value:,}" for value in costs])
        axes.minorticks_off()
        axes.set_xlabel(quantity)
        axes.spines[["top", "right"]].set_visible(False)
    all_axes[0].set_ylim(bottom=0)
    all_axes[0].set_ylabel("CPU time of the worker per event, us")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def bars(path: Path, costs: Mapping[str, Spread], ours: str, notes: Sequence[str]) -> None:
    """Draw one bar for the CPU time per event of each contender, with its range.

    Parameters
    ----------
    path
        The picture.
    costs
        Title -> microseconds per event, in the order of the bars.
    ours
        The title that stands out.
    notes
        What is written behind each bar.
    """
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.55 * len(costs)), layout="constrained")
    medians = [cost.median for cost in costs.values()]
    below = [cost.median - cost.low for cost in costs.values()]
    above = [cost.high - cost.median for cost in costs.values()]
    drawn = axes.barh(
        list(costs),
        medians,
        xerr=[below, above],
        color=[OURS if title == ours else THEIRS for title in costs],
        capsize=4,
        error_kw={"linewidth": 1.0, "ecolor": "#222222"},
    )
    axes.bar_label(drawn, notes, padding=6)
    axes.invert_yaxis()
    axes.margins(x=0.3)
    axes.set_xlim(left=0)
    axes.set_xlabel("CPU time of the whole process per event, us: median and range, less is better")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
    plt.close(figure)
