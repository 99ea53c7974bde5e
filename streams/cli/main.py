"""The command itself: its groups, and how each end of it looks from outside.

Exit code 0: done. 1: failed at run time. 2: bad usage or bad configuration. 130: Ctrl-C. Whatever
went wrong is one line on stderr.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from schemas.errors import ConfigurationError, DriftlineError, SnapshotError
from streams.cli import (
    alerts,
    backtest,
    check,
    dead_letters,
    demo,
    detect,
    models,
    produce,
    retrain,
    run,
    schemas,
    state,
    topics,
)
from streams.cli.output import printable

DONE, FAILED, BAD_USAGE, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    name="driftline",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        try:
            number = version("driftline")
        except PackageNotFoundError:
            number = "(not installed)"
        typer.echo(f"driftline {number}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def driftline(
    context: typer.Context,
    _: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Streaming drift detection for sensors on Kafka.

    \b
    Begin with:
      driftline demo                      the whole thing on real data, nothing to install
      driftline detect FILE --detector adwin
      driftline check && driftline topics create && driftline run
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command()(demo.demo)
app.command()(detect.detect)
app.command()(backtest.backtest)
app.command()(check.check)
app.add_typer(topics.app, name="topics")
app.command()(run.run)
app.command()(produce.produce)
app.add_typer(alerts.app, name="alerts")
app.add_typer(dead_letters.app, name="dlq")
app.add_typer(state.app, name="state")
app.add_typer(models.app, name="models")
app.add_typer(retrain.app, name="retrain")
app.add_typer(schemas.app, name="schemas")
app.command()(run.dashboard)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``driftline`` and return its exit code.

    Parameters
    ----------
    arguments
        What follows the name of the command; by default those of this process.
    """
    # A file's name may hold bytes that are no text; to print it must not fail.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        result = typer.main.get_command(app).main(
            args=None if arguments is None else list(arguments),
            prog_name="driftline",
            standalone_mode=False,
        )
        sys.stdout.flush()
    except SystemExit as leaving:
        # What typer and rich make of a reader that has gone away.
        if not isinstance(leaving.__context__, BrokenPipeError):
            raise
        return _nobody_reads()
    except BrokenPipeError:
        return _nobody_reads()
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except typer.TyperException as error:
        from streams.cli.usage import explain

        return _complain(explain(error), error.exit_code)
    except ConfigurationError as error:
        return _complain(str(error), BAD_USAGE)
    except SnapshotError as error:
        return _complain(f"state.signing_key: {error}", BAD_USAGE)
    except DriftlineError as error:
        return _complain(str(error), FAILED)
    except OSError as error:
        return _complain(str(error), FAILED)
    except Exception as error:  # noqa: BLE001 - the last line of defence: one line, no traceback
        return _unforeseen(error)
    return result if isinstance(result, int) else DONE


def _complain(message: str, code: int) -> int:
    line = printable(" ".join(message.split()))
    typer.echo(f"driftline: {line}", err=True)
    return code


def _unforeseen(error: Exception) -> int:
    kafka = sys.modules.get("confluent_kafka")
    if kafka is not None and isinstance(error, kafka.KafkaException):
        # What librdkafka can't make a client of: a certificate that is none, for example.
        wrong = error.args[0].code() == kafka.KafkaError._INVALID_ARG
        return _complain(f"kafka: {error.args[0].str()}", BAD_USAGE if wrong else FAILED)
    if os.environ.get("DRIFTLINE_LOG__LEVEL", "").lower() == "debug":
        raise error
    return _complain(
        f"{type(error).__name__}: {error} (a defect; DRIFTLINE_LOG__LEVEL=debug shows where)",
        FAILED,
    )


def _nobody_reads() -> int:
    # The interpreter flushes stdout once more at its end, and would complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return DONE
