"""The release: tables, figures, report, exports, manifest; its folder appears when it is whole."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import yaml

from flows._stages import STAGES, code_of
from hiaim_sc import __version__
from hiaim_sc.report import ReleaseFacts, ReleaseSource, write_release
from hiaim_sc.storage import digest_file, digest_value

if TYPE_CHECKING:
    from pathlib import Path

    from flows._run import StudyRun
    from flows.process_library import ProcessedLibraries

_LATEST = "latest"


def publish_release(
    run: StudyRun,
    libraries: ProcessedLibraries,
    keys: dict[str, str],
    *,
    results: Path,
    started: datetime,
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

    Returns
    -------
    The release's folder, ``<UTC time>-<digest>``.
    """
    release_id = f"{started:%Y%m%dT%H%M%SZ}-{digest_value([keys, libraries.keys])[:8]}"
    manifest = _manifest(run, libraries, keys, release_id=release_id, started=started)
    results.mkdir(parents=True, exist_ok=True)
    work = results / f".{release_id}.{os.getpid()}"
    work.mkdir()
    try:
        write_release(work, _source(run, libraries, keys, results), _facts(run, manifest))
        manifest["seconds"] = round((datetime.now(UTC) - started).total_seconds(), 1)
        text = json.dumps(manifest, indent=1, ensure_ascii=False)
        (work / "manifest.json").write_text(text, encoding="utf-8")
        folder = _free_name(results / release_id)
        work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _point_latest(results, folder)
    return folder


def _free_name(folder: Path) -> Path:
    """The folder, or a numbered one beside it when two runs of one second make the same release."""
    candidate, number = folder, 1
    while candidate.exists():
        number += 1
        candidate = folder.with_name(f"{folder.name}.{number}")
    return candidate


def _point_latest(results: Path, folder: Path) -> None:
    link = results / f".{_LATEST}.{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(folder.name)
    link.replace(results / _LATEST)


def _source(
    run: StudyRun, libraries: ProcessedLibraries, keys: dict[str, str], results: Path
) -> ReleaseSource:
    by_stage: dict[str, dict[str, Any]] = {}
    for name, key in libraries.keys.items():
        stage, library_id = name.split("/")
        by_stage.setdefault(stage, {})[library_id] = run.store.get(key)
    cohort = {stage: run.store.get(key) for stage, key in keys.items()}
    return ReleaseSource(cohort, by_stage, _previous_clones(run, results))


def _previous_clones(run: StudyRun, results: Path) -> Any:
    """Clones of the last release, where the store still has them."""
    manifest = results / _LATEST / "manifest.json"
    if not manifest.is_file():
        return None
    key = json.loads(manifest.read_text(encoding="utf-8"))["artefacts"].get("clones", "")
    artefact = run.store.find(key)
    return None if artefact is None else artefact.read("clone_cells")


def _manifest(
    run: StudyRun,
    libraries: ProcessedLibraries,
    keys: dict[str, str],
    *,
    release_id: str,
    started: datetime,
) -> dict[str, Any]:
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
        "inputs": _inputs(run, blinded=blinded),
        "config": config,
        "plan_hash": digest_value(config["analysis_plan"]),
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
        "artefacts": {**keys, **libraries.keys},
        "tasks": [asdict(record) for record in run.records],
    }


def _inputs(run: StudyRun, *, blinded: bool) -> dict[str, str]:
    """Digest of every input file, by its path in the study folder where it lies there.

    A blinded run leaves the allocation closed, and out: a digest of few labels can be guessed.
    """
    folder = run.study.folder
    sealed = run.study.allocation_file() if blinded else None
    files = sorted(path for path in folder.glob("*") if path.suffix in {".tsv", ".yaml"})
    files = [path for path in files if path != sealed]
    for name in run.study.delivered_libraries():
        entry = run.study.library_files(name)
        files += [path for path in (entry.gex, entry.vdj, entry.dna_barcodes) if path]
    shown = {}
    for path in dict.fromkeys(files):
        inside = path.is_relative_to(folder)
        shown[str(path.relative_to(folder)) if inside else str(path)] = digest_file(path)
    return shown


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
        facts={
            "hiaim-sc": __version__,
            "analysis plan": manifest["plan_hash"],
            "stages computed": str(n_computed),
            "stages reused": str(len(manifest["tasks"]) - n_computed),
        },
        versions=manifest["versions"],
        config_text=yaml.safe_dump(manifest["config"], sort_keys=False, allow_unicode=True),
    )
