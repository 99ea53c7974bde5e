"""``driftline state``: what a deployment knows of a sensor."""

from __future__ import annotations

from typing import Any

import typer

from schemas.errors import DriftlineError
from streams.cli.options import Config, Json, SensorId, Set, load
from streams.cli.output import emit, say

app = typer.Typer(help="Inspect the state of a sensor.", rich_markup_mode=None)


@app.callback()
def state() -> None:
    """Inspect the state of a sensor."""


@app.command()
def show(
    sensor: SensorId,
    config: Config = None,
    assignments: Set = None,
    json: Json = False,
) -> None:
    """Show what the last checkpoint holds of a sensor: events scored, model, detectors.

    \b
    Examples:
      driftline state show press-7
      driftline state show press-7 --json | jq .detectors
    """
    settings = load(config, assignments)
    from streams import inspection
    from streams.cli.kafka import open_consumer

    with open_consumer(settings):
        pass  # A broker that does not answer is told at once, not after kafka.outage_timeout.
    found = inspection.show(settings, sensor)
    if not found:
        raise DriftlineError(f"{sensor}: no checkpoint of {settings.group!r} knows this sensor")
    if json:
        emit(found)
        return
    for line in _lines(found):
        say(line)


def _lines(tree: Any, indent: int = 0) -> list[str]:
    """The tree as ``name: value`` lines, one level of it one step further to the right."""
    pad = "  " * indent
    lines = []
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            lines.append(f"{pad}{name}:")
            lines += _lines(value, indent + 1)
        else:
            lines.append(f"{pad}{name}: {'-' if value in (None, {}) else value}")
    return lines
