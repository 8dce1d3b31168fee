"""A run that fails for faulty tables, as the Prefect server keeps it."""

from __future__ import annotations

import subprocess
import sys
import time

import httpx
import pytest

pytestmark = pytest.mark.slow

PATIENT = "MRN-0042-Jensen"
BY_ITSELF = """
import sys
from flows._request import RunRequest
from flows._server import send_what_is_queued
from flows.study import study_flow

state = study_flow(sys.argv[1], RunRequest(only_if_new=True), return_state=True)
print(state.name)
send_what_is_queued()
"""


@pytest.fixture
def study(simulate):
    folder = simulate(n_patients=2, cells_per_library=10, seed=13) / "study"
    samples = folder / "samples.tsv"
    samples.write_text(samples.read_text().replace("\tP01\t", f"\t{PATIENT}\t", 1))
    return folder


def ask(api, path, wanted):
    answer = httpx.post(f"{api}{path}", json=wanted, trust_env=False, timeout=60)
    return answer.raise_for_status()


def test_states_logs_and_events_name_no_patient(study, hiaim, prefect_server):
    done = subprocess.run(
        [sys.executable, "-c", BY_ITSELF, str(study)],
        env=hiaim.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "Failed"
    assert PATIENT not in done.stderr
    runs = ask(prefect_server, "/flow_runs/filter", {}).json()
    (run,) = [run for run in runs if run["parameters"].get("study") == str(study)]
    assert "samples.tsv line 2, patient_id" in run["state"]["message"]
    resource = {"id": [f"prefect.flow-run.{run['id']}"]}
    failed = {"filter": {"resource": resource, "event": {"name": ["prefect.flow-run.Failed"]}}}
    only = {"logs": {"flow_run_id": {"any_": [run["id"]]}}}
    deadline = time.monotonic() + 60
    while not (
        (events := ask(prefect_server, "/events/filter", failed).json()["events"])
        and (logs := ask(prefect_server, "/logs/filter", only).json())
    ):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert "samples.tsv line 2, patient_id" in str(logs)
    assert PATIENT not in f"{run}{events}{logs}"

    terminal = hiaim("run", study, "--blinded")
    assert terminal.code == 2
    assert f"samples.tsv line 2, patient_id: '{PATIENT}'" in terminal.err
