"""``driftline demo``: the main job, end to end, with nothing else installed."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from streams.cli.options import Json


def demo(
    dataset: Annotated[
        Literal["machine-temperature", "glassware", "fleet"],
        typer.Option(help="Which events: real ones of a machine, or generated ones."),
    ] = "machine-temperature",
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the generated events.")] = 0,
    json: Json = False,
) -> None:
    """Show the whole thing on an embedded broker: events in, drift events out. Under a minute.

    \b
    Examples:
      driftline demo
      driftline demo --dataset glassware
      driftline demo --dataset fleet --seed 7 --json
    """
    from streams.cli.output import console
    from streams.demo import run_demo

    raise typer.Exit(run_demo(dataset, seed, json, console(stderr=False)))
