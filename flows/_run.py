"""One run of a study: which stages are needed, which are reused, and a record of both."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from flows._stage_calls import StageCall, code_of, execute, settings_of, visible_config
from hiaim_sc.storage import Recipe, Store, value_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import pandas as pd

    from hiaim_sc.storage import Look
    from hiaim_sc.study import LibraryFiles, ScreenFiles, Study
    from hiaim_sc.study.arrivals import Look as FilesLook

    type Computed = Iterator[tuple[StageCall, float, str]]
    type Compute = Callable[[Sequence[StageCall]], Computed]


def compute_here(calls: Sequence[StageCall]) -> Computed:
    """Compute stages one after the other in this process.

    Yields each with its seconds, and why it has no result; empty where it has one.
    """
    for call in calls:
        start = time.monotonic()
        held = execute(call)
        yield call, time.monotonic() - start, held


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
    compute
        Computes stages that do not depend on each other. None makes a dry run: nothing is computed
        or written, the records say what would be.
    records
        What became of each stage so far.
    held
        Key: why its files could not be read as they were; it is not in the store.
    """

    study: Study
    store: Store
    progress: Progress
    compute: Compute | None = None
    records: list[TaskRecord] = field(default_factory=list)
    held: dict[str, str] = field(default_factory=dict)

    def value(self, name: str, table: pd.DataFrame) -> str:
        """Key of a table of the study as an input of stages."""
        if self.compute is None:
            return value_key(name, table)
        return self.store.put_value(name, table)

    def call(
        self,
        stage: str,
        inputs: dict[str, str],
        *,
        library_id: str | None = None,
        files: LibraryFiles | ScreenFiles | None = None,
        look: FilesLook | None = None,
        allocation: Path | None = None,
        databases: tuple[tuple[str, Path], ...] = (),
    ) -> StageCall:
        """One stage with its inputs, ready to be looked up or run."""
        config = self.study.config
        code, versions = code_of(stage)
        recipe = Recipe(stage, library_id, inputs, settings_of(stage, config), code, versions)
        shown = visible_config(stage, config)
        return StageCall(recipe, shown, str(self.store.root), files, look, allocation, databases)

    def complete(self, what: str, calls: Sequence[StageCall]) -> None:
        """Have all these stages' results in the store; they must not depend on each other.

        A stage whose files could not be read as they were has none: it is among `held`.
        """
        looks = [self.store.look(call.recipe) for call in calls]
        needed = [
            call for call, look in zip(calls, looks, strict=True) if look.status == "recomputed"
        ]
        seconds = self._seconds(what, needed)
        self.records += [self._record(look, seconds.get(look.recipe.key, 0.0)) for look in looks]

    def _seconds(self, what: str, calls: Sequence[StageCall]) -> dict[str, float]:
        if self.compute is None or not calls:
            return {}
        self.progress.start(what, len(calls))
        seconds = {}
        for call, taken, held in self.compute(calls):
            seconds[call.recipe.key] = taken
            if held:
                self.held[call.recipe.key] = held
            self.progress.advance(call.title)
        return seconds

    def _record(self, look: Look, seconds: float) -> TaskRecord:
        recipe = look.recipe
        held = self.held.get(recipe.key)
        status, why = ("held", held) if held else (look.status, look.why)
        return TaskRecord(
            recipe.stage, recipe.library_id, recipe.key, status, why, round(seconds, 3)
        )
