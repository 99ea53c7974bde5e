"""``driftline backtest``: the whole pipeline on recorded events."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.cli.options import Config, Json, Set, load


def backtest(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="CSV or JSON lines, also gzip; - is stdin.")
    ],
    labels: Annotated[
        str | None, typer.Option(metavar="FILE", help="Labels: sensor_id, event_id, ts, label.")
    ] = None,
    sensor: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="CSV: the column with the sensor id.")
    ] = None,
    timestamp: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="CSV: the column with the time.")
    ] = None,
    value: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="CSV: the column with the reading.")
    ] = None,
    config: Config = None,
    assignments: Set = None,
    json: Json = False,
) -> None:
    """Run learner, detectors, calibration and episodes on recorded events. No Kafka.

    Prints the drift events that a worker would, in the same order, the same from run to run.

    \b
    Examples:
      driftline backtest temperature.csv
      driftline backtest items.csv --labels verdicts.csv --set learner.task=classification
      driftline backtest line-4.csv --sensor machine --value celsius --json
    """
    settings = load(config, assignments)
    from streams.backtest import run_backtest
    from streams.files import Columns

    raise typer.Exit(
        run_backtest(
            settings,
            file,
            labels=labels,
            columns=Columns(sensor, timestamp, value),
            json=json,
        )
        or 0
    )
