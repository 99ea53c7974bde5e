"""``driftline schemas``: the messages, for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streams.cli.options import Json
from streams.cli.output import emit, say

app = typer.Typer(help="JSON Schema and AsyncAPI files.", rich_markup_mode=None)


@app.callback()
def schemas() -> None:
    """JSON Schema and AsyncAPI files."""


@app.command()
def export(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to; it is created if need be.")
    ],
    json: Json = False,
) -> None:
    """Write the JSON Schema of every message, and one AsyncAPI document.

    \b
    Examples:
      driftline schemas export schemas-out
    """
    from schemas.export import export_schemas

    for path in export_schemas(directory):
        if json:
            emit({"file": str(path)})
        else:
            say(str(path))
