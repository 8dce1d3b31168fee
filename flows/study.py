"""The whole: from a study folder to a release. What ``hiaim-sc run`` calls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from prefect import flow
from prefect.runtime import flow_run

from flows._artifacts import show_release
from flows._paths import default_results, default_store
from flows._progress import ConsoleProgress, NoProgress
from flows._run import StudyRun, TaskRecord
from flows.build_cohort import build_cohort
from flows.compare_arms import compare_arms
from flows.process_library import ProcessedLibraries, process_libraries
from flows.publish_release import publish_release
from hiaim_sc.storage import Store
from hiaim_sc.study import read_study

if TYPE_CHECKING:
    from hiaim_sc.study import Study


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


@flow(name="study", flow_run_name="study {study}", validate_parameters=True, persist_result=False)
def study_flow(
    study: str,
    results: str | None = None,
    store: str | None = None,
    blinded: bool = False,  # noqa: FBT001, FBT002  a form field in the Prefect UI
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
    """
    started = datetime.now(UTC)
    folder = Path(study).resolve()
    target = Path(results).resolve() if results else default_results(folder)
    run_store = Store(Path(store).resolve() if store else default_store(folder))
    with ConsoleProgress() as progress:
        run = StudyRun(read_study(folder), run_store, progress)
        libraries, cohort, compared = run_stages(run, blinded=blinded)
        release = publish_release(
            run, libraries, {**cohort, **compared}, results=target, started=started
        )
    show_release(run.study.config.study, release)
    identifier = UUID(str(flow_run.get_id()))
    return StudyResult(release, identifier, tuple(run.records), libraries.quarantined)


def run_stages(
    run: StudyRun, *, blinded: bool
) -> tuple[ProcessedLibraries, dict[str, str], dict[str, str]]:
    """Every stage in order: libraries, cohort, comparison."""
    libraries = process_libraries(run)
    cohort = build_cohort(run, libraries)
    compared = compare_arms(run, libraries, cohort, blinded=blinded)
    return libraries, cohort, compared


def plan_stages(study: Study, store: Store, *, blinded: bool) -> StudyRun:
    """What a run would compute and why; nothing runs and nothing is written."""
    run = StudyRun(study, store, NoProgress(), dry=True)
    run_stages(run, blinded=blinded)
    return run
