"""What the tests of a pipeline share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from schemas.settings import Log
from streams import logs


@pytest.fixture(autouse=True)
def _log_as_a_worker() -> Iterator[None]:
    """A worker's log, since structlog's own draws each traceback for half a second."""
    logs.configure(Log(format="json"))
    yield
    structlog.reset_defaults()
