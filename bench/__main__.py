"""``python -m bench``: what is measured, and how to ask for it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from confluent_kafka import KafkaException

from bench import results
from bench.contenders import CONTENDERS, DRIFTLINE, LOOP
from bench.harness import Load
from bench.program import BenchError
from schemas.errors import ConfigurationError
from streams.cli.output import printable
from streams.cli.usage import explain

DONE, FAILED, BAD_USAGE, INTERRUPTED = 0, 1, 2, 130
EVENTS, SMALL_EVENTS = 1_000_000, 200_000
SLOW_SHARE = 10

Sensors = Annotated[int, typer.Option(metavar="N", min=1, help="Sensors.")]
Partitions = Annotated[int, typer.Option(metavar="N", min=1, help="Partitions of the topic.")]
Rounds = Annotated[int, typer.Option(metavar="N", min=1, help="Rounds.")]
RawResults = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Raw results.")]
Plot = Annotated[Path | None, typer.Option(metavar="FILE", help="A picture of the results (PNG).")]


def _contenders(names: list[str] | None) -> list[str] | None:
    for name in names or ():
        if name not in CONTENDERS:
            raise ConfigurationError("--only", name, f"one of {', '.join(CONTENDERS)}")
    return names


app = typer.Typer(
    name="bench",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def side_by_side(
    context: typer.Context,
    events: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help=f"Events of a run [default: {EVENTS:,}]."),
    ] = None,
    slow_events: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help=f"Events of a slow peer's run [default: 1/{SLOW_SHARE}]."
        ),
    ] = None,
    sensors: Sensors = 1000,
    partitions: Partitions = 8,
    rounds: Rounds = 3,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help=f"One of {', '.join(CONTENDERS)}; may be repeated.",
            callback=_contenders,
        ),
    ] = None,
    small: Annotated[
        bool,
        typer.Option(
            "--small", help=f"{SMALL_EVENTS:,} events, Driftline and the hand-written loop alone."
        ),
    ] = False,
    at_least: Annotated[
        float | None,
        typer.Option(
            metavar="RATIO",
            min=0.0,
            help="Fail if Driftline does fewer times the loop's events per second and core.",
        ),
    ] = None,
    json: RawResults = None,
    plot: Plot = None,
) -> None:
    """Measure Driftline's worker beside what one would write instead, on a Kafka of its own.

    \b
    Examples:
      python -m bench
      python -m bench --small --at-least 5
      python -m bench --only driftline --only faust --events 500000
    """
    if context.invoked_subcommand is not None:
        _refuse_options(context)
        return
    from bench import compare

    names = only or ([DRIFTLINE.name, LOOP.name] if small else list(CONTENDERS))
    if at_least is not None and not {DRIFTLINE.name, LOOP.name} <= set(names):
        both = f"{DRIFTLINE.name} and {LOOP.name} among them, for --at-least"
        raise ConfigurationError("--only", ", ".join(names), both)
    count = events or (SMALL_EVENTS if small else EVENTS)
    slow_count = slow_events or max(1, count // SLOW_SHARE)
    # Each once, in the order of the table.
    wanted = [name for name in CONTENDERS if name in names]
    runs = compare.measured(compare.loads(wanted, count, slow_count, sensors, partitions), rounds)
    compare.show(runs)
    if json is not None:
        asked = {"events": count, "slow_events": slow_count, "rounds": rounds, "contenders": wanted}
        compare.write(runs, json, asked)
    if plot is not None:
        compare.plot(runs, plot)
    if at_least is not None:
        ratio = compare.ratios(runs, DRIFTLINE.name)
        assert ratio is not None
        if ratio.median < at_least:
            raise BenchError(
                f"{ratio.median:.2f} times the hand-written loop: less than {at_least}"
            )


@app.command()
def curves(
    events: Annotated[int, typer.Option(metavar="N", min=1, help="Events of a run.")] = EVENTS,
    rounds: Rounds = 3,
    json: RawResults = None,
    plot: Plot = None,
) -> None:
    """Measure the worker's CPU time per event over the number of sensors and of partitions."""
    from bench import curves as measurement

    runs = measurement.measured(events, rounds)
    measurement.show(runs)
    if json is not None:
        asked = {"events": events, "rounds": rounds}
        results.write(json, asked, map(asdict, runs), measurement.summary(runs))
    if plot is not None:
        measurement.plot(runs, plot)


@app.command()
def scale(
    events: Annotated[int, typer.Option(metavar="N", min=1, help="Events of a run.")] = 4_000_000,
    sensors: Sensors = 1000,
    partitions: Partitions = 8,
    rounds: Rounds = 3,
    json: RawResults = None,
) -> None:
    """Measure two workers against one, each held to half a core, in events per second."""
    from bench import scale as measurement

    if partitions % 2:
        raise ConfigurationError("--partitions", partitions, "an even number")
    runs = measurement.measured(Load(events, sensors, partitions), rounds)
    measurement.show(runs)
    if json is not None:
        asked = {"events": events, "rounds": rounds}
        results.write(json, asked, map(asdict, runs), measurement.summary(runs))


@app.command()
def latency(
    events: Annotated[
        int, typer.Option(metavar="N", min=1, help="Events of a measurement of the full load.")
    ] = 3_000_000,
    seconds: Annotated[
        float, typer.Option(metavar="S", min=1.0, help="How long the load lasts in a run.")
    ] = 30.0,
    sensors: Sensors = 1000,
    partitions: Partitions = 8,
    rounds: Rounds = 3,
    json: RawResults = None,
) -> None:
    """Measure the time from an event to its alert, at half of the full load."""
    from bench import latency as measurement

    runs = measurement.measured(Load(events, sensors, partitions), seconds, rounds)
    measurement.show(runs)
    if json is not None:
        asked = {"events": events, "seconds": seconds, "rounds": rounds}
        results.write(json, asked, map(asdict, runs), measurement.summary(runs))


@app.command()
def restore(
    sensors: Sensors = 200_000,
    partitions: Partitions = 8,
    rounds: Rounds = 3,
    json: RawResults = None,
) -> None:
    """Measure how long a worker takes to restore state, beside a consumer that merely reads it."""
    from bench import restore as measurement

    result = measurement.measured(sensors, partitions, rounds)
    measurement.show(result)
    if json is not None:
        asked = {"sensors": sensors, "partitions": partitions, "rounds": rounds}
        results.write(json, asked, map(asdict, result.pairs), measurement.summary(result))


@app.command()
def stalls(
    sensors: Sensors = 200_000,
    events: Annotated[int, typer.Option(metavar="N", min=1, help="Events of a run.")] = 4_000_000,
    partitions: Partitions = 8,
    rounds: Rounds = 3,
    json: RawResults = None,
) -> None:
    """Measure for how long nothing is processed while each checkpoint holds all sensors."""
    from bench import stalls as measurement

    found = measurement.measured(sensors, events, partitions, rounds)
    measurement.show(found)
    if json is not None:
        asked = {"sensors": sensors, "events": events, "partitions": partitions, "rounds": rounds}
        results.write(json, asked, map(asdict, found), measurement.summary(found))


@app.command()
def many(
    sensors: Sensors = 1_000_000,
    more: Annotated[
        int, typer.Option(metavar="N", min=1, help="Sensors that come when there is no room left.")
    ] = 200_000,
    partitions: Partitions = 8,
    json: RawResults = None,
) -> None:
    """Bring a worker as many sensors as it may keep, and more."""
    from bench import many as measurement

    found = measurement.measured(sensors, more, partitions)
    measurement.show(found)
    if json is not None:
        asked = {"sensors": sensors, "more": more, "partitions": partitions}
        results.write(json, asked, [asdict(found)], {})


def _refuse_options(context: typer.Context) -> None:
    for name in context.params:
        if str(context.get_parameter_source(name)).endswith("COMMANDLINE"):
            behind = f"nothing in front of {context.invoked_subcommand}"
            raise ConfigurationError(f"--{name.replace('_', '-')}", context.params[name], behind)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a measurement and return the exit code: 1 if it failed, 2 for bad usage."""
    try:
        result = typer.main.get_command(app).main(
            args=None if arguments is None else list(arguments),
            prog_name="python -m bench",
            standalone_mode=False,
        )
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except typer.TyperException as error:
        return _complain(explain(error), error.exit_code)
    except ConfigurationError as error:
        return _complain(str(error), BAD_USAGE)
    except (BenchError, KafkaException, RuntimeError, OSError) as error:
        return _complain(str(error), FAILED)
    return result if isinstance(result, int) else DONE


def _complain(message: str, code: int) -> int:
    typer.echo(f"bench: {printable(' '.join(message.split()))}", err=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
