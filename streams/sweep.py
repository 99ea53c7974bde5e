"""Backtests of one file under every combination of some settings, side by side.

Each combination is a whole backtest in a process of its own memory, so what it finds does not
depend on the others. They are run in an order drawn with a fixed seed: the time left is then told
well, since cheap and dear combinations come mixed.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import random
import signal
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any, Final

import orjson
import tomli_w

from schemas.errors import ConfigurationError, DriftlineError
from schemas.settings import SensorSettings, Settings, load_settings
from schemas.settings_errors import Words
from streams import logs
from streams.backtest import Backtest, merge
from streams.comparison import DRIFTLINE, Recording
from streams.files import Columns, read_records
from streams.scoring import Score
from streams.sensor import try_out
from streams.windows import Windows

__all__ = [
    "Data",
    "Outcome",
    "best_first",
    "combinations",
    "configuration",
    "parse",
    "read_spec",
    "run",
]

_OF_ALL_SENSORS: Final = frozenset(("fleet", "maintenance", "sensors"))
SECTIONS: Final = tuple(
    section
    for section in Settings.model_fields
    if section in _OF_ALL_SENSORS
    or (section in SensorSettings.model_fields and section != "policy")
)
"""Sections of the configuration that say how drift is found. The policy takes no part in it."""

_SEED: Final = 0

Values = Mapping[str, Any]
"""A value by dotted key of the configuration."""


@dataclass(frozen=True)
class Data:
    """What every combination is run on.

    Parameters
    ----------
    file, labels
        As for a backtest; neither may be standard input, which can be read once only.
    columns
        Names of the columns of `file`.
    windows
        What the alarms are held against.
    """

    file: str
    labels: str | None
    columns: Columns
    windows: Windows


@dataclass(frozen=True)
class Outcome:
    """What one combination came to.

    Parameters
    ----------
    place
        Its place among the combinations.
    values
        What was varied.
    score
        Of all sensors together.
    dummy_f1, beats_dummy
        As of `streams.comparison.Method`.
    """

    place: int
    values: Values
    score: Score
    dummy_f1: float | None
    beats_dummy: bool | None


def parse(texts: Iterable[str]) -> dict[str, tuple[Any, ...]]:
    """Read ``KEY=VALUE,VALUE`` texts.

    Returns
    -------
    dict
        The values to try by dotted key. Values are JSON where all of them are, otherwise text.

    Raises
    ------
    ConfigurationError
        A text is not of that form, or a key comes twice.
    """
    found: dict[str, tuple[Any, ...]] = {}
    for text in texts:
        key, equals, values = text.partition("=")
        key = key.strip()
        if not equals or not key or not values.strip():
            raise ConfigurationError("--vary", text, "KEY=VALUE,VALUE: detectors.warmup=50,100")
        if key in found:
            raise ConfigurationError("--vary", key, "each key once, its values with commas")
        try:
            found[key] = tuple(json.loads(f"[{values}]"))
        except ValueError:
            found[key] = tuple(value.strip() for value in values.split(","))
    return found


def read_spec(path: Path) -> dict[str, tuple[Any, ...]]:
    """Read a TOML file that is like a configuration, with a list of values under each key.

    Raises
    ------
    ConfigurationError
        The file can't be read, is no TOML, or holds a key without a list.
    """
    try:
        with path.open("rb") as file:
            tree = tomllib.load(file)
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        allowed = f"a TOML file that can be read ({reason})"
        raise ConfigurationError("--sweep", str(path), allowed) from None
    except ValueError as error:
        raise ConfigurationError("--sweep", str(path), f"TOML ({error})") from None
    found = dict(_leaves(tree))
    if not found:
        raise ConfigurationError("--sweep", str(path), "at least one key with a list of values")
    return found


def _leaves(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, tuple[Any, ...]]]:
    for name, value in tree.items():
        key = f"{above}{name}"
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{key}.")
        elif isinstance(value, list) and value:
            yield key, tuple(value)
        else:
            raise ConfigurationError(f"--sweep: {key}", value, "a list of the values to try")


def combinations(
    varied: Mapping[str, Sequence[Any]], config: Path | None, overrides: Values
) -> list[tuple[Values, Settings]]:
    """Make every combination and its settings, so that nothing is wrong with any of them later.

    Parameters
    ----------
    varied
        The values to try by dotted key.
    config, overrides
        As for `load_settings`; what is varied is laid over them.

    Raises
    ------
    ConfigurationError
        A key or a value is not allowed, or does not say how drift is found.
    """
    for key in varied:
        section = key.partition(".")[0]
        if section in Settings.model_fields and section not in SECTIONS:
            allowed = f"a key of {', '.join(SECTIONS)}: no other says how drift is found"
            raise ConfigurationError(key, Words("to vary it"), allowed)
    made: list[tuple[Values, Settings]] = []
    for values in itertools.product(*varied.values()):
        chosen = dict(zip(varied, values, strict=True))
        settings = load_settings(config, {**overrides, **chosen})
        try_out(settings)
        made.append((chosen, settings))
    return made


def run(data: Data, made: Sequence[tuple[Values, Settings]]) -> Iterator[Outcome]:
    """Run all combinations, as many at a time as there are cores.

    Yields
    ------
    Outcome
        As each is done.

    Raises
    ------
    DriftlineError
        A process was killed.
    """
    order = random.Random(_SEED).sample(range(len(made)), len(made))  # noqa: S311 - no secret
    cores = len(os.sched_getaffinity(0))
    others = active_children()
    # Forked processes would inherit the threads of a progress bar, halfway through anything.
    pool = ProcessPoolExecutor(min(cores, len(made)), mp_context=get_context("spawn"))
    try:
        with _deaf_to_ctrl_c():
            waiting = [pool.submit(_outcome, data, place, *made[place]) for place in order]
        for done in as_completed(waiting):
            yield done.result()
    except BrokenProcessPool:
        raise DriftlineError(
            "a process of the sweep was killed, most likely for want of memory: "
            "run it on fewer cores (taskset -c 0)"
        ) from None
    finally:
        for process in active_children():
            if process not in others:
                process.terminate()
        pool.shutdown(cancel_futures=True)


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Start processes that pay no heed to Ctrl-C, which a terminal sends to all of them.

    Only this one is to answer, and it ends the others. They inherit a mask. Here the mask does not
    suffice: another thread (of numpy, say) may take the signal, and Python then raises in this one,
    halfway through the start of a process. So what comes meanwhile is noted, and answered after.
    """
    came: list[int] = []
    answer = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, answer)
    if came:
        signal.raise_signal(signal.SIGINT)


def best_first(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Sort by F1, then fewer false alarms, then the shorter delay, then their places."""

    def rank(outcome: Outcome) -> tuple[float, ...]:
        score = outcome.score
        delay = math.inf if score.mtd_events is None else score.mtd_events
        return -(score.f1 or 0.0), score.false_alarms, delay, outcome.place

    return sorted(outcomes, key=rank)


def configuration(settings: Settings) -> str:
    """Return, as TOML, all that says how drift is found, as far as it is not the default."""
    tree = settings.model_dump(mode="json", exclude_defaults=True, include=set(SECTIONS))
    return tomli_w.dumps(_without_none(tree))


def _without_none(tree: Any) -> Any:
    """Leave out what TOML has no word for: what is not there is None too."""
    if isinstance(tree, Mapping):
        return {key: _without_none(value) for key, value in tree.items() if value is not None}
    if isinstance(tree, list):
        return [_without_none(value) for value in tree if value is not None]
    return tree


def _outcome(data: Data, place: int, values: Values, settings: Settings) -> Outcome:
    """Run one combination, in a process of its own."""
    logs.configure(settings.log)
    backtest = Backtest(settings)
    recording = Recording(data.windows, readings=False)
    events = read_records(data.file, columns=data.columns)
    labels = read_records(data.labels, kind="labels") if data.labels is not None else iter(())
    for kind, message in merge(_messages(events), _messages(labels)):
        if kind == "sensors":
            recording.add(message)
        for alert in backtest.feed(kind, message):
            recording.note(orjson.loads(alert))
        recording.note_absorbed(backtest.absorbed)
    ours = recording.method(DRIFTLINE, recording.alarms)
    return Outcome(place, values, ours.total, ours.dummy_f1(), ours.beats_dummy())


def _messages(records: Iterable[tuple[int, Any]]) -> Iterator[bytes]:
    # What is no message was named when the file was read for the first time.
    return (message for _, message in records if isinstance(message, bytes))
