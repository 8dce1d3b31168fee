"""Whether a run would make anything that no release has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from flows._order import run_stages
from flows._progress import NoProgress
from flows._releases import releases_in
from flows._run import StudyRun

if TYPE_CHECKING:
    from pathlib import Path

    from flows._opening import Opening
    from hiaim_sc.storage import Store
    from hiaim_sc.study import Study


def release_as_it_would_be(
    study: Study, store: Store, results: Path, opening: Opening
) -> Path | None:
    """The last release, where a run would end with exactly the artefacts it is made of; else None.

    The last one of the same kind: blinded or not, under the same frozen plan or none. An earlier
    one does not count: what it was made of may be there again, and the last one tells otherwise.
    None also while any artefact would have to be computed: then nobody can know.
    """
    run = StudyRun(study, store, NoProgress())
    libraries, keys = run_stages(run, blinded=opening.blinded, prespecified=opening.prespecified)
    if any(record.status == "recomputed" for record in run.records):
        return None
    kind = (opening.blinded or study.allocation_file() is None, opening.plan_record)
    for release in reversed(releases_in(results)):
        manifest = json.loads((release / "manifest.json").read_text(encoding="utf-8"))
        if (manifest["blinded"], manifest["frozen_plan"]) == kind:
            return release if manifest["artefacts"] == {**keys, **libraries.keys} else None
    return None
