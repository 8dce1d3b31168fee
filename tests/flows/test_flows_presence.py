"""A run that died is known by its lock, whatever became of its process id."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest

from flows._presence import find_dead_runs, only_one, presence, server_at_work
from hiaim_sc.errors import UserInputError

HOLD = """
import sys, time
from pathlib import Path
from uuid import UUID
from flows._presence import presence
with presence(Path(sys.argv[1]), UUID(sys.argv[2])):
    print("here", flush=True)
    time.sleep(60)
"""


def test_a_killed_run_is_found_and_a_living_one_is_not(tmp_path):
    name = uuid4()
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path), str(name)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "here\n"
    with presence(tmp_path, uuid4()):
        assert find_dead_runs(tmp_path) == []
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
        (dead,) = find_dead_runs(tmp_path)
    assert dead.flow_run_id == name
    assert f"process {process.pid}" in dead.where
    assert [run.flow_run_id for run in find_dead_runs(tmp_path)] == [name]


def test_a_run_that_was_killed_before_it_had_said_where_it_is(tmp_path):
    (tmp_path / "runs").mkdir()
    name = uuid4()
    (tmp_path / "runs" / str(name)).touch()
    assert [run.flow_run_id for run in find_dead_runs(tmp_path)] == [name]


@pytest.fixture
def nobody():
    """Does what follows as a user who may read, but not write, what others have written."""
    if os.geteuid() != 0:
        pytest.skip("only root can be another user")

    @contextmanager
    def be():
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)

    return be


@pytest.fixture
def open_folder():
    """Not below pytest's folder, which is closed to other users."""
    with TemporaryDirectory(prefix="hiaim-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_runs_of_another_user_are_told_apart_too(open_folder, nobody):
    alive, dead, closed = uuid4(), uuid4(), uuid4()
    runs = open_folder / "runs"
    for name in (dead, closed):
        with presence(open_folder, name):
            shutil.copy(runs / str(name), open_folder / "copy")
        shutil.copy(open_folder / "copy", runs / str(name))
    (runs / str(closed)).chmod(0o600)
    with presence(open_folder, alive), nobody():
        assert [run.flow_run_id for run in find_dead_runs(open_folder)] == [dead]


def test_a_run_is_seen_only_once_it_says_who_it_is(tmp_path, monkeypatch):
    seen, lock = [], fcntl.flock

    def look_before(handle, how):
        if how == fcntl.LOCK_EX:
            seen.append(find_dead_runs(tmp_path))
        lock(handle, how)

    monkeypatch.setattr("flows._presence.fcntl.flock", look_before)
    with presence(tmp_path, uuid4()):
        pass
    assert seen == [[]]


def test_only_one_at_a_time(tmp_path):
    with only_one(tmp_path, "watch"):
        with only_one(tmp_path, "server"):
            pass
        with pytest.raises(UserInputError, match="another is at work"), only_one(tmp_path, "watch"):
            pass
    with only_one(tmp_path, "watch"):
        pass


def test_who_is_refused_is_told_of_the_server_that_is_there(tmp_path):
    api = "http://127.0.0.1:4711/api"
    with (
        only_one(tmp_path, "server", api=api),
        pytest.raises(UserInputError, match=f"PREFECT_API_URL={api}"),
        only_one(tmp_path, "server"),
    ):
        pass
    with (
        only_one(tmp_path, "server"),  # that one is gone
        pytest.raises(UserInputError, match=r"another is at work$"),
        only_one(tmp_path, "server"),
    ):
        pass


def test_the_server_at_work_for_a_store_is_known_while_it_is(tmp_path):
    assert server_at_work(tmp_path) == ""
    with only_one(tmp_path, "server", api="http://127.0.0.1:4711/api"):
        assert server_at_work(tmp_path) == "http://127.0.0.1:4711/api"
    assert server_at_work(tmp_path) == ""
