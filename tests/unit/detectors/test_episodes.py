"""Many findings of one trouble: one warning, one drift, what makes it worse, one recovery."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.episodes import EpisodeEvent, Episodes
from detectors.moments import Statistics
from detectors.signal import Finding, Kind, Position
from schemas.errors import ConfigurationError


def _finding(kind: Kind, detector: str = "adwin") -> Finding:
    return Finding(detector, kind, "up", None, None, Position(1, 1), None, None)


WARNING, DRIFT = _finding("warning", "ddm"), _finding("drift")


def _drift(shift: float) -> Finding:
    """A drift by so many standard deviations."""
    before, after = Statistics(100, 0.0, 1.0), Statistics(20, shift, 1.0)
    return Finding("adwin", "drift", "up", None, None, Position(1, 1), before, after)


LOW, MEDIUM, HIGH = _drift(0.5), _drift(2.0), _drift(5.0)


def _run(script: str, episodes: Episodes) -> list[tuple[int, EpisodeEvent]]:
    """Play a script, a character an event: w a warning, d a drift, b both, . nothing."""
    found = {
        ".": [],
        "w": [("error", WARNING)],
        "d": [("value", DRIFT)],
        "b": [("error", WARNING), ("value", DRIFT)],
        "1": [("value", LOW)],
        "2": [("value", MEDIUM)],
        "3": [("value", HIGH)],
        "x": [("value", LOW), ("error", HIGH)],
    }
    return [
        (i, event)
        for i, character in enumerate(script)
        for event in episodes.observe(Position(i, i), found[character], i + 1)
    ]


def _told(script: str, quiet_events: int = 3, cooldown_events: int = 0) -> str:
    """Return what was told, at each event: W, D, R or nothing."""
    told = ["."] * len(script)
    for i, event in _run(script, Episodes(quiet_events, cooldown_events)):
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


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("1.2.3...", "D.D.D..R"),
        ("1.3.3.3...", "D.D......R"),
        ("3.2.1...", "D......R"),
        ("2.1.2.3...", "D.....D..R"),
        ("w.1.2...", "W.D.D..R"),
        ("1.w.2...", "D...D..R"),
        ("1.x...", "D.D..R"),
        ("x.x...", "D.D..R"),
    ],
)
def test_what_is_graver_than_all_that_was_told_is_told_too(script: str, told: str) -> None:
    assert _told(script) == told


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("13......", "D...R..."),
        ("1.3.....", "D....R.."),
        ("1..3...", "D..D..R"),
        ("1..2.3...", "D..D....R"),
        ("1..2..3...", "D..D..D..R"),
    ],
)
def test_what_comes_soon_after_is_the_same_change_on_another_signal(script: str, told: str) -> None:
    assert _told(script, cooldown_events=3) == told


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("2...2...........", "D..R............"),
        ("2...3...........", "D..RD..R........"),
        ("2...2.....2.....", "D..R......D..R.."),
        ("2...2..2..2.....", "D..R......D..R.."),
        ("2...w...........", "D..R............"),
        ("w...1...........", "W..R............"),
        ("w...2...........", "W..RD..R........"),
    ],
)
def test_what_comes_soon_after_a_recovery_is_told_only_if_it_is_graver(
    script: str, told: str
) -> None:
    assert _told(script, cooldown_events=5) == told


def test_an_episode_of_which_nothing_was_told_does_not_put_off_the_next_one() -> None:
    # Else a sensor that drifts again and again would never be heard of.
    assert _told("2...2...2.......", cooldown_events=4) == "D..R....D..R...."


def test_only_the_first_that_is_told_opens_an_episode() -> None:
    events = [event for _, event in _run("w.1.2...", Episodes(3))]
    assert [event.opens for event in events] == [True, False, False, False]


def test_what_an_earlier_version_stored_goes_on_with_nothing_told() -> None:
    old = Episodes.__new__(Episodes)
    old.__setstate__((None, {"quiet_events": 7, "_id": "value@3", "_drifted": True, "quiet": 2}))
    assert (old.quiet_events, old.quiet, old.episode_id) == (7, 2, "value@3")
    assert old.observe(Position(4, 4), [("value", HIGH)], 5)[0].kind == "drift"


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


@given(st.text("wdb123.", max_size=200), st.integers(1, 5), st.integers(0, 9), st.integers(0, 200))
def test_a_pickled_copy_goes_on_as_the_original_would(
    script: str, quiet: int, cooldown: int, cut: int
) -> None:
    original = Episodes(quiet, cooldown)
    _run(script[:cut], original)
    copy = pickle.loads(pickle.dumps(original, protocol=5))
    assert len(pickle.dumps(copy, protocol=5)) < 400
    assert _run(script[cut:], copy) == _run(script[cut:], original)


@given(st.text("wdbx123.", max_size=200), st.integers(1, 5), st.integers(0, 9))
def test_an_episode_is_at_most_a_warning_three_drifts_and_a_recovery(
    script: str, quiet: int, cooldown: int
) -> None:
    told = _told(script, quiet, cooldown).replace(".", "")
    for episode in told.split("R"):
        assert episode in {"", "W", "D", "WD", "DD", "WDD", "DDD", "WDDD"}
    assert "RR" not in told
    assert not told.startswith("R")


@given(st.text("wdbx123.", max_size=300), st.integers(1, 5), st.integers(0, 9))
def test_ids_of_drift_events_would_be_unique(script: str, quiet: int, cooldown: int) -> None:
    told = [(i, e.signal, e.detector, e.kind) for i, e in _run(script, Episodes(quiet, cooldown))]
    assert len(set(told)) == len(told)
