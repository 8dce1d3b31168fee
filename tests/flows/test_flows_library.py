"""A library's fault is remembered; a damaged memory of it is no reason to stop."""

from __future__ import annotations

import shutil

import pytest

from flows._progress import NoProgress
from flows._run import StudyRun, compute_here
from flows._status import library_states
from flows.process_library import process_libraries
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
