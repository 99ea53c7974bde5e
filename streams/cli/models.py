"""``driftline models``: the registry, and which version a sensor uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from schemas.errors import DriftlineError
from schemas.timestamps import format_timestamp
from streams.cli.options import Config, Json, Set, an_id, load
from streams.cli.output import emit, say, table

if TYPE_CHECKING:
    from schemas.events import ModelRecord
    from schemas.settings import Settings

app = typer.Typer(help="The model registry.", rich_markup_mode=None)

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="Name of a model, or the sensor that uses it.", callback=an_id("NAME")
    ),
]
Version = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Which version [default: the latest].")
]


@app.command("list")
def list_(config: Config = None, assignments: Set = None, json: Json = False) -> None:
    """List the models on the registry, each with its latest stage.

    \b
    Examples:
      driftline models list
      driftline models list --json | jq -r 'select(.stage == "candidate") | .name'
    """
    settings = load(config, assignments)
    records = _read(settings)
    if json:
        for record in records:
            emit(_as_json(record))
        return
    table(
        ("name", "version", "stage", "sensor", "time", "metrics", "reason"),
        (
            (
                r.name,
                r.version,
                r.stage,
                r.sensor_id,
                format_timestamp(r.ts),
                _metrics(r),
                r.reason,
            )
            for r in records
        ),
    )


@app.command()
def show(
    name: Name,
    version: Version = None,
    config: Config = None,
    assignments: Set = None,
    json: Json = False,
) -> None:
    """Show one version of a model: where it comes from, how good it is.

    \b
    Examples:
      driftline models show press-7
      driftline models show press-7 --version 3 --json
    """
    settings = load(config, assignments)
    record = _as_json(_find(settings, name, version))
    if json:
        emit(record)
        return
    for key, value in record.items():
        if value is not None:
            say(f"{key}: {value}")


@app.command()
def promote(
    name: Name,
    version: Version = None,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why.")] = None,
    config: Config = None,
    assignments: Set = None,
    json: Json = False,
) -> None:
    """Have a sensor use a version of its model, better or not.

    \b
    Examples:
      driftline models promote press-7 --version 3
      driftline models promote press-7 --reason "checked by hand"
    """
    settings = load(config, assignments)
    record = _find(settings, name, version, usable=True)
    sensor = record.sensor_id or record.name
    _command(
        settings,
        json,
        f"asked for version {record.version} of {record.name} on {sensor}",
        command="promote",
        sensor_id=sensor,
        version=record.version,
        reason=reason,
    )


@app.command()
def rollback(
    name: Name,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why.")] = None,
    config: Config = None,
    assignments: Set = None,
    json: Json = False,
) -> None:
    """Have a sensor go back to the version it used before.

    \b
    Examples:
      driftline models rollback press-7
    """
    settings = load(config, assignments)
    # A model that was relearned in place was never on the registry: then the name is the sensor's.
    known = [r.sensor_id for r in _read(settings) if r.name == name and r.sensor_id is not None]
    sensor = known[-1] if known else name
    _command(
        settings,
        json,
        f"asked for the earlier version on {sensor}",
        command="rollback",
        sensor_id=sensor,
        reason=reason,
    )


def _read(settings: Settings) -> list[ModelRecord]:
    """The latest record of each version of each model, by name and version."""
    from schemas.codec import decode
    from schemas.events import ModelRecord
    from streams.cli.kafka import read_to_end

    latest: dict[bytes | None, dict[int, ModelRecord]] = {}
    for message in read_to_end(settings, settings.topic("models")):
        if message.value() is None:
            latest.pop(message.key(), None)
        else:
            record = decode(message.value(), ModelRecord)
            versions = latest.setdefault(message.key(), {})
            if record.stage == "production":
                # Which version is in use is told, but not which one no longer is.
                for version, other in versions.items():
                    if other.stage == "production":
                        versions[version] = other.model_copy(update={"stage": "archived"})
            versions[record.version] = record
    records = [record for known in latest.values() for record in known.values()]
    return sorted(records, key=lambda record: (record.name, record.version))


def _find(
    settings: Settings, name: str, version: int | None, *, usable: bool = False
) -> ModelRecord:
    """Return a version of a model, the latest if none is named."""
    records = [r for r in _read(settings) if name in (r.name, r.sensor_id)]
    if not records:
        raise DriftlineError(f"NAME: there is no model {name} on {settings.topic('models')}")
    if usable:
        # A retrain that came to nothing stands there as version 0.
        records = [record for record in records if record.version > 0]
        if not records:
            raise DriftlineError(f"NAME: {name} has no version that could be used")
    if version is None:
        return records[-1]
    for record in records:
        if record.version == version:
            return record
    known = ", ".join(str(record.version) for record in records)
    raise DriftlineError(f"--version: {name} has no version {version}, it has {known}")


def _as_json(record: ModelRecord) -> dict[str, Any]:
    """The record without its artifact, which may be megabytes; its size stands for it."""
    fields: dict[str, Any] = record.model_dump(mode="json")
    artifact = fields.pop("artifact")
    fields["artifact_bytes"] = None if artifact is None else len(artifact) * 3 // 4
    return fields


def _metrics(record: ModelRecord) -> str:
    return ", ".join(
        f"{name} {value:.4g}" for name, value in record.metrics.items() if value is not None
    )


def _command(settings: Settings, json: bool, done: str, **fields: Any) -> None:
    from streams.cli.kafka import send_control

    given = {name: value for name, value in fields.items() if value is not None}
    message = send_control(settings, **given)
    if json:
        emit(message)
    else:
        say(done)
