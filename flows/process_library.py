"""One library: ingest -> receptors -> hashtags -> qc -> genes, dna barcodes, labels of a reference.

Where ambient RNA is taken off, that comes before its genes. It knows no other library.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hiaim_sc.study import cell_antigens, study_reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flows._run import StudyRun
    from flows._stage_calls import StageCall
    from hiaim_sc.study import LibraryFiles


@dataclass
class ProcessedLibraries:
    """The libraries' artefacts.

    Attributes
    ----------
    keys
        ``<stage>/<library_id>``: artefact key, of the libraries that go on.
    quarantined
        library_id: reason, of those that do not.
    """

    keys: dict[str, str] = field(default_factory=dict)
    quarantined: dict[str, str] = field(default_factory=dict)

    def inputs(self, *stages: str) -> dict[str, str]:
        """The artefacts of these stages, as a cohort stage's inputs."""
        return {name: key for name, key in self.keys.items() if name.split("/")[0] in stages}

    def counts(self) -> dict[str, str]:
        """Counts by which all cells are embedded, as inputs named ``ingest/<library_id>``.

        Those delivered, or where ambient RNA is taken off what is left of them.
        """
        left = {
            name.replace("corrected/", "ingest/", 1): key
            for name, key in self.inputs("corrected").items()
        }
        return {**self.inputs("ingest"), **left}

    def libraries(self) -> tuple[str, ...]:
        """The libraries that go on."""
        return tuple(sorted(n.split("/")[1] for n in self.keys if n.startswith("ingest/")))


def process_libraries(run: StudyRun) -> ProcessedLibraries:
    """Process every delivered library; one with unusable files is quarantined, the others go on."""
    processed = ProcessedLibraries(quarantined=dict(run.study.not_processable()))
    files = [
        run.study.library_files(name)
        for name in run.study.delivered_libraries()
        if name not in processed.quarantined
    ]
    ingests = {entry.library_id: _ingest_call(run, entry) for entry in files}
    run.complete("reading libraries", list(ingests.values()))
    faults = {name: _fault(run, call) for name, call in ingests.items()}
    processed.quarantined |= {name: fault["reason"] for name, fault in faults.items() if fault}
    readable = [entry for entry in files if not faults[entry.library_id]]
    processed.quarantined |= _odd_annotations(
        run, {e.library_id: ingests[e.library_id] for e in readable}
    )
    good = [entry for entry in readable if entry.library_id not in processed.quarantined]
    keys = processed.keys
    keys |= {f"ingest/{entry.library_id}": ingests[entry.library_id].recipe.key for entry in good}
    _stage(run, processed, "receptors", [e for e in good if e.vdj], "receptors", ("ingest",))
    with_gex = [e for e in good if e.gex]
    pooled = [e for e in with_gex if run.study.hashtags_of(e.library_id) is not None]
    _stage(run, processed, "cell_samples", pooled, "hashtags", ("ingest", "receptors"))
    _stage(run, processed, "qc", with_gex, "cell QC", ("ingest", "receptors", "cell_samples"))
    if run.study.config.options.ambient.correct:
        _stage(run, processed, "corrected", with_gex, "ambient RNA", ("ingest", "qc"))
    _stage(run, processed, "genes", with_gex, "gene statistics", ("ingest", "qc"))
    with_dna = [e for e in good if e.dna_barcodes]
    _stage(run, processed, "specificity", with_dna, "antigen specificity", ("ingest", "receptors"))
    if (model := study_reference(run.study)) is not None:
        names = ("model_genes", "model_labels")
        known = {n: run.value(n, t) for n, t in zip(names, model.to_tables(), strict=True)}
        what = "labels of the reference"
        _stage(run, processed, "reference_cells", with_gex, what, ("ingest", "qc"), known)
    return processed


def _ingest_call(run: StudyRun, files: LibraryFiles) -> StageCall:
    columns = ("gex", "gex_raw", "vdj", "dna_barcodes")
    paths = {name: getattr(files, name) for name in columns}
    digest = run.store.digests.of
    inputs = {name: digest(path) for name, path in paths.items() if path is not None}
    if files.dna_barcodes is not None and cell_antigens(run.study) is not None:
        inputs["antigens"] = run.value("antigens", cell_antigens(run.study))
    inputs |= _hashtag_input(run, files.library_id)
    let_in = run.study.let_in.get(files.library_id)
    if let_in is not None and let_in.gate:
        inputs["let_in"] = let_in.gate
    return run.call("ingest", inputs, library_id=files.library_id, files=files)


def _hashtag_input(run: StudyRun, library_id: str) -> dict[str, str]:
    """The hashtags of a pooled library; nothing for any other."""
    hashtags = run.study.hashtags_of(library_id)
    return {} if hashtags is None else {"hashtags": run.value("hashtags", hashtags)}


def reader_fault(run: StudyRun, library_id: str) -> dict[str, str] | None:
    """What the reader found wrong with a library's files as they are; None where it has not.

    Returns
    -------
    The fault's ``reason``, and the ``gate`` that a person may open.
    """
    study = run.study
    if library_id not in study.delivered_libraries() or library_id in study.not_processable():
        return None
    return _fault(run, _ingest_call(run, study.library_files(library_id)))


def _fault(run: StudyRun, call: StageCall) -> dict[str, str] | None:
    key = call.recipe.key
    artefact = run.store.find(key)
    if artefact is None or "fault" not in artefact or run.store.damage(key):
        return None  # a dry run takes a library that it cannot judge for good
    return artefact.read("fault")


def _odd_annotations(run: StudyRun, ingests: dict[str, StageCall]) -> dict[str, str]:
    """Libraries whose genes are of another annotation than those of most, and why."""
    from hiaim_sc.ingest import find_odd_libraries

    found = {
        name: artefact
        for name, call in ingests.items()
        if (artefact := run.store.find(call.recipe.key)) is not None
        and not run.store.damage(call.recipe.key)
    }
    reports = {name: artefact.read("report") for name, artefact in found.items()}
    return find_odd_libraries(reports, lambda name: found[name].read("counts").var_names)


def _stage(
    run: StudyRun,
    processed: ProcessedLibraries,
    stage: str,
    files: Sequence[LibraryFiles],
    what: str,
    needs: tuple[str, ...],
    known: dict[str, str] | None = None,
) -> None:
    calls = []
    made = {**processed.keys, **(processed.counts() if stage == "genes" else {})}
    for entry in files:
        inputs = {
            need: made[f"{need}/{entry.library_id}"]
            for need in needs
            if f"{need}/{entry.library_id}" in made
        }
        inputs |= known or {}
        if stage == "specificity" and cell_antigens(run.study) is not None:
            inputs["antigens"] = run.value("antigens", cell_antigens(run.study))
        if stage == "cell_samples":
            inputs |= _hashtag_input(run, entry.library_id)
        calls.append(run.call(stage, inputs, library_id=entry.library_id))
    run.complete(what, calls)
    for call in calls:
        processed.keys[f"{stage}/{call.recipe.library_id}"] = call.recipe.key
