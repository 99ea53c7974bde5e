"""Many findings of one trouble: one warning, one drift, one recovery."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.episodes import EpisodeEvent, Episodes
from detectors.signal import Finding, Kind, Position
from schemas.errors import ConfigurationError


def _finding(kind: Kind, detector: str = "adwin") -> Finding:
    return Finding(detector, kind, "up", None, None, Position(1, 1), None, None)


WARNING, DRIFT = _finding("warning", "ddm"), _finding("drift")


def _run(script: str, episodes: Episodes) -> list[tuple[int, EpisodeEvent]]:
    """Play a script, a character an event: w a warning, d a drift, b both, . nothing."""
    found = {
        ".": [],
        "w": [("error", WARNING)],
        "d": [("value", DRIFT)],
        "b": [("error", WARNING), ("value", DRIFT)],
    }
    return [
        (i, event)
        for i, character in enumerate(script)
        for event in episodes.observe(Position(i, i), found[character])
    ]


def _told(script: str, quiet_events: int = 3) -> str:
    """Return what was told, at each event: W, D, R or nothing."""
    told = ["."] * len(script)
    for i, event in _run(script, Episodes(quiet_events)):
        told[i] = event.kind[0].upper()
    return "".join(told)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("......", "......"),
        ("d.....", "D..R.."),
        ("w.....", "W..R.."),
        ("w.d....", "W.D..R."),
        ("wwdwdd...", "W.D.....R"),
        ("dwd..d...", "D.......R"),
        ("dw..w..d...", "D.........R"),
        ("b...b...", "D..RD..R"),
        ("wb....", "WD..R."),
        ("d...d...", "D..RD..R"),
        ("d..", "D.."),
    ],
)
def test_a_script_of_findings_becomes_episodes(script: str, told: str) -> None:
    assert _told(script) == told


def test_a_recovery_names_who_opened_the_episode() -> None:
    events = [event for _, event in _run("w.d...", Episodes(3))]
    assert [(event.signal, event.detector) for event in events] == [
        ("error", "ddm"),
        ("value", "adwin"),
        ("error", "ddm"),
    ]
    assert [event.finding for event in events] == [WARNING, DRIFT, None]


def test_events_of_one_episode_share_an_id_and_no_two_episodes_do() -> None:
    events = [event for _, event in _run("w.d...d...w...", Episodes(3))]
    assert len({event.episode_id for event in events}) == 3
    assert len({event.episode_id for event in events[:3]}) == 1


def test_the_id_depends_on_the_input_alone() -> None:
    one = [event for _, event in _run("w.d...d...", Episodes(3))]
    other = [event for _, event in _run("w.d...d...", Episodes(3))]
    assert one == other


def test_it_is_open_from_the_first_finding_to_the_recovery() -> None:
    episodes = Episodes(3)
    assert not episodes.open
    assert episodes.episode_id is None
    _run("d..", episodes)
    assert episodes.open
    assert episodes.episode_id is not None
    _run(".", episodes)
    assert not episodes.open
    assert episodes.episode_id is None


def test_an_episode_needs_at_least_one_quiet_event() -> None:
    with pytest.raises(ConfigurationError, match=r"episodes\.quiet_events"):
        Episodes(0)


@given(st.text("wdb.", max_size=200), st.integers(1, 5), st.integers(0, 200))
def test_a_pickled_copy_goes_on_as_the_original_would(script: str, quiet: int, cut: int) -> None:
    original = Episodes(quiet)
    _run(script[:cut], original)
    copy = pickle.loads(pickle.dumps(original, protocol=5))
    assert len(pickle.dumps(copy, protocol=5)) < 300
    assert _run(script[cut:], copy) == _run(script[cut:], original)


@given(st.text("wdb.", max_size=200), st.integers(1, 5))
def test_an_episode_is_at_most_a_warning_then_a_drift_then_a_recovery(
    script: str, quiet: int
) -> None:
    told = _told(script, quiet).replace(".", "")
    for episode in told.split("R"):
        assert episode in {"", "W", "D", "WD"}
    assert "RR" not in told
    assert not told.startswith("R")
