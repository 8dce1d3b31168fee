"""Bulk DNA-barcode screens: reads -> counts -> responses, each by itself; then all together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hiaim_sc.errors import describe_unreadable
from hiaim_sc.study import held_screens, list_screens, screen_files, screen_tags
from hiaim_sc.study.arrivals import look_at

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from flows._run import StudyRun
    from flows._stage_calls import StageCall


def process_screens(run: StudyRun) -> dict[str, str]:
    """Process every bulk screen; one with unusable files is quarantined, the others go on.

    Returns
    -------
    Stage, or ``<stage>/<screen_id>``: artefact key. Nothing without a screen.
    """
    study = run.study
    screens, tags = list_screens(study), screen_tags(study)
    if not screens and not study.held_screens:
        return {}
    counted, held = _count(run, screens)
    called = {}
    for name in counted:
        if not _is_faulty(run, counted[name]):
            inputs = {
                "screen_counts": counted[name].recipe.key,
                "tags": run.value("tags", _own(tags, name)),
            }
            if study.antigens is not None:
                inputs["antigens"] = run.value("antigens", study.antigens)
            called[name] = run.call("screen_responses", inputs, library_id=name)
    run.complete("responses of bulk screens", list(called.values()))
    keys = {f"screen_counts/{name}": call.recipe.key for name, call in counted.items()}
    keys |= {f"screen_responses/{name}": call.recipe.key for name, call in called.items()}
    pooled = run.call("bulk", {**keys, "tags": run.value("tags", tags), **_held(run, held)})
    run.complete("bulk screens together", [pooled])
    return {**keys, "bulk": pooled.recipe.key}


def _count(run: StudyRun, screens: Iterable[str]) -> tuple[dict[str, StageCall], dict[str, str]]:
    """Counting of each screen whose files were read, and why the others' were not."""
    counted, held = {}, {}
    for name in screens:
        try:
            counted[name] = _count_call(run, name)
        except OSError as error:
            held[name] = describe_unreadable(error)
    run.complete("reads of bulk screens", list(counted.values()))
    held |= {n: run.held[c.recipe.key] for n, c in counted.items() if c.recipe.key in run.held}
    return {name: call for name, call in counted.items() if name not in held}, held


def _held(run: StudyRun, unread: dict[str, str]) -> dict[str, str]:
    """The screens that are kept out, where there are any."""
    study = replace(run.study, held_screens={**run.study.held_screens, **unread})
    held = held_screens(study)
    return {} if held.empty else {"held": run.value("held", held)}


def _own(tags: pd.DataFrame, screen_id: str) -> pd.DataFrame:
    return tags[tags["screen_id"] == screen_id].reset_index(drop=True)


def _count_call(run: StudyRun, screen_id: str) -> StageCall:
    files = screen_files(run.study, screen_id)
    look = look_at(files.named)
    digests = {name: run.store.digests.of(path) for name, path in files.named.items()}
    return run.call("screen_counts", digests, library_id=screen_id, files=files, look=look)


def _is_faulty(run: StudyRun, call: StageCall) -> bool:
    """Whether the screen is quarantined; a dry run takes one that it cannot judge for good."""
    artefact = run.store.find(call.recipe.key)
    return artefact is not None and "fault" in artefact and not run.store.damage(call.recipe.key)
