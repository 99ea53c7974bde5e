"""Where on this computer Driftline keeps things of its own (XDG Base Directory Specification)."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["own_directory"]


def own_directory(variable: str, below_home: str) -> Path:
    """Return Driftline's directory, which may not exist yet.

    Parameters
    ----------
    variable
        Environment variable that names the base directory. One that is no absolute path is
        ignored, as the specification says.
    below_home
        The base directory in the user's home otherwise.

    Raises
    ------
    RuntimeError
        If the base directory is not given and the user has no home.
    """
    given = os.environ.get(variable)
    base = Path(given) if given and Path(given).is_absolute() else Path.home() / below_home
    return base / "driftline"
