"""``driftline topics``: create and check what a deployment needs."""

from __future__ import annotations

import typer

from streams.cli.options import Config, Json, Set, load
from streams.cli.output import emit, note, say

app = typer.Typer(help="Create and check the topics.", rich_markup_mode=None)


@app.command()
def create(config: Config = None, assignments: Set = None, json: Json = False) -> None:
    """Create the topics that are missing; those that exist stay as they are.

    \b
    Examples:
      driftline topics create
      driftline topics create -c production.toml --set topics.replication_factor=3
    """
    settings = load(config, assignments)
    from streams import topics

    report = topics.create(settings)
    if json:
        for name in report.created:
            emit({"topic": name, "created": True})
        for name in report.present:
            emit({"topic": name, "created": False})
    else:
        for name in report.created:
            say(f"created  {name}")
        for name in report.present:
            say(f"exists   {name}")
    for problem in report.problems:
        note(str(problem))
    if report.problems:
        raise typer.Exit(1)


@app.command()
def check(config: Config = None, assignments: Set = None, json: Json = False) -> None:
    """Report what is wrong with the topics, and change nothing. Exit code 1 if anything is.

    \b
    Examples:
      driftline topics check
      driftline topics check -c production.toml --json
    """
    settings = load(config, assignments)
    from streams import topics

    problems = topics.check(settings)
    for problem in problems:
        if json:
            emit({"topic": problem.topic, "problem": problem.what, "remedy": problem.remedy})
        else:
            say(str(problem))
    if problems:
        raise typer.Exit(1)
    if not json:
        say(f"all {len(topics.TOPICS)} topics are there and as they must be")
