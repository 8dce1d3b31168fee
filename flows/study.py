"""The whole: from a study folder to a release. What ``hiaim-sc run`` calls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from prefect import flow, get_run_logger
from prefect.runtime import flow_run

from flows._artifacts import show_release
from flows._opening import ArmsRequest, open_arms
from flows._order import run_stages
from flows._paths import default_results, default_store
from flows._profile import read_profile
from flows._progress import ConsoleProgress
from flows._run import StudyRun, TaskRecord
from flows._runners import runners_of
from flows._tasks import compute_on
from flows.publish_release import publish_release
from hiaim_sc.storage import Store
from hiaim_sc.study import read_study


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
    """Study folder and time, as people read it in a list of runs."""
    folder = Path(str(flow_run.get_parameters()["study"]))
    return f"{folder.name} {datetime.now(UTC):%Y-%m-%d %H:%M}"


@flow(name="study", flow_run_name=_run_name, validate_parameters=True, persist_result=False)
def study_flow(  # noqa: PLR0913  each is a field of the form in the Prefect UI
    study: str,
    results: str | None = None,
    store: str | None = None,
    blinded: bool = False,  # noqa: FBT001, FBT002  a form field in the Prefect UI
    unblind: bool = False,  # noqa: FBT001, FBT002
    deviation: str | None = None,
    profile: str = "local",
    workers: int | None = None,
) -> StudyResult:
    """Process every delivered library, build the cohort, compare the arms, publish a release.

    Parameters
    ----------
    study
        The study folder.
    results
        Where the release goes; ``results`` in the study folder when empty.
    store
        Where artefacts lie; ``.hiaim`` in the study folder when empty.
    blinded
        Leave the allocation closed and compare random labels.
    unblind
        Compare the arms under the frozen analysis plan; refused when it has changed.
    deviation
        Why it has changed; the release lists what and why.
    profile
        Where stages run: ``local``, ``dask``, ``slurm`` or the path of a profile.
    workers
        Processes, or jobs for libraries; the profile's own number when empty.
    """
    started = datetime.now(UTC)
    folder = Path(study).resolve()
    target = Path(results).resolve() if results else default_results(folder)
    run_store = Store(Path(store).resolve() if store else default_store(folder))
    chosen = read_profile(profile, workers=workers)
    with runners_of(chosen) as runners, ConsoleProgress() as progress:
        run = StudyRun(read_study(folder), run_store, progress, compute_on(runners))
        request = ArmsRequest(blinded=blinded, unblind=unblind, deviation=deviation)
        opening = open_arms(run.study, request, results=target)
        libraries, keys = run_stages(
            run, blinded=opening.blinded, prespecified=opening.prespecified
        )
        _log(run, libraries.quarantined)
        release = publish_release(
            run, libraries, keys, results=target, started=started, opening=opening
        )
    show_release(run.study.config.study, release)
    identifier = UUID(str(flow_run.get_id()))
    return StudyResult(release, identifier, tuple(run.records), libraries.quarantined)


def _log(run: StudyRun, quarantined: dict[str, str]) -> None:
    logger = get_run_logger()
    n_computed = sum(record.status == "recomputed" for record in run.records)
    logger.info("%d stages computed, %d reused", n_computed, len(run.records) - n_computed)
    for library_id, reason in sorted(quarantined.items()):
        logger.warning("quarantined: %s: %s", library_id, reason)
