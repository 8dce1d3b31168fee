"""The release: tables, figures, report, exports, manifest; its folder appears when it is whole."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import yaml

from flows._manifest import build_manifest
from flows._releases import LATEST, point_latest
from hiaim_sc import __version__
from hiaim_sc.compare import list_gates
from hiaim_sc.report import ReleaseFacts, ReleaseSource, list_deviations, write_release
from hiaim_sc.storage import digest_value, read_payload

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from flows._opening import Opening
    from flows._run import StudyRun
    from flows.process_library import ProcessedLibraries
    from hiaim_sc.config import Estimand


def publish_release(
    run: StudyRun,
    libraries: ProcessedLibraries,
    keys: dict[str, str],
    *,
    results: Path,
    started: datetime,
    opening: Opening,
) -> Path:
    """Write a complete release and point ``latest`` at it.

    Parameters
    ----------
    run
        The run whose stages are all in the store.
    libraries
        The libraries' artefacts.
    keys
        Artefact key of each stage of the cohort and the comparison.
    results
        Folder of the study's releases.
    started
        When the run began.
    opening
        Under which plan the arms were opened.

    Returns
    -------
    The release's folder, ``<UTC time>-<digest>``.
    """
    release_id = f"{started:%Y%m%dT%H%M%SZ}-{digest_value([keys, libraries.keys])[:8]}"
    manifest = build_manifest(
        run, libraries, keys, release_id=release_id, started=started, opening=opening
    )
    deviations = list_deviations(
        opening.changes,
        hashes=(opening.frozen.plan_hash if opening.frozen else "", manifest["plan_hash"]),
        reason=opening.deviation,
        when=manifest["started"],
        earlier=_earlier_deviations(results),
    )
    results.mkdir(parents=True, exist_ok=True)
    work = results / f".{release_id}.{os.getpid()}"
    work.mkdir()
    try:
        source = _source(run, libraries, keys, results, deviations)
        write_release(work, source, _facts(run, manifest))
        manifest["seconds"] = round((datetime.now(UTC) - started).total_seconds(), 1)
        text = json.dumps(manifest, indent=1, ensure_ascii=False)
        (work / "manifest.json").write_text(text, encoding="utf-8")
        folder = _free_name(results / release_id)
        work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    point_latest(results, folder)
    return folder


def _free_name(folder: Path) -> Path:
    """The folder, or a numbered one beside it when two runs of one second make the same release."""
    candidate, number = folder, 1
    while candidate.exists():
        number += 1
        candidate = folder.with_name(f"{folder.name}.{number}")
    return candidate


def _source(
    run: StudyRun,
    libraries: ProcessedLibraries,
    keys: dict[str, str],
    results: Path,
    deviations: pd.DataFrame,
) -> ReleaseSource:
    by_stage: dict[str, dict[str, Any]] = {}
    for name, key in libraries.keys.items():
        stage, library_id = name.split("/")
        by_stage.setdefault(stage, {})[library_id] = run.store.get(key)
    cohort = {stage: run.store.get(key) for stage, key in keys.items()}
    return ReleaseSource(cohort, by_stage, deviations, _previous_cells(results))


def _previous_cells(results: Path) -> Any:
    """Cells of the last release with their clones, as it says itself, where there is one."""
    path = results / LATEST / "tables" / "cells.parquet"
    return read_payload(path) if path.is_file() else None


def _earlier_deviations(results: Path) -> Any:
    """The deviations so far: the last release's, also where a purge has left nothing else of it."""
    paths = sorted(results.glob("[0-9]*/tables/deviations.parquet"))
    return read_payload(paths[-1]) if paths else None


def _facts(run: StudyRun, manifest: dict[str, Any]) -> ReleaseFacts:
    design = run.study.config.design
    n_computed = sum(task["status"] == "recomputed" for task in manifest["tasks"])
    layout = run.study.layout()
    return ReleaseFacts(
        study=manifest["study"],
        release_id=manifest["release_id"],
        made_on=manifest["started"],
        blinded=manifest["blinded"],
        tissues=design.tissues,
        visits=tuple(design.visits),
        batches=dict(zip(layout["library_id"], layout["batch"], strict=True)),
        gates=list_gates(run.study.config.analysis_plan),
        facts={
            "hiaim-sc": __version__,
            "analysis plan": _plan_words(manifest),
            "stages computed": str(n_computed),
            "stages reused": str(len(manifest["tasks"]) - n_computed),
            **_describe_estimand(run.study.config.analysis_plan.estimand),
        },
        versions=manifest["versions"],
        config_text=yaml.safe_dump(manifest["config"], sort_keys=False, allow_unicode=True),
    )


def _describe_estimand(estimand: Estimand) -> dict[str, str]:
    return {
        f"estimand, {name.replace('_', ' ')}": text for name, text in estimand.model_dump().items()
    }


def _plan_words(manifest: dict[str, Any]) -> str:
    frozen = manifest["frozen_plan"]
    if frozen is None:
        return f"{manifest['plan_hash']} (exploratory: not opened under a frozen plan)"
    changed = "" if frozen["plan_hash"] == manifest["plan_hash"] else "; changed since, see above"
    return f"{frozen['plan_hash']}, frozen {frozen['frozen_at']}{changed}"
