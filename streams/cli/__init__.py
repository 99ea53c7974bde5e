"""The command ``driftline``: one module per group of commands.

What a command needs is imported inside it, so that ``--help`` stays quick.
"""

from __future__ import annotations

from streams.cli.main import app, main

__all__ = ["app", "main"]
