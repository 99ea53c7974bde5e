"""``driftline check``: whether the configuration is good and everything answers."""

from __future__ import annotations

import typer

from streams.cli.options import Config, Json, Set, load
from streams.cli.output import emit, say


def check(config: Config = None, assignments: Set = None, json: Json = False) -> None:
    """Check the configuration, the connection to the brokers and the topics.

    Exit code 0 if a worker can start, 1 if brokers or topics are not as they must be, 2 if the
    configuration is wrong. With --json the configuration is written too, its secrets masked.

    \b
    Examples:
      driftline check
      driftline check -c production.toml
      DRIFTLINE_KAFKA__BOOTSTRAP_SERVERS=kafka-1:9092 driftline check --json
    """
    settings = load(config, assignments)
    from learners.snapshot import signing_key
    from streams.sensor import try_out

    try_out(settings)
    if settings.state.signing_key is not None:
        signing_key(settings.state)
    if json:
        emit({"check": "configuration", "ok": True, "configuration": settings.masked()})
    else:
        say("ok      configuration")
    from streams import topics
    from streams.cli.kafka import open_consumer

    with open_consumer(settings) as (_, metadata):
        brokers = len(metadata.brokers)
    if json:
        emit({"check": "brokers", "ok": True, "brokers": brokers})
    else:
        say(f"ok      brokers: {brokers} at {settings.kafka.bootstrap_servers}")
    problems = topics.check(settings)
    if json:
        emit({"check": "topics", "ok": not problems, "problems": [str(p) for p in problems]})
    elif problems:
        for problem in problems:
            say(f"wrong   {problem}")
    else:
        say(f"ok      topics: {len(topics.TOPICS)} under {settings.topics.prefix}")
    if problems:
        raise typer.Exit(1)
