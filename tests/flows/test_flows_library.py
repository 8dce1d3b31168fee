"""A library's fault is remembered; a damaged memory of it is no reason to stop."""

from __future__ import annotations

import errno
import shutil

import h5py
import pytest

import hiaim_sc.ingest
from flows._progress import NoProgress
from flows._run import StudyRun, compute_here
from flows._status import library_states
from flows.process_library import process_libraries
from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.storage import Store
from hiaim_sc.study import read_study


@pytest.fixture(scope="module")
def simulated(simulate):
    return simulate(n_patients=2, cells_per_library=60, seed=2) / "study"


@pytest.mark.parametrize("victim", ["artefact.json", "fault.json"])
def test_status_of_a_study_whose_stored_fault_is_damaged(simulated, tmp_path, victim):
    study = tmp_path / "study"
    shutil.copytree(simulated, study)
    lines = (study / "libraries.tsv").read_text().splitlines(keepends=True)
    (study / "libraries.tsv").write_text("".join(lines[:2]))
    for path in (study / "libraries").glob("*/*.h5"):
        path.write_bytes(b"not HDF5")
    store = Store(tmp_path / "store")
    run = StudyRun(read_study(study), store, NoProgress(), compute_here)
    assert len(process_libraries(run).quarantined) == 1
    assert library_states(read_study(study), store)[0].state == "quarantined"
    (store.folder(run.records[0].key) / victim).write_text("{")
    assert library_states(read_study(study), store)[0].state == "arrived"


def test_a_library_of_symbols_among_ensembl_ids_is_quarantined(simulated, tmp_path):
    study = tmp_path / "study"
    shutil.copytree(simulated, study)
    with h5py.File(study / "libraries/L002/filtered_feature_bc_matrix.h5", "r+") as file:
        features = file["matrix/features"]
        names = features["name"][:]
        del features["id"]
        features["id"] = names
    run = StudyRun(read_study(study), Store(tmp_path / "store"), NoProgress(), compute_here)
    processed = process_libraries(run)
    assert set(processed.quarantined) == {"L002"}
    assert processed.quarantined["L002"].startswith("only 0 of its 2,000 genes are among")
    assert processed.libraries() == tuple(
        name for name in read_study(study).delivered_libraries() if name != "L002"
    )
    assert not any(name.endswith("/L002") for name in processed.keys)


def test_libraries_of_ten_cells_go_all_the_way(simulate, tmp_path):
    study = read_study(simulate(n_patients=2, cells_per_library=10, cells_spread=0.0) / "study")
    store = Store(tmp_path / "store")
    processed = process_libraries(StudyRun(study, store, NoProgress(), compute_here))
    assert processed.libraries() == tuple(sorted(study.delivered_libraries()))
    for name in processed.libraries():
        cells = store.get(processed.keys[f"qc/{name}"]).read("cell_qc")
        limits = store.get(processed.keys[f"qc/{name}"]).read("limits")
        assert len(cells) == 10
        assert cells["scrublet_score"].isna().all()
        assert limits["total_counts"]["rule"] == "fixed"
        assert limits["ambient"]["fraction"] is None
        assert limits["ambient"]["reason"]
        assert len(store.get(processed.keys[f"genes/{name}"]).read("gene_stats")) == 2000


def test_empty_droplets_of_an_unfiltered_matrix_reach_the_estimate(simulate, tmp_path):
    study = read_study(simulate(n_patients=2, cells_per_library=150, empty_droplets=3000) / "study")
    store = Store(tmp_path / "store")
    processed = process_libraries(StudyRun(study, store, NoProgress(), compute_here))
    for name in processed.libraries():
        assert store.get(processed.keys[f"ingest/{name}"]).read("report")["n_empty_droplets"] > 2000
        ambient = store.get(processed.keys[f"qc/{name}"]).read("limits")["ambient"]
        assert ambient["method"] == "empty_droplets"


def test_ambient_rna_is_taken_off_the_counts_of_later_stages(simulate, tmp_path):
    share = {"blood": 0.2, "tumor": 0.2}
    folder = simulate(
        n_patients=2,
        visits={"baseline": 0},
        tissues=["blood"],
        cells_per_library=200,
        empty_droplets=3000,
        ambient_mean=share,
    )
    config = folder / "study" / "study.yaml"
    store = Store(tmp_path / "store")
    delivered = process_libraries(
        StudyRun(read_study(folder / "study"), store, NoProgress(), compute_here)
    )
    assert delivered.counts() == delivered.inputs("ingest")
    config.write_text(
        config.read_text().replace("options: {}", "options: {ambient: {correct: true}}")
    )
    run = StudyRun(read_study(folder / "study"), store, NoProgress(), compute_here)
    corrected = process_libraries(run)
    unchanged = ("ingest", "qc", "receptors")
    assert corrected.inputs(*unchanged) == delivered.inputs(*unchanged)
    assert {r.name for r in run.records if r.status == "recomputed"} == {"corrected", "genes"}
    for name, key in corrected.counts().items():
        library = name.removeprefix("ingest/")
        found, ingested = store.get(key), store.get(corrected.keys[name])
        cells = store.get(corrected.keys[f"qc/{library}"]).read("cell_qc").query("qc_pass")
        counts = found.read("counts")
        assert list(counts.obs_names) == sorted(cells["cell_barcode"])
        raw = ingested.read("counts")[counts.obs_names]
        assert (counts.X > raw.X).nnz == 0
        limits = store.get(corrected.keys[f"qc/{library}"]).read("limits")
        assert found.read("correction")["reason"] == ""
        removed = 1 - counts.X.sum() / raw.X.sum()
        assert removed == pytest.approx(limits["ambient"]["fraction"], abs=0.01)
        stats = store.get(corrected.keys[f"genes/{library}"]).read("gene_stats")
        assert stats["sum"].sum() == counts.X.sum()


def test_each_sample_of_a_pool_has_its_sex_genes_counted(simulate, tmp_path):
    study = read_study(
        simulate(n_patients=4, cells_per_library=100, samples_per_pool=2, n_batches=1) / "study"
    )
    store = Store(tmp_path / "store")
    processed = process_libraries(StudyRun(study, store, NoProgress(), compute_here))
    sex = study.participants.set_index("patient_id")["sex"]
    patient = study.samples.set_index("sample_id")["patient_id"]
    for name in processed.libraries():
        table = store.get(processed.keys[f"qc/{name}"]).read("sex_counts").set_index("sample_id")
        assert len(table) == 2
        share = table["female"] / (table["female"] + table["male"])
        is_female = table.index.map(patient).map(sex).str[0].str.upper() == "F"
        assert share[is_female].gt(0.8).all()
        assert share[~is_female].lt(0.2).all()


def process(study, store, compute=compute_here):
    run = StudyRun(study, store, NoProgress(), compute)
    return run, process_libraries(run)


def swap(first, second):
    shutil.copy(second, first)


def remove(first, _second):
    first.unlink()


@pytest.mark.parametrize(
    ("change", "reason"), [(swap, "changed while they were read"), (remove, "copy it back")]
)
def test_files_that_change_after_their_digests_were_taken_leave_nothing_behind(
    simulated, tmp_path, change, reason
):
    shutil.copytree(simulated, tmp_path / "study")
    study, store = read_study(tmp_path / "study"), Store(tmp_path / "store")
    first, second = (study.library_files(name).gex for name in ("L001", "L002"))
    whole = first.read_bytes()

    def compute(calls):
        if calls[0].recipe.stage == "ingest":
            change(first, second)
        yield from compute_here(calls)

    run, processed = process(study, store, compute)
    assert set(processed.quarantined) == {"L001"}
    assert reason in processed.quarantined["L001"]
    (record,) = [record for record in run.records if record.status == "held"]
    assert (record.library_id, record.why) == ("L001", processed.quarantined["L001"])
    first.write_bytes(whole)
    _, again = process(study, store)
    assert again.quarantined == {}
    assert again.keys["ingest/L001"] == record.key


def cut_short(path):
    """A fault that is read while the same bytes are copied over the file."""
    path.write_bytes(path.read_bytes())
    msg = f"{path.name} is cut short"
    raise LibraryFaultError(msg)


def deny(path):
    error = PermissionError(errno.EACCES, "Permission denied", str(path))
    msg = f"{path.name} cannot be read"
    raise LibraryFaultError(msg) from error


@pytest.mark.parametrize(
    ("fail", "reason"), [(cut_short, "changed while they were read"), (deny, "Permission denied")]
)
def test_what_is_no_fault_of_the_bytes_is_not_remembered_as_one(
    simulated, tmp_path, monkeypatch, fail, reason
):
    shutil.copytree(simulated, tmp_path / "study")
    study, store = read_study(tmp_path / "study"), Store(tmp_path / "store")
    with monkeypatch.context() as patch:
        read = hiaim_sc.ingest.read_library

        def read_library(files, *options, **more):
            if files.library_id == "L001":
                fail(files.gex)
            return read(files, *options, **more)

        patch.setattr(hiaim_sc.ingest, "read_library", read_library)
        _, processed = process(study, store)
    assert set(processed.quarantined) == {"L001"}
    assert reason in processed.quarantined["L001"]
    assert process(study, store)[1].quarantined == {}


def test_a_library_that_cannot_be_read_is_held_and_the_others_go_on(simulated, tmp_path):
    shutil.copytree(simulated, tmp_path / "study")
    study, store = read_study(tmp_path / "study"), Store(tmp_path / "store")
    loop = study.library_files("L001").gex
    loop.unlink()
    loop.symlink_to(loop.name)
    _, processed = process(study, store)
    assert set(processed.quarantined) == {"L001"}
    assert f"{loop} cannot be read" in processed.quarantined["L001"]
    assert processed.libraries() == tuple(sorted(set(study.delivered_libraries()) - {"L001"}))
    states = {state.library_id: state.state for state in library_states(study, store)}
    assert states["L001"] == "quarantined"
    assert states["L002"] == "processed"
