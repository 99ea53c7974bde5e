"""Pictures of a sweep. They need matplotlib, which is an extra of its own (``driftline[plot]``)."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Sequence
from typing import Any, Final

from matplotlib.figure import Figure

from streams.sweep import Outcome

__all__ = ["page", "picture"]

_BEST: Final = "#c8102e"
_OTHERS: Final = "#1b6ca8"


def picture(outcomes: Sequence[Outcome]) -> bytes:
    """Draw what the combinations came to, as PNG.

    Parameters
    ----------
    outcomes
        The best one first.
    """
    varied = [key for key in outcomes[0].values if len(_ticks(outcomes, key)) > 1]
    count = 1 + len(varied)
    figure = Figure(figsize=(4.5 * count, 3.8), layout="constrained")
    axes = figure.subplots(1, count, squeeze=False)[0]
    _trade_off(axes[0], outcomes)
    for plot, key in zip(axes[1:], varied, strict=True):
        _by_value(plot, outcomes, key)
    written = io.BytesIO()
    figure.savefig(written, format="png", dpi=110, metadata={"Software": None})
    return written.getvalue()


def page(headers: Sequence[str], rows: Sequence[Sequence[str]], png: bytes) -> str:
    """Put the picture and the table into one HTML file that needs no other."""

    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row)

    image = base64.b64encode(png).decode()
    body = "\n".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return (
        "<!doctype html>\n"
        '<html lang="en"><meta charset="utf-8"><title>Driftline sweep</title>\n'
        "<style>body{font:14px sans-serif;margin:2em}img{max-width:100%}"
        "td,th{padding:2px 10px;text-align:right}</style>\n"
        f'<img alt="F1, missed windows and false alarms of each combination" '
        f'src="data:image/png;base64,{image}">\n'
        f"<table><tr>{cells('th', headers)}</tr>\n{body}\n</table></html>\n"
    )


def _trade_off(plot: Any, outcomes: Sequence[Outcome]) -> None:
    """What is missed against what is false: the lower left is where one wants to be."""

    def point(outcome: Outcome) -> tuple[float, float]:
        score = outcome.score
        return score.false_alarms / max(score.outside, 1) * 10_000, score.missed

    for outcome in reversed(outcomes):
        best = outcome is outcomes[0]
        plot.scatter(
            *point(outcome),
            s=130 if best else 35,
            marker="*" if best else "o",
            color=_BEST if best else _OTHERS,
            alpha=1.0 if best else 0.5,
            label="highest F1" if best else None,
        )
    plot.set_xlabel("false alarms per 10,000 events")
    windows = outcomes[0].score.windows
    plot.set_ylabel(f"missed of {windows} windows")
    plot.set_ylim(-0.04 * max(windows, 1), 1.04 * max(windows, 1))
    plot.yaxis.get_major_locator().set_params(integer=True)
    plot.set_title("better: down and to the left", fontsize=9)
    plot.legend(frameon=False)


def _by_value(plot: Any, outcomes: Sequence[Outcome], key: str) -> None:
    """F1 of each combination over one of the keys, and the best at each value."""
    ticks = _ticks(outcomes, key)
    places = [ticks.index(json.dumps(outcome.values[key])) for outcome in outcomes]
    heights = [outcome.score.f1 or 0.0 for outcome in outcomes]
    plot.scatter(places, heights, s=35, color=_OTHERS, alpha=0.5)
    highest = [
        max(height for place, height in zip(places, heights, strict=True) if place == number)
        for number in range(len(ticks))
    ]
    plot.plot(highest, color=_BEST, linewidth=1.2)
    plot.set_title("line: the best with each value", fontsize=9)
    plot.set_xticks(range(len(ticks)), ticks)
    plot.set_ylim(-0.03, 1.03)
    plot.set_xlabel(key)
    plot.set_ylabel("F1")


def _ticks(outcomes: Sequence[Outcome], key: str) -> list[str]:
    """The values of a key in the order of their size, or of their text."""
    values = {json.dumps(outcome.values[key]): outcome.values[key] for outcome in outcomes}
    numbers = all(isinstance(value, int | float) for value in values.values())
    return sorted(values, key=(lambda text: float(values[text])) if numbers else None)
