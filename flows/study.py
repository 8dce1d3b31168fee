"""The whole: from a study folder to a release. What ``hiaim-sc run`` calls.

Prefect reads the flow's annotations when it runs, so they are not postponed.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.runtime import deployment, flow_run
from prefect.states import Completed
from pydantic import Field

from flows._artifacts import show_release
from flows._closed_faults import faults_closed
from flows._folder import open_study
from flows._lifetime import end_with_server
from flows._news import release_as_it_would_be
from flows._opening import open_arms
from flows._order import run_stages
from flows._paths import default_results, default_store
from flows._presence import presence
from flows._profile import read_profile
from flows._progress import ConsoleProgress
from flows._releases import point_latest, remove_halves
from flows._request import RunRequest
from flows._run import StudyRun, TaskRecord
from flows._runners import runners_of
from flows._tasks import compute_on
from flows.publish_release import publish_release
from hiaim_sc.storage import Store
from hiaim_sc.study.config_file import CONFIG, read_config


@dataclass(frozen=True)
class StudyResult:
    """What a run came to.

    Attributes
    ----------
    release
        The release's folder.
    flow_run_id
        The run in the Prefect UI.
    records
        What became of each stage.
    quarantined
        library_id: reason.
    """

    release: Path
    flow_run_id: UUID
    records: tuple[TaskRecord, ...]
    quarantined: dict[str, str]

    @property
    def n_recomputed(self) -> int:
        """How many stages were computed, each a task run."""
        return sum(record.status == "recomputed" for record in self.records)


def _run_name() -> str:
    """Study, time, what asked for it and whether it is blinded, as people read it."""
    parameters = flow_run.get_parameters()
    request = RunRequest.model_validate(parameters.get("request") or {})
    folder = Path(str(parameters["study"]))
    config, *_ = read_config(folder / CONFIG)
    study = deployment.get_name() or (config.study if config else folder.name)
    return f"{study} {datetime.now(UTC):%Y-%m-%d %H:%M} {request.because}, {request.arms}"


@flow(name="study", flow_run_name=_run_name, validate_parameters=True, persist_result=False)
def study_flow(
    study: str = Field(min_length=1, description="The study folder, as the worker knows it."),
    request: RunRequest = Field(RunRequest(), description="How it is run."),
) -> StudyResult | State[StudyResult]:
    """Process every delivered library, build the cohort, compare the arms, publish a release.

    Parameters
    ----------
    study
        The study folder, as the machine that runs it knows it.
    request
        How it is run.
    """
    started = datetime.now(UTC)
    end_with_server()
    folder = Path(study).resolve()
    results = Path(request.results).resolve() if request.results else default_results(folder)
    root = Path(request.store).resolve() if request.store else default_store(folder)
    identifier = UUID(str(flow_run.get_id()))
    store = Store(root, verify=request.verify)
    with faults_closed(), presence(root, identifier), store.locked("run"):
        remove_halves(results)
        found = open_study(folder, store, automatic=request.only_if_new)
        opening = open_arms(found, request.arms_request, results=results, digest=store.digests.of)
        if request.only_if_new:
            last = release_as_it_would_be(found, store, results, opening)
            if last is not None:
                store.digests.save()
                point_latest(results)  # a run may have died just before it did so
                return _nothing_new(last, identifier)
        profile = read_profile(request.profile, workers=request.workers or None, store=root)
        with runners_of(profile) as runners, ConsoleProgress() as progress:
            run = StudyRun(found, store, progress, compute_on(runners))
            libraries, keys = run_stages(
                run, blinded=opening.blinded, prespecified=opening.prespecified
            )
        # the release is written here; whoever computed the stages has gone, with their memory
        _log(run, libraries.quarantined)
        release = publish_release(
            run, libraries, keys, results=results, started=started, opening=opening
        )
        show_release(found.config.study, release)
    return StudyResult(release, identifier, tuple(run.records), libraries.quarantined)


def _nothing_new(release: Path, identifier: UUID) -> State[StudyResult]:
    message = f"nothing new: release {release.name} stays"
    get_run_logger().info(message)
    return Completed(message=message, data=StudyResult(release, identifier, (), {}))


def _log(run: StudyRun, quarantined: dict[str, str]) -> None:
    logger = get_run_logger()
    n_computed = sum(record.status == "recomputed" for record in run.records)
    logger.info("%d stages computed, %d reused", n_computed, len(run.records) - n_computed)
    for library_id, reason in sorted(quarantined.items()):
        logger.warning("quarantined: %s: %s", library_id, reason)
