"""Bulk DNA-barcode screens: reads -> counts -> responses, each by itself; then all together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hiaim_sc.study import held_screens, list_screens, screen_files, screen_tags

if TYPE_CHECKING:
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
    counted = {name: _count_call(run, name) for name in screens}
    run.complete("reads of bulk screens", list(counted.values()))
    called = {}
    for name in screens:
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
    pooled = run.call("bulk", {**keys, "tags": run.value("tags", tags), **_held(run)})
    run.complete("bulk screens together", [pooled])
    return {**keys, "bulk": pooled.recipe.key}


def _held(run: StudyRun) -> dict[str, str]:
    """The screens that are kept out, where there are any."""
    held = held_screens(run.study)
    return {} if held.empty else {"held": run.value("held", held)}


def _own(tags: pd.DataFrame, screen_id: str) -> pd.DataFrame:
    return tags[tags["screen_id"] == screen_id].reset_index(drop=True)


def _count_call(run: StudyRun, screen_id: str) -> StageCall:
    files = screen_files(run.study, screen_id)
    paths = {
        **{f"reads_{i}": path for i, path in enumerate(files.reads, start=1)},
        "layout": files.layout,
        "sample_tags": files.sample_tags,
        "tags_a": files.tags_a,
        "tags_b": files.tags_b,
    }
    digests = {name: run.store.digests.of(path) for name, path in paths.items()}
    return run.call("screen_counts", digests, library_id=screen_id, files=files)


def _is_faulty(run: StudyRun, call: StageCall) -> bool:
    """Whether the screen is quarantined; a dry run takes one that it cannot judge for good."""
    artefact = run.store.find(call.recipe.key)
    return artefact is not None and "fault" in artefact and not run.store.damage(call.recipe.key)
