"""Calls of stages: the key of one, what its step may see, and how it is run."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows import _inputs
from flows._inputs import Inputs
from flows._memory import give_back_memory, part_large_blocks
from flows._stages import STAGES
from hiaim_sc.config import StudyConfig
from hiaim_sc.errors import (
    LibraryFaultError,
    can_recover,
    describe_unreadable,
    find_system_error,
)
from hiaim_sc.storage import Recipe, Store, digest_file, fingerprint_code
from hiaim_sc.storage.digests import digest_value
from hiaim_sc.study.arrivals import look_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hiaim_sc.storage import Payload
    from hiaim_sc.study import LibraryFiles, ScreenFiles
    from hiaim_sc.study.arrivals import Look

# What reading the inputs runs, in every stage.
_READING = ("hiaim_sc.storage", "hiaim_sc.study.pooling")
_CHANGED = "its files changed while they were read; the next run takes them as they are then"


@dataclass(frozen=True)
class StageCall:
    """One stage to be run for one library or for the cohort: small, and free of data.

    Attributes
    ----------
    recipe
        What the result is made from; its key names the result.
    config
        The settings the stage sees, as plain values.
    store
        Root of the store.
    files
        The library's files, for ingest, or a bulk screen's, for the counting of its reads.
    look
        What they looked like before the digests of the recipe were taken.
    allocation
        The allocation, for an unblinded comparison only.
    databases
        Digest and path of each database of receptors, for the stage that reads them only.
    """

    recipe: Recipe
    config: dict[str, Any]
    store: str
    files: LibraryFiles | ScreenFiles | None = None
    look: Look | None = None
    allocation: Path | None = None
    databases: tuple[tuple[str, Path], ...] = ()

    @property
    def title(self) -> str:
        """Stage and library, as people read it."""
        owner = self.recipe.library_id
        return self.recipe.stage if owner is None else f"{self.recipe.stage} {owner}"


def execute(call: StageCall) -> str:
    """Run one stage and store its result.

    A stage whose worker was lost after it had stored its result is handed out once more; what is
    stored is not computed again.

    Returns
    -------
    Why nothing was stored: the recipe names digests of files, and these could not be read or were
    others when they were. Empty where there is a result.
    """
    part_large_blocks()
    store = Store(Path(call.store))
    if store.find(call.recipe.key) is not None and store.damage(call.recipe.key) is None:
        return ""
    inputs = Inputs(
        store=store,
        stage=call.recipe.stage,
        library_id=call.recipe.library_id,
        keys=call.recipe.inputs,
        config=StudyConfig.model_validate(call.config),
        files=call.files,
        allocation=call.allocation,
        databases=call.databases,
    )
    results, held = _run_step(call, inputs)
    if not held:
        store.put(call.recipe, results)
    give_back_memory()
    return held


def _run_step(call: StageCall, inputs: Inputs) -> tuple[Mapping[str, Payload], str]:
    """Results of a stage, or why it has none."""
    step = STAGES[call.recipe.stage].step
    if call.files is None:
        return step(inputs), ""
    before = look_at(call.files.named)
    try:
        results = step(inputs)
        has_moved = look_at(call.files.named) != before
        is_other = has_moved or (before != call.look and not _have_digests(call))
    except (OSError, LibraryFaultError) as error:
        failure = find_system_error(error)
        if failure is None or can_recover(error):
            raise
        return {}, describe_unreadable(failure)
    return results, _CHANGED if is_other else ""


def _have_digests(call: StageCall) -> bool:
    """Whether the files are those of the recipe, though they looked otherwise a moment ago."""
    named = call.files.named.items() if call.files else ()
    return all(digest_file(path) == call.recipe.inputs[name] for name, path in named)


def settings_of(stage: str, config: StudyConfig) -> dict[str, Any]:
    """The settings a stage depends on, by dotted key, defaults included."""
    values = config.model_dump(mode="json")
    return {key: _get(values, key) for key in STAGES[stage].settings}


def visible_config(stage: str, config: StudyConfig) -> dict[str, Any]:
    """The study's configuration with everything that the stage does not name left at its default.

    The design has no defaults, so it stays; a stage that reads it names it.
    """
    values = config.model_dump(mode="json")
    shown: dict[str, Any] = {"study": "hidden", "design": values["design"]}
    for key in STAGES[stage].settings:
        _set(shown, key, _get(values, key))
    return shown


@cache
def code_of(stage: str) -> tuple[str, dict[str, str]]:
    """Digest of the source a stage runs, and the versions of the libraries it uses."""
    found = fingerprint_code(*_READING, *STAGES[stage].packages)
    sources = [inspect.getsource(_inputs), inspect.getsource(STAGES[stage].step)]
    return digest_value([found.source, *sources]), found.versions


def _get(values: dict[str, Any], key: str) -> Any:
    found: Any = values
    for part in key.split("."):
        found = found[part]
    return found


def _set(values: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    for part in path:
        values = values.setdefault(part, {})
    values[last] = value
