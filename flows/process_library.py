"""One library: ingest -> receptors -> hashtags -> qc -> genes, dna barcodes, labels of a reference.

Where ambient RNA is taken off, that comes before its genes. It knows no other library.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hiaim_sc.errors import describe_unreadable
from hiaim_sc.study import cell_antigens, study_reference
from hiaim_sc.study.arrivals import look_at

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
    good = _read_libraries(run, processed)
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


def _read_libraries(run: StudyRun, processed: ProcessedLibraries) -> list[LibraryFiles]:
    """Files of the libraries that go on; what becomes of each is in `processed`."""
    waiting = [n for n in run.study.delivered_libraries() if n not in processed.quarantined]
    files = {name: run.study.library_files(name) for name in waiting}
    ingests = {}
    for name, entry in files.items():
        try:
            ingests[name] = _ingest_call(run, entry)
        except OSError as error:
            processed.quarantined[name] = describe_unreadable(error)
    run.complete("reading libraries", list(ingests.values()))
    for name, call in ingests.items():
        if call.recipe.key in run.held:
            processed.quarantined[name] = run.held[call.recipe.key]
        elif fault := _fault(run, call):
            processed.quarantined[name] = fault["reason"]
    readable = {n: call for n, call in ingests.items() if n not in processed.quarantined}
    processed.quarantined |= _odd_annotations(run, readable)
    good = [name for name in readable if name not in processed.quarantined]
    processed.keys |= {f"ingest/{name}": ingests[name].recipe.key for name in good}
    return [files[name] for name in good]


def _ingest_call(run: StudyRun, files: LibraryFiles) -> StageCall:
    look = look_at(files.named)
    inputs = {name: run.store.digests.of(path) for name, path in files.named.items()}
    if files.dna_barcodes is not None and cell_antigens(run.study) is not None:
        inputs["antigens"] = run.value("antigens", cell_antigens(run.study))
    inputs |= _hashtag_input(run, files.library_id)
    let_in = run.study.let_in.get(files.library_id)
    if let_in is not None and let_in.gate:
        inputs["let_in"] = let_in.gate
    return run.call("ingest", inputs, library_id=files.library_id, files=files, look=look)


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
    try:
        return _fault(run, _ingest_call(run, study.library_files(library_id)))
    except OSError as error:
        return {"reason": describe_unreadable(error), "gate": ""}


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
