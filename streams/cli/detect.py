"""``driftline detect``: detectors on one column of a file."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.cli.options import Json
from streams.cli.output import emit, note, say


def detect(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="CSV or JSON lines, also gzip; - is stdin.")
    ],
    detector: Annotated[
        list[str],
        typer.Option(
            "--detector",
            metavar="NAME",
            help="adwin, ddm, page-hinkley, kswin, eddm, hddm-a, hddm-w or cusum. May be repeated.",
        ),
    ],
    column: Annotated[
        str | None,
        typer.Option(
            "--column",
            metavar="NAME",
            help="The column to look at [default: value, else the only column of numbers].",
        ),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME.PARAM=VALUE",
            help="A parameter of a detector, under River's name. May be repeated.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Run drift detectors on one raw column. No Kafka, no model, no scaling.

    What they find is what River's own classes find. Rows are counted from 0, the header not
    counted; an empty cell counts and is passed over. A warning is printed once, when it begins.

    \b
    Examples:
      driftline detect temperature.csv --detector adwin
      driftline detect errors.csv --column wrong --detector ddm --set ddm.drift_threshold=2.5
      zcat log.jsonl.gz | driftline detect - --detector adwin --detector kswin --json
    """
    from streams.detect import build, parse_assignments
    from streams.detect import detect as run
    from streams.files import Cell, read_cells

    detectors = build(detector, parse_assignments(assignments or ()))
    name, cells = read_cells(file, column)

    def skip(cell: Cell, reason: str) -> None:
        note(f"line {cell.line}: {name}: skipped: {reason}")

    width = max(len(each.name) for each in detectors)
    for found in run(cells, detectors, skip):
        if json:
            emit(
                {
                    "index": found.index,
                    "detector": found.detector,
                    "kind": found.kind,
                    "value": found.value,
                }
            )
        else:
            when = f"  {found.timestamp}" if found.timestamp else ""
            say(
                f"{found.index:>8}{when}  {found.detector:<{width}}  {found.kind:<7}  "
                f"{name} = {found.value:g}",
                style="red" if found.kind == "drift" else "yellow",
            )
