"""``driftline backtest --sweep``: which settings find most of the labelled windows."""

from __future__ import annotations

import json as text_json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from schemas.errors import ConfigurationError
from streams.cli import scores
from streams.cli.output import console, emit, note, printable

if TYPE_CHECKING:
    from schemas.settings import Settings
    from streams.sweep import Outcome, Values

_PICTURES = (".png", ".html")


@dataclass(frozen=True)
class Wanted:
    """What is to be swept, and what is to be made of it.

    Parameters
    ----------
    spec
        The file of ``--sweep``.
    vary
        The texts of ``--vary``.
    plot, write
        Files to be written.
    """

    spec: Path | None
    vary: Sequence[str]
    plot: Path | None
    write: Path | None

    @property
    def anything(self) -> bool:
        """Whether there is something to sweep."""
        return self.spec is not None or bool(self.vary)

    def check(self, file: str, labels: str | None, windows: Path | None) -> None:
        """Refuse what would fail only after all the work.

        Raises
        ------
        ConfigurationError
            An option lacks another one, or a file can't be written or read twice.
        """
        if not self.anything:
            for option, path in (("--plot", self.plot), ("--write", self.write)):
                if path is not None:
                    raise ConfigurationError(option, str(path), "--sweep or --vary beside it")
            return
        if windows is None:
            given = str(self.spec) if self.spec is not None else self.vary[0]
            option = "--sweep" if self.spec is not None else "--vary"
            raise ConfigurationError(option, given, "--windows beside it, to score by")
        for option, read in (("FILE", file), ("--labels", labels)):
            if read == "-":
                raise ConfigurationError(option, read, "a file, since each combination reads it")
        for option, path in (("--plot", self.plot), ("--write", self.write)):
            if path is not None and not path.absolute().parent.is_dir():
                raise ConfigurationError(option, str(path), "a file in a folder that is there")
        if self.plot is not None:
            if self.plot.suffix not in _PICTURES:
                raise ConfigurationError("--plot", str(self.plot), "a name in .png or .html")
            if find_spec("matplotlib") is None:
                remedy = "matplotlib to draw with: pip install 'driftline[plot]'"
                raise ConfigurationError("--plot", str(self.plot), remedy)
        if self.write is not None and self.write.exists():
            raise ConfigurationError("--write", str(self.write), "a file that is not there yet")

    def varied(self) -> dict[str, tuple[Any, ...]]:
        """Return the values to try by key.

        Raises
        ------
        ConfigurationError
            They can't be read, or a key is given in both ways.
        """
        from streams.sweep import parse, read_spec

        varied = read_spec(self.spec) if self.spec is not None else {}
        for key, values in parse(self.vary).items():
            if key in varied:
                raise ConfigurationError("--vary", key, f"a key that is not in {self.spec} too")
            varied[key] = values
        return varied


def show(
    wanted: Wanted,
    made: Sequence[tuple[Values, Settings]],
    outcomes: Iterable[Outcome],
    *,
    json: bool,
) -> None:
    """Wait for all outcomes, and write them: the best first, and the files that are wanted."""
    from streams.sweep import best_first

    with _progress(len(made)) as advance:
        found = []
        for outcome in outcomes:
            found.append(outcome)
            advance()
    ranked = best_first(found)
    headers, rows = _table(ranked)
    if json:
        for outcome in ranked:
            emit(_as_json(outcome))
    else:
        # A long key is broken before its last part.
        broken = [printable(head).replace(".", ".\n", head.count(".")) for head in headers]
        table = scores.grid(broken, len(ranked[0].values))
        for row, outcome in zip(rows, ranked, strict=True):
            style = "red" if outcome.beats_dummy is False else None
            table.add_row(*(Text(printable(cell)) for cell in row), style=style)
        console(stderr=False).print(table)
    if wanted.plot is not None:
        from streams.plots import page, picture

        png = picture(ranked)
        if wanted.plot.suffix == ".html":
            wanted.plot.write_text(page(headers, rows, png), encoding="utf-8")
        else:
            wanted.plot.write_bytes(png)
        note(f"picture written to {wanted.plot}")
    if wanted.write is not None:
        wanted.write.write_text(_configuration(ranked[0], made), encoding="utf-8")
        note(f"best configuration written to {wanted.write}")


def _table(ranked: Sequence[Outcome]) -> tuple[list[str], list[list[str]]]:
    keys = list(ranked[0].values)
    rows = [
        [
            *(_shown(outcome.values[key]) for key in keys),
            *scores.cells(outcome.score),
            scores.verdict(outcome.beats_dummy, outcome.dummy_f1),
        ]
        for outcome in ranked
    ]
    return [*keys, *scores.HEADERS], rows


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else text_json.dumps(value, ensure_ascii=False)


def _as_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "kind": "combination",
        "values": dict(outcome.values),
        **scores.figures(outcome.score),
        "evenly_spaced_f1": outcome.dummy_f1,
        "beats_evenly_spaced": outcome.beats_dummy,
    }


def _configuration(best: Outcome, made: Sequence[tuple[Values, Settings]]) -> str:
    from streams.sweep import configuration

    score = best.score
    return (
        f"# The best of {len(made):,} combinations: {score.hits} of {score.windows} windows hit, "
        f"{score.false_alarms:,} false alarms, F1 {scores.share(score.f1)}.\n"
        "# On data that it was not chosen on it will do worse.\n\n"
    ) + configuration(made[best.place][1])


@contextmanager
def _progress(total: int) -> Iterator[Any]:
    """Show how many combinations are done, and the time left: on stderr, on a terminal only."""
    stderr = console(stderr=True)
    if not stderr.is_terminal:
        yield lambda: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    with Progress(
        BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=stderr, transient=True
    ) as bar:
        task = bar.add_task("combinations", total=total)
        yield lambda: bar.advance(task)
