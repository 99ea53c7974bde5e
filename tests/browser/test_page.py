"""The page in a real browser: what a reader sees, and what a hostile record cannot do."""

from __future__ import annotations

import asyncio
import html
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from schemas.settings import Http
from streams.web import start_web

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH: apt-get install chromium"),
]

HOSTILE = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"


class Process:
    alive = True
    ready: tuple[bool, list[str]] = (True, [])
    asked = 0

    def status(self) -> dict[str, Any]:
        self.asked += 1
        return {
            "role": "worker",
            "group": HOSTILE,
            "events": 1000 * self.asked,
            "sensors": 1234,
            "dead_letters": 1,
            "partitions": [
                {
                    "partition": 3,
                    "state": "running",
                    "position": 41,
                    "behind": 5,
                    "sensors": 10,
                }
            ],
            "recent_drift": [
                {
                    "sensor_id": HOSTILE,
                    "ts": "2026-01-05T12:00:00Z",
                    "kind": "drift",
                    "detector": "adwin",
                    "signal": f"feature:{HOSTILE}",
                    "direction": "up",
                    "diagnosis": "data",
                    "severity": "high",
                    "change_point": {"ts": "2026-01-05T11:00:00Z", "offset": 4711},
                }
            ],
            "recent_dead_letters": [
                {
                    "topic": "driftline.sensors",
                    "partition": 3,
                    "offset": 17,
                    "message": HOSTILE,
                    "ts": None,
                }
            ],
        }


async def drawn(process: Process, folder: Path) -> str:
    """The page's elements after six seconds of its own clock, as HTML."""
    server = await start_web(Http(port=0), CollectorRegistry(), process)
    command = [
        str(CHROMIUM),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={folder}",
        "--virtual-time-budget=6000",
        "--dump-dom",
        server.url,
    ]
    try:
        browser = await asyncio.create_subprocess_exec(
            *command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        out, _ = await asyncio.wait_for(browser.communicate(), 60.0)
    finally:
        await server.stop()
    return out.decode()


def text_of(page: str, element: str) -> str:
    found = re.search(rf'id="{element}"[^>]*>(.*?)</', page, re.DOTALL)
    assert found, element
    return html.unescape(found.group(1))


async def test_the_page_shows_figures_and_refreshes_itself(tmp_path: Path) -> None:
    process = Process()
    page = await drawn(process, tmp_path)
    assert text_of(page, "state") == "ready"
    assert text_of(page, "sensors") == "1,234"
    assert text_of(page, "behind") == "5"
    assert process.asked >= 2
    assert re.fullmatch(r"[\d,.]+", text_of(page, "rate"))


async def test_text_from_records_stays_text(tmp_path: Path) -> None:
    page = await drawn(Process(), tmp_path)
    assert "<title>Driftline</title>" in page
    assert "<img" not in page
    assert page.count("<script") == 1
    assert html.escape(HOSTILE, quote=False) in page


async def test_a_process_that_is_not_ready_says_why(tmp_path: Path) -> None:
    process = Process()
    process.ready = (False, ["partition 3 is being restored"])
    page = await drawn(process, tmp_path)
    assert text_of(page, "state") == "not ready"
    assert text_of(page, "reasons") == "partition 3 is being restored"


async def test_figures_that_are_not_known_are_not_shown(tmp_path: Path) -> None:
    page = await drawn(Process(), tmp_path)
    assert re.search(r'<div class="tile" hidden[^>]*><h2>Drift events', page)
