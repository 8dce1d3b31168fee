"""What a task run brings along to a process of the pool, and what the process has already."""

from __future__ import annotations

import contextvars
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import prefect
import pytest
from prefect.client.orchestration import get_client
from prefect.context import serialize_context
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED,
    get_current_settings,
    temporary_settings,
)

from flows import _runners
from flows._profile import LocalProfile

UNASKED = {PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED: False}


class Api(BaseHTTPRequestHandler):
    """Knows its version."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(prefect.__version__).encode())

    def log_message(self, *_):
        """Says nothing."""


@pytest.fixture
def api(monkeypatch):
    server = HTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{server.server_port}/api")
    yield
    server.shutdown()
    server.server_close()


def test_settings_go_along_only_where_the_process_cannot_know_the_server(api, monkeypatch):
    """A server named in the environment is known to each process of the pool."""
    before = get_current_settings()
    with _runners.runners_of(LocalProfile(runner="processes", workers=1)):
        assert serialize_context()["settings_context"] == {}
        assert get_current_settings() == before.copy_with_update(updates=UNASKED)
    assert get_current_settings() == before
    assert serialize_context()["settings_context"] != {}
    monkeypatch.delenv("PREFECT_API_URL")
    with _runners.runners_of(LocalProfile(runner="processes", workers=1)):
        assert serialize_context()["settings_context"] != {}


def clients_after_begin(monkeypatch):
    """Two clients as Prefect asks for them in a process that has begun."""
    monkeypatch.setattr(_runners, "end_with", lambda parent: None)

    address = os.environ["PREFECT_API_URL"] or "http://nobody.invalid/api"

    def begin():
        with temporary_settings({PREFECT_API_URL: address, **UNASKED}):
            _runners._begin_worker(os.getppid())
            return get_client(sync_client=True), get_client(sync_client=True)

    return contextvars.copy_context().run(begin)


def test_a_process_has_one_client_for_all_its_task_runs(api, monkeypatch):
    first, second = clients_after_begin(monkeypatch)
    assert first is second


@pytest.mark.parametrize("address", ["", "http://127.0.0.1:1/api"])
def test_a_process_begins_without_a_server_too(monkeypatch, address):
    monkeypatch.setenv("PREFECT_API_URL", address)
    first, second = clients_after_begin(monkeypatch)
    assert (first is second) == bool(address)


ALONE = """
import os

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows._profile import LocalProfile
from flows._runners import runners_of

@task(cache_policy=NO_CACHE)
def find(what):
    return what

if __name__ == "__main__":
    with runners_of(LocalProfile(runner="processes", workers=1)) as runners:
        future = runners.of("L1").submit(find, {"what": "found"})
        future.wait(timeout=60)
        print(future.result(raise_on_failure=False), flush=True)
        os._exit(0)  # does not wait until events, which nobody hears, are sent
"""


def test_a_task_run_needs_no_server_that_answers(tmp_path):
    """Prefect would ask for the server's version first, and end the process without an answer."""
    script = tmp_path / "alone.py"
    script.write_text(ALONE)
    done = subprocess.run(
        [sys.executable, script],
        env={**os.environ, "PREFECT_API_URL": "http://127.0.0.1:1/api"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout == "found\n", done.stderr


class Runner:
    """Writes down when it begins and ends."""

    def __init__(self, name, said):
        self.name, self.said = name, said

    def __enter__(self):
        self.said.append(f"{self.name} begins")
        return self

    def __exit__(self, *_):
        self.said.append(f"{self.name} ends")


def test_processes_of_libraries_end_where_those_of_the_cohort_begin():
    said = []
    runners = _runners.Runners(Runner("library", said), Runner("cohort", said), in_turn=True)
    names = [runners.of(owner).name for owner in ("L1", "L2", None, None, "L3")]
    assert names == ["library", "library", "cohort", "cohort", "library"]
    runners.close()
    assert said == [
        *("library begins", "library ends", "cohort begins", "cohort ends"),
        *("library begins", "library ends"),
    ]


def test_jobs_of_a_cluster_stay_beside_each_other():
    said = []
    runners = _runners.Runners(Runner("library", said), Runner("cohort", said))
    runners.of("L1"), runners.of(None), runners.of("L2")
    assert said == ["library begins", "cohort begins"]
    runners.close()
    assert said[2:] == ["cohort ends", "library ends"]


def test_a_pool_of_processes_can_begin_again():
    with _runners.runners_of(LocalProfile(runner="processes", workers=2)) as runners:
        pools = [runners.of(owner) for owner in ("L1", None, "L2")]
        assert pools[0] is pools[2] is not pools[1]
        assert pools[2]._executor.submit(os.getpid).result() != os.getpid()


def test_a_single_process_does_all():
    with _runners.runners_of(LocalProfile(runner="processes", workers=1)) as runners:
        assert runners.of("L1") is runners.of(None)
