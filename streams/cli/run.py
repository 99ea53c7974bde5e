"""``driftline run`` and ``driftline dashboard``: processes that stay."""

from __future__ import annotations

import os
import signal

import typer

from streams.cli.options import Config, Set, load


def run(config: Config = None, assignments: Set = None) -> None:
    """Run a worker until SIGTERM or Ctrl-C. Any number of workers share the work of a group.

    \b
    Examples:
      driftline run
      driftline run -c production.toml
      DRIFTLINE_HTTP__PORT=8081 driftline run --set checkpoint.interval=0.5
    """
    settings = load(config, assignments)
    for number in (signal.SIGTERM, signal.SIGINT):
        # Until the worker listens to them itself: nothing is to be saved yet, and an exception
        # would be lost in whichever module is just being imported.
        signal.signal(number, lambda *_: os._exit(0))
    from streams import logs
    from streams.app import run_worker

    logs.configure(settings.log)
    raise typer.Exit(run_worker(settings) or 0)


def dashboard(config: Config = None, assignments: Set = None) -> None:
    """Serve the web page with the drift events, without working on any partition.

    \b
    Examples:
      driftline dashboard
      driftline dashboard --set http.port=8090
    """
    settings = load(config, assignments)
    from streams import logs
    from streams.web.dashboard import run_dashboard

    logs.configure(settings.log)
    run_dashboard(settings)
