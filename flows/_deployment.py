"""A study's deployment on a Prefect server, as ``prefect.yaml`` describes it."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.schedules import CronSchedule
from prefect.events import EventTrigger
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, Posture
from prefect.exceptions import ObjectNotFound
from pydantic import ValidationError

from flows._paths import default_results, default_store
from flows._profile import require_profile
from hiaim_sc.errors import Fault, HiaimError, UserInputError
from hiaim_sc.study import read_study

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import SyncPrefectClient

    from flows._plan import Plan

_HOME = Path(__file__).resolve().parent.parent
# Of every run of ours, as in prefect.yaml: its events carry it.
TAG = "hiaim-sc"
_HEARTBEATS = "hiaim-sc: runs without a sign of life"
# Three times the rate at which runs show it, and time for a run that ends slowly.
_SILENCE = timedelta(seconds=240)


class DeploymentError(HiaimError):
    """The Prefect server has not taken the deployment."""


def deploy_study(plan: Plan) -> str:
    """Register the study's deployment on the configured server; ``study/<name>``.

    Raises
    ------
    UserInputError
        When the study, the schedule or the profile is wrong.
    DeploymentError
        When the server has not taken it.
    """
    folder = plan.study.resolve()
    name = read_study(folder, may_be_gone="all").config.study
    _check_schedule(plan)
    profile = require_profile(plan.profile, server=True)
    with get_client(sync_client=True) as client:
        _make_pool(client, plan.pool)
        _watch_heartbeats(client)
    store = (plan.store or default_store(folder)).resolve()
    results = (plan.results or default_results(folder)).resolve()
    variables = {
        "HIAIM_STUDY_NAME": name,
        "HIAIM_STUDY": str(folder),
        "HIAIM_STORE": str(store),
        "HIAIM_RESULTS": str(results),
        "HIAIM_POOL": plan.pool,
        "HIAIM_CRON": plan.cron,
        "HIAIM_TIMEZONE": plan.timezone,
        "HIAIM_PROFILE": profile,
        "HIAIM_HOME": str(_HOME),
    }
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    done = subprocess.run(
        [*command, "--prefect-file", str(_HOME / "prefect.yaml")],
        cwd=_HOME,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        msg = f"the Prefect server has not taken the deployment:\n{done.stdout}{done.stderr}"
        raise DeploymentError(msg)
    return f"study/{name}"


def start_run(deployment: str, because: str) -> UUID:
    """Ask for a run of a deployment that makes a release only if there is something new.

    Raises
    ------
    UserInputError
        When the study is not deployed on this server.
    """
    with get_client(sync_client=True) as client:
        try:
            found = client.read_deployment_by_name(deployment)
        except ObjectNotFound:
            allowed = "a study that is deployed on this server: hiaim-sc deploy STUDY"
            raise UserInputError([Fault("PREFECT_API_URL", 0, "", deployment, allowed)]) from None
        # whatever somebody has made of the deployment's parameters, it stays blinded
        sealed = {"arms": "blinded", "deviation": ""}
        request = {
            **found.parameters["request"],
            **sealed,
            "only_if_new": True,
            "because": because,
        }
        run = client.create_flow_run_from_deployment(
            found.id, parameters={**found.parameters, "request": request}
        )
    return run.id


def _check_schedule(plan: Plan) -> None:
    try:
        CronSchedule(cron=plan.cron, timezone=plan.timezone)
    except ValidationError as error:
        faults = [
            Fault("command line", 0, f"--{fault['loc'][0]}", str(fault["input"]), fault["msg"])
            for fault in error.errors()
        ]
        raise UserInputError(faults) from None


def _make_pool(client: SyncPrefectClient, name: str) -> None:
    try:
        client.read_work_pool(name)
    except ObjectNotFound:
        client.create_work_pool(WorkPoolCreate(name=name, type="process"))


def _watch_heartbeats(client: SyncPrefectClient) -> None:
    """Have the server call a run of ours crashed that has shown no sign of life for some minutes.

    Runs of others may beat more slowly, or pause.
    """
    ends = {f"prefect.flow-run.{end}" for end in ("Completed", "Failed", "Cancelled", "Crashed")}
    trigger = EventTrigger(
        after={"prefect.flow-run.heartbeat"},
        expect={"prefect.flow-run.heartbeat", *ends},
        match={"prefect.resource.id": "prefect.flow-run.*"},
        match_related={"prefect.resource.id": f"prefect.tag.{TAG}", "prefect.resource.role": "tag"},
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=_SILENCE,
    )
    action = ChangeFlowRunState(
        state=StateType.CRASHED, message="no sign of life; what it had computed is kept"
    )
    wanted = AutomationCore(name=_HEARTBEATS, trigger=trigger, actions=[action])
    known = client.read_automations_by_name(_HEARTBEATS)
    for automation in known:
        client.update_automation(automation.id, wanted)
    if not known:
        client.create_automation(wanted)
