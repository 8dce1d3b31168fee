"""The manifest of a release."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from flows._input_files import digest_inputs
from flows._stage_calls import code_of
from flows._stages import STAGES
from hiaim_sc import __version__
from hiaim_sc.study import hash_plan, plan_of

if TYPE_CHECKING:
    from datetime import datetime

    from flows._opening import Opening
    from flows._run import StudyRun
    from flows.process_library import ProcessedLibraries


def build_manifest(
    run: StudyRun,
    libraries: ProcessedLibraries,
    keys: dict[str, str],
    *,
    release_id: str,
    started: datetime,
    opening: Opening,
) -> dict[str, Any]:
    """What a release was made from, by which code, and what was reused.

    Parameters
    ----------
    run
        The run whose stages are all in the store.
    libraries, keys
        The artefacts by name.
    release_id, started
        Of the release.
    opening
        Under which plan the arms were opened.
    """
    config = run.study.config.model_dump(mode="json")
    comparison = json.loads(
        (run.store.folder(keys["comparisons"]) / "artefact.json").read_text(encoding="utf-8")
    )
    blinded = comparison["recipe"]["inputs"]["allocation"] == "blinded"
    versions: dict[str, str] = {}
    for stage in STAGES:
        versions |= code_of(stage)[1]
    return {
        "release_id": release_id,
        "study": run.study.config.study,
        "started": started.isoformat(timespec="seconds"),
        "blinded": blinded,
        "inputs": digest_inputs(run.study, run.store.digests.of, with_arms=not blinded),
        "config": config,
        "plan_hash": hash_plan(plan_of(run.study)),
        "frozen_plan": opening.plan_record,
        "code": {
            "hiaim_sc": __version__,
            "stages": {stage: code_of(stage)[0] for stage in STAGES},
        },
        "versions": dict(sorted(versions.items())),
        "seeds": {
            "integrate": config["options"]["integrate"]["seed"],
            "compare": config["options"]["compare"]["seed"],
        },
        "quarantined": dict(sorted(libraries.quarantined.items())),
        "let_in": {name: found.words for name, found in sorted(run.study.let_in.items())},
        "artefacts": {**keys, **libraries.keys},
        "tasks": [asdict(record) for record in run.records],
    }
