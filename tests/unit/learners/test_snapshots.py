"""Signed snapshots, and the key they are signed with."""

from __future__ import annotations

import hashlib
import hmac
import os
import pickle
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from learners import create, snapshot
from schemas.errors import ConfigurationError, SnapshotError
from schemas.settings import LearnerSettings, State

KEY = b"k" * 32
STATE = {"press-7": [1.5, None, "x"], "n": 3}
GOOD = snapshot.dumps(STATE, KEY)


class Bomb:
    """A pickle that leaves a trace when it is loaded."""

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (os.environ["DRIFTLINE_TEST_TRACE"],))


def signed_by_hand(payload: bytes, key: bytes, version: bytes) -> bytes:
    signed = bytes([len(version)]) + version + payload
    return b"DLS1" + hmac.digest(key, signed, "sha256") + signed


def test_what_was_written_is_read() -> None:
    assert snapshot.loads(GOOD, KEY) == STATE


def test_a_learner_goes_on_from_its_snapshot() -> None:
    learner = create(LearnerSettings())
    for value in range(100):
        learner.learn({"value": value % 7.0})
    restored = snapshot.loads(snapshot.dumps(learner, KEY), KEY)
    assert restored.predict({}) == learner.predict({})


def test_another_key_is_refused() -> None:
    with pytest.raises(SnapshotError, match="signed with another key"):
        snapshot.loads(GOOD, b"other" * 8)


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 7))
def test_no_flipped_bit_passes(at: int, bit: int) -> None:
    changed = bytearray(GOOD)
    changed[at] ^= 1 << bit
    with pytest.raises(SnapshotError):
        snapshot.loads(bytes(changed), KEY)


@given(st.integers(0, len(GOOD) - 1))
def test_nothing_that_was_cut_passes(length: int) -> None:
    with pytest.raises(SnapshotError):
        snapshot.loads(GOOD[:length], KEY)


@given(st.binary(max_size=200))
def test_no_arbitrary_bytes_pass(data: bytes) -> None:
    with pytest.raises(SnapshotError):
        snapshot.loads(data, KEY)
    with pytest.raises(SnapshotError):
        snapshot.loads(b"DLS1" + data, KEY)


def test_nothing_is_unpickled_before_the_signature_is_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = tmp_path / "trace"
    monkeypatch.setenv("DRIFTLINE_TEST_TRACE", str(trace))
    bomb = pickle.dumps(Bomb())
    with pytest.raises(SnapshotError):
        snapshot.loads(signed_by_hand(bomb, b"an attacker's key", b"0.26.1"), KEY)
    assert not trace.exists()
    with pytest.raises(SnapshotError):
        snapshot.loads(signed_by_hand(bomb, KEY, b"0.0.1"), KEY)
    assert not trace.exists()


def test_another_version_of_river_is_named_with_the_remedy() -> None:
    old = signed_by_hand(pickle.dumps(STATE), KEY, b"0.1.0")
    with pytest.raises(SnapshotError, match=r"River 0\.1\.0.*install river==0\.1\.0"):
        snapshot.loads(old, KEY)


def test_a_class_that_is_gone_is_a_snapshot_error() -> None:
    import river

    gone = b"cno_such_module\nThing\n."
    with pytest.raises(SnapshotError, match="another version of Driftline"):
        snapshot.loads(signed_by_hand(gone, KEY, river.__version__.encode()), KEY)


def test_one_larger_than_allowed_is_refused_in_one_line() -> None:
    state = list(range(100_000))
    with pytest.raises(SnapshotError) as caught:
        snapshot.dumps(state, KEY, max_bytes=1000)
    assert "more than the 1000 allowed" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_just_as_large_as_allowed_is_written() -> None:
    assert snapshot.dumps(STATE, KEY, max_bytes=len(GOOD)) == GOOD
    with pytest.raises(SnapshotError):
        snapshot.dumps(STATE, KEY, max_bytes=len(GOOD) - 1)


def test_what_can_not_be_pickled_is_a_snapshot_error() -> None:
    with pytest.raises(SnapshotError, match="can't be stored"):
        snapshot.dumps(lambda: None, KEY)


def test_the_layout_is_the_one_that_is_written_down() -> None:
    length = GOOD[36]
    assert GOOD[:4] == b"DLS1"
    assert GOOD[4:36] == hmac.new(KEY, GOOD[36:], hashlib.sha256).digest()
    assert pickle.loads(GOOD[37 + length :]) == STATE


def test_the_secret_of_the_settings_is_the_key() -> None:
    one = snapshot.signing_key(State(signing_key=SecretStr("correct horse battery")))
    same = snapshot.signing_key(State(signing_key=SecretStr("correct horse battery")))
    other = snapshot.signing_key(State(signing_key=SecretStr("incorrect horse battery")))
    assert one == same != other


def test_a_short_secret_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigurationError) as caught:
        snapshot.signing_key(State(signing_key=SecretStr("hunter2")))
    assert str(caught.value).startswith("state.signing_key: ")
    assert "at least 16 characters" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_key_file_that_is_not_there_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "signing.key"
    key = snapshot.signing_key(State(signing_key_file=path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert snapshot.signing_key(State(signing_key_file=path)) == key
    assert [entry.name for entry in path.parent.iterdir()] == ["signing.key"]


def test_two_files_are_two_keys(tmp_path: Path) -> None:
    one = snapshot.signing_key(State(signing_key_file=tmp_path / "one"))
    assert one != snapshot.signing_key(State(signing_key_file=tmp_path / "two"))


def test_without_any_setting_the_key_lies_in_the_state_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    snapshot.signing_key(State())
    assert (tmp_path / "driftline" / "signing.key").exists()
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    snapshot.signing_key(State())
    assert (tmp_path / ".local" / "state" / "driftline" / "signing.key").exists()


def test_an_empty_key_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    path.touch()
    with pytest.raises(ConfigurationError, match=r"state\.signing_key_file.*16 characters"):
        snapshot.signing_key(State(signing_key_file=path))


def test_a_key_file_that_can_not_be_made_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError) as caught:
        snapshot.signing_key(State(signing_key_file=tmp_path / "file" / "signing.key"))
    assert str(caught.value).startswith("state.signing_key_file: ")
    assert "\n" not in str(caught.value)


def test_workers_that_start_at_once_get_the_same_key(tmp_path: Path) -> None:
    program = (
        "import sys, time, pathlib\n"
        "from learners.snapshot import signing_key\n"
        "from schemas.settings import State\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "for n in range(50):\n"
        "    print(signing_key(State(signing_key_file=path / str(n))).hex())\n"
    )
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    keys = [worker.communicate(timeout=60)[0].split() for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 4
    assert keys[0] == keys[1] == keys[2] == keys[3]
    assert len(set(keys[0])) == 50
    assert len(list(tmp_path.iterdir())) == 50
