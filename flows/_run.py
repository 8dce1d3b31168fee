"""One run of a study: which stages are needed, which are reused, and a record of both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from prefect.futures import as_completed

from flows._stages import STAGES, StageCall, code_of, settings_of, visible_config
from flows._tasks import run_stage
from hiaim_sc.storage import Recipe, Store, value_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pandas as pd

    from hiaim_sc.storage import Artefact, Look
    from hiaim_sc.study import LibraryFiles, Study


class Progress(Protocol):
    """Who is told how far a run is."""

    def start(self, what: str, total: int) -> None:
        """A group of stages begins, of which `total` must be computed."""

    def advance(self, title: str) -> None:
        """One of them is done."""


@dataclass(frozen=True)
class TaskRecord:
    """What became of one stage; a row of the manifest's ``tasks``."""

    name: str
    library_id: str | None
    key: str
    status: str
    why: str
    seconds: float


@dataclass
class StudyRun:
    """A run in progress.

    Attributes
    ----------
    study
        The validated study folder; it knows no arm.
    store
        Where artefacts lie.
    progress
        Who is told how far the run is.
    dry
        Nothing is run or written: the records say what would be.
    records
        What became of each stage so far.
    """

    study: Study
    store: Store
    progress: Progress
    dry: bool = False
    records: list[TaskRecord] = field(default_factory=list)
    _looks: dict[str, Look] = field(default_factory=dict)

    def value(self, name: str, table: pd.DataFrame) -> str:
        """Key of a table of the study as an input of stages."""
        return value_key(name, table) if self.dry else self.store.put_value(name, table)

    def call(
        self,
        stage: str,
        inputs: dict[str, str],
        *,
        library_id: str | None = None,
        files: LibraryFiles | None = None,
        allocation: Path | None = None,
    ) -> StageCall:
        """One stage with its inputs, ready to be looked up or run."""
        config = self.study.config
        code, versions = code_of(stage)
        recipe = Recipe(stage, library_id, inputs, settings_of(stage, config), code, versions)
        shown = visible_config(stage, config)
        return StageCall(recipe, shown, str(self.store.root), files, allocation)

    def complete(self, what: str, calls: Sequence[StageCall]) -> None:
        """Have all these stages' results in the store; they must not depend on each other."""
        looks = [self.store.look(call.recipe) for call in calls]
        needed = [
            call for call, look in zip(calls, looks, strict=True) if look.status == "recomputed"
        ]
        seconds = {} if self.dry else self._run(what, needed)
        for look in looks:
            recipe = look.recipe
            taken = seconds.get(recipe.key, 0.0)
            self.records.append(
                TaskRecord(
                    recipe.stage, recipe.library_id, recipe.key, look.status, look.why, taken
                )
            )

    def artefact(self, call: StageCall) -> Artefact:
        """The stored result of a stage that was completed."""
        return self.store.get(call.recipe.key)

    def _run(self, what: str, calls: Iterable[StageCall]) -> dict[str, float]:
        calls = list(calls)
        if not calls:
            return {}
        self.progress.start(what, len(calls))
        futures: dict[Any, StageCall] = {}
        for call in calls:
            task = run_stage.with_options(name=call.recipe.stage)
            futures[task.submit(call, call.title)] = call
        seconds = {}
        for future in as_completed(list(futures)):
            call = futures[future]
            seconds[call.recipe.key] = future.result()
            self.progress.advance(call.title)
        return seconds


def stage_names() -> tuple[str, ...]:
    """All stages in the order they run."""
    return tuple(STAGES)
