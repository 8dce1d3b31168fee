"""Whether a run would make anything that no release has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from flows._order import run_stages
from flows._progress import NoProgress
from flows._run import StudyRun

if TYPE_CHECKING:
    from pathlib import Path

    from hiaim_sc.storage import Store
    from hiaim_sc.study import Study


def release_as_it_would_be(
    study: Study, store: Store, results: Path, *, blinded: bool, prespecified: bool
) -> Path | None:
    """The newest release made of exactly the artefacts that a run would end with; None without one.

    None also while any of them would have to be computed: then nobody can know.
    """
    run = StudyRun(study, store, NoProgress())
    libraries, keys = run_stages(run, blinded=blinded, prespecified=prespecified)
    if any(record.status == "recomputed" for record in run.records):
        return None
    wanted = {**keys, **libraries.keys}
    for path in sorted(results.glob("[0-9]*/manifest.json"), reverse=True):
        if json.loads(path.read_text(encoding="utf-8"))["artefacts"] == wanted:
            return path.parent
    return None
