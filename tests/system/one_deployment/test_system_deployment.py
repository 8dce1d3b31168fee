"""A study on a Prefect server: its deployment, its form, and what is tried again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import httpx
import pytest

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def api(prefect_server):
    with httpx.Client(base_url=prefect_server, trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture
def study(deployed):
    return deployed.study


@pytest.fixture
def deployment(deployed):
    """The deployment after it was made twice."""
    return deployed.deployment()


def test_a_deployment_runs_one_at_a_time_on_schedule_and_on_arrival(
    deployed, deployment, study, api
):
    (schedule,) = deployment["schedules"]
    assert schedule["schedule"]["cron"] == "0 5 * * *"
    assert schedule["schedule"]["timezone"] == "Europe/Copenhagen"
    # the server has the next runs in its book: with some versions of SQLAlchemy it never does
    only = {"name": {"any_": ["deployed"]}}
    found = deployed.ask("/flow_runs/filter", deployments=only)
    assert len([run for run in found if run["auto_scheduled"]]) >= 3
    assert deployment["global_concurrency_limit"]["limit"] == 1
    assert deployment["concurrency_options"]["collision_strategy"] == "ENQUEUE"
    assert deployment["work_pool_name"] == "hiaim"
    assert deployment["parameters"]["study"] == str(study)
    automations = api.post("/automations/filter", json={}).json()
    mine = [a for a in automations if a["name"].startswith("deployed__")]
    assert [a["trigger"]["expect"] for a in mine] == [["hiaim.arrivals.settled"]]
    assert mine[0]["trigger"]["match"] == {"prefect.resource.id": "hiaim.study.deployed"}
    assert len([a for a in automations if "sign of life" in a["name"]]) == 1


def test_whatever_runs_by_itself_is_blinded_and_makes_a_release_only_of_news(deployment, api):
    automations = api.post("/automations/filter", json={}).json()
    (trigger,) = [a for a in automations if a["name"].startswith("deployed__")]
    for parameters in (
        deployment["schedules"][0]["parameters"],
        trigger["actions"][0]["parameters"],
    ):
        assert parameters["request"]["arms"] == "blinded"
        assert parameters["request"]["only_if_new"] is True
    assert deployment["parameters"]["request"]["arms"] == "blinded"
    assert "only_if_new" not in deployment["parameters"]["request"]


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("workers", -1, "-1 is less than the minimum of 0"),
        ("arms", "exercise", "'exercise' is not one of"),
        ("seed", 1, "'seed' was unexpected"),
    ],
)
def test_a_wrong_value_in_the_form_is_refused_with_a_message(deployment, api, field, value, says):
    wanted = {**deployment["parameters"], "request": {field: value}}
    answer = api.post(
        f"/deployments/{deployment['id']}/create_flow_run", json={"parameters": wanted}
    )
    assert answer.status_code == 409
    assert says in answer.json()["detail"]


def test_what_is_wrong_with_a_schedule_is_the_users_fault(study, hiaim):
    done = hiaim("deploy", study, "--cron", "every day", "--timezone", "Mars/Olympus")
    assert done.code == 2
    assert "Traceback" not in done.err
    assert "every day" in done.err or "Mars/Olympus" in done.err


def test_watching_needs_a_deployment(study, hiaim, tmp_path):
    elsewhere = shutil.copytree(study, tmp_path / "study")
    settings = elsewhere / "study.yaml"
    settings.write_text(settings.read_text().replace("study: deployed", "study: elsewhere"))
    done = hiaim("watch", elsewhere)
    assert done.code == 2
    assert "hiaim-sc deploy STUDY" in done.err


ATTEMPTS = """
import errno, json, sys
from prefect import flow
from prefect.task_runners import ThreadPoolTaskRunner
import flows._tasks as tasks
from hiaim_sc.errors import LibraryFaultError

def run(error, times):
    calls = []
    def execute(call):
        calls.append(call)
        if len(calls) <= times:
            raise error
    tasks.execute = execute
    @flow
    def attempt():
        with ThreadPoolTaskRunner() as runner:
            quick = tasks.run_stage.with_options(retry_delay_seconds=0, retry_jitter_factor=0)
            future = runner.submit(quick, {"call": None, "title": "qc L1"})
            future.wait()
            return future.state.type.value
    return attempt(), len(calls)

print(json.dumps([
    run(OSError(errno.EIO, "input/output error"), 2),
    run(OSError(errno.ESTALE, "stale file handle"), 9),
    run(ValueError("a bug"), 1),
    run(LibraryFaultError("a web page"), 1),
]))
"""


def test_storage_is_tried_again_and_bad_input_is_not(hiaim):
    done = subprocess.run(
        [sys.executable, "-c", ATTEMPTS],
        env=hiaim.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [
        ["COMPLETED", 3],
        ["FAILED", 4],
        ["FAILED", 1],
        ["FAILED", 1],
    ]
