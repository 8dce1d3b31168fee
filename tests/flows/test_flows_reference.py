"""A label reference in a run: what it adds, and that it moves nothing else."""

from __future__ import annotations

import hashlib
import pickle
import shutil

import h5py
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from typer.testing import CliRunner

from flows._order import plan_stages
from flows._progress import NoProgress
from flows._run import StudyRun, compute_here
from flows.build_cohort import build_cohort
from flows.cli import app
from flows.process_library import process_libraries
from hiaim_sc.errors import UserInputError
from hiaim_sc.storage import Store
from hiaim_sc.study import read_study

OURS = {"reference_cells", "reference"}


def write_model(path, genes, seed=0):
    """A model of three labels on these genes, in the form in which CellTypist writes it."""
    x = np.random.default_rng(seed).gamma(1.0, 1.0, size=(60, len(genes)))
    scaler = StandardScaler().fit(x)
    labels = np.array(["one", "two", "three"])[np.arange(60) % 3]
    classifier = LogisticRegression(max_iter=20, tol=1).fit(scaler.transform(x), labels)
    classifier.features = np.array(genes)
    path.write_bytes(pickle.dumps({"Model": classifier, "Scaler_": scaler, "description": {}}))
    return path


def set_reference(study, path=None):
    """The study with that model, which lies in its folder, or without any."""
    config = study / "study.yaml"
    lines = config.read_text().splitlines(keepends=True)
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path else ""
    reference = f"reference: {{model: {path.name}, sha256: '{digest}'}}" if path else ""
    kept = [line for line in lines if not line.startswith("options:")]
    config.write_text("".join([*kept, f"options: {{{reference}}}\n"]))
    return read_study(study)


@pytest.fixture(scope="module")
def simulated(simulate):
    return simulate(n_patients=2, cells_per_library=60, visits={"baseline": 0}, seed=2) / "study"


@pytest.fixture(scope="module")
def symbols(simulated):
    path = next((simulated / "libraries").glob("*/filtered_feature_bc_matrix.h5"))
    with h5py.File(path) as file:
        features = file["matrix/features"]
        is_gene = features["feature_type"][:] == b"Gene Expression"
        return [name.decode() for name in features["name"][:][is_gene]][:300]


@pytest.fixture
def study(simulated, tmp_path):
    return shutil.copytree(simulated, tmp_path / "study")


def keys_of(study, store):
    run = plan_stages(study, store, blinded=True)
    return {(record.name, record.library_id): record.key for record in run.records}


def test_the_option_adds_its_stages_and_moves_no_other_key(study, symbols, tmp_path):
    store = Store(tmp_path / "store")
    before = keys_of(set_reference(study), store)
    named = set_reference(study, write_model(study / "mine.pkl", symbols))
    after = keys_of(named, store)
    added = set(after) - set(before)
    assert {key: after[key] for key in before} == before
    libraries = named.delivered_libraries()
    assert added == {("reference_cells", name) for name in libraries} | {("reference", None)}


def test_what_counts_is_the_models_numbers_not_its_file(study, symbols, tmp_path):
    store = Store(tmp_path / "store")
    first = keys_of(set_reference(study, write_model(study / "mine.pkl", symbols)), store)
    (study / "mine.pkl").rename(study / "other.pkl")
    assert keys_of(set_reference(study, study / "other.pkl"), store) == first
    second = keys_of(set_reference(study, write_model(study / "new.pkl", symbols, 1)), store)
    moved = {name for name, _ in (key for key in first if first[key] != second[key])}
    assert moved == OURS


def test_every_cell_that_passes_is_named_and_no_other(study, symbols, tmp_path):
    named = set_reference(study, write_model(study / "mine.pkl", symbols))
    run = StudyRun(named, Store(tmp_path / "store"), NoProgress(), compute_here)
    keys = build_cohort(run, process_libraries(run))
    labels = run.store.get(keys["reference"]).read("reference_labels")
    cells = run.store.get(keys["cells"]).read("cells")
    kept = cells[cells["qc_pass"]].reset_index(drop=True)
    assert len(kept) > 100
    for column in ("library_id", "cell_barcode", "cell_type", "cell_type_coarse", "cell_state"):
        assert list(labels[column]) == list(kept[column].fillna("")), column
    assert set(labels["reference_label"]) <= {"one", "two", "three"}
    quality = run.store.get(keys["reference"]).read("reference_qc")
    assert set(quality["n_genes_used"]) == {300}
    assert quality["n_cells"].sum() == len(kept)
    assert "reference_label" not in cells


def test_a_model_of_other_genes_stops_validation_and_run(study, tmp_path):
    named = set_reference(study, write_model(study / "mine.pkl", [f"X{i}" for i in range(9)]))
    done = CliRunner().invoke(app, ["validate", str(study)])
    assert done.exit_code == 2
    words = "options.reference.model: '0 of its 9 genes in library L001'"
    assert words in " ".join(done.output.split())
    run = StudyRun(named, Store(tmp_path / "store"), NoProgress(), compute_here)
    with pytest.raises(UserInputError, match="0 of its 9 genes in library L001"):
        process_libraries(run)


def test_another_digest_is_exit_code_2_for_every_command(study, symbols):
    set_reference(study, write_model(study / "mine.pkl", symbols))
    (study / "mine.pkl").write_bytes((study / "mine.pkl").read_bytes() + b" ")
    for command in ("validate", "plan", "run", "status"):
        done = CliRunner().invoke(app, [command, str(study)])
        assert done.exit_code == 2, (command, done.output)
        assert "options.reference.sha256" in done.output
