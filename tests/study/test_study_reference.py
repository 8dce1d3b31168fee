"""A label reference in study.yaml: what is refused, and that nothing in its file is run."""

from __future__ import annotations

import gzip
import hashlib
import os
import pickle

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.preprocessing import StandardScaler

from hiaim_sc.errors import UserInputError
from hiaim_sc.study import check_reference, study_reference
from hiaim_sc.study.gene_names import read_gene_names
from hiaim_sc.study.reference_model import read_reference_model
from hiaim_sc.study.reference_pickle import Emptied, UnsafePickleError, read_inert

GENES = ("ENSG01", "ENSG02", "ENSG03")


def make_parts(n_labels=3, kind=LogisticRegression, genes=GENES):
    """What CellTypist writes: a classifier with its genes, and the scaler."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, len(genes)))
    labels = np.array([f"type {i % n_labels}" for i in range(60)])
    scaler = StandardScaler().fit(x)
    classifier = kind().fit(scaler.transform(x), labels)
    classifier.features = np.array(genes)
    return {"Model": classifier, "Scaler_": scaler, "description": {"date": "today"}}


class Mine:
    """A study whose options name a model."""

    def __init__(self, study):
        self.study, self.file = study, study / "mine.pkl"

    def write(self, content, protocol=None):
        self.file.write_bytes(pickle.dumps(content, protocol=protocol))

    def name(self, *, sha256=None, model="mine.pkl", least=0.5):
        if sha256 is None:
            sha256 = hashlib.sha256(self.file.read_bytes()).hexdigest()
        reference = f"{{model: {model}, sha256: '{sha256}', min_genes: {least}}}"
        self.study.append("study.yaml", f"options:\n  reference: {reference}")

    def fault(self):
        (fault,) = self.study.faults()
        assert (fault.table, fault.row) == ("study.yaml", 8)
        return fault


@pytest.fixture
def mine(small_study):
    return Mine(small_study)


@pytest.mark.parametrize("kind", [LogisticRegression, SGDClassifier])
@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("n_labels", [2, 3])
def test_the_numbers_of_a_model_are_those_of_scikit_learn(mine, kind, protocol, n_labels):
    parts = make_parts(n_labels, kind)
    mine.write(parts, protocol)
    mine.name()
    model = study_reference(mine.study.read())
    x = np.random.default_rng(2).normal(size=(9, 3))
    z = (x - model.means) / model.sds
    scores = z @ model.weights.T + model.intercepts
    assert np.allclose(z, parts["Scaler_"].transform(x))
    expected = parts["Model"].decision_function(z)
    assert np.allclose(scores if n_labels > 2 else scores[:, 1], expected)
    assert list(model.labels[scores.argmax(axis=1)]) == list(parts["Model"].predict(z))
    assert tuple(model.genes) == GENES
    assert model.has_ensembl_ids


def test_a_file_written_with_numpy_1_is_read_too(mine):
    mine.write(make_parts(), 3)
    now = mine.file.read_bytes()
    before = now.replace(b"cnumpy._core.", b"cnumpy.core.")
    assert before.count(b"cnumpy.core.multiarray\n_reconstruct") == 1
    expected = study_reference_of(now, mine)
    found = study_reference_of(before, mine)
    assert np.array_equal(found.weights, expected.weights)
    assert list(found.genes) == list(expected.genes)


def study_reference_of(content, mine):
    mine.file.write_bytes(content)
    return read_reference_model(mine.file, hashlib.sha256(content).hexdigest())


def test_without_the_option_there_is_no_reference(small_study):
    study = small_study.read()
    assert study_reference(study) is None
    assert check_reference(study) == []


# the digest and the file


def test_another_digest_is_refused_and_the_right_one_said(mine):
    mine.write(make_parts())
    mine.name(sha256="0" * 64)
    fault = mine.fault()
    assert (fault.column, fault.value) == ("options.reference.sha256", "0" * 64)
    assert hashlib.sha256(mine.file.read_bytes()).hexdigest() in fault.allowed


def test_capitals_in_the_digest_are_no_fault(mine):
    mine.write(make_parts())
    mine.name(sha256=hashlib.sha256(mine.file.read_bytes()).hexdigest().upper())
    assert study_reference(mine.study.read()) is not None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("{model: mine.pkl}", "model and sha256 come together"),
        (f"{{sha256: '{'0' * 64}'}}", "model and sha256 come together"),
        ("{model: mine.pkl, sha256: abc}", "should match pattern"),
        (f"{{model: mine.pkl, sha256: '{'0' * 64}', min_genes: 2}}", "less than or equal to 1"),
    ],
)
def test_options_that_cannot_be(small_study, options, words):
    small_study.append("study.yaml", f"options:\n  reference: {options}")
    (fault,) = small_study.faults()
    assert fault.column.startswith("options.reference")
    assert words in fault.allowed


def test_a_file_that_is_not_there_or_outside_the_study_is_refused(mine, tmp_path):
    mine.name(sha256="0" * 64)
    assert mine.fault().allowed == "a file of the study or a data root"
    (tmp_path / "mine.pkl").write_bytes(b"")
    mine.study.replace("study.yaml", "model: mine.pkl", "model: ../mine.pkl")
    assert mine.fault().allowed == "a file of the study or a data root"


def test_a_file_that_changes_after_it_was_checked_is_refused(mine):
    mine.write(make_parts())
    mine.name()
    study = mine.study.read()
    mine.write(make_parts(n_labels=2))
    with pytest.raises(UserInputError, match=r"options\.reference\.sha256"):
        study_reference(study)


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(UserInputError, match="can be read"):
        read_reference_model(tmp_path, "0" * 64)


# what is in it


class Command:
    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize(
    ("function", "name"), [(os.system, "posix.system"), (eval, "builtins.eval")]
)
def test_nothing_in_the_file_is_run(mine, tmp_path, function, name):
    marker = tmp_path / "was here"
    command = {os.system: f"touch '{marker}'", eval: f"open({str(marker)!r}, 'w')"}[function]
    mine.write({**make_parts(), "description": Command(function, command)})
    pickle.loads(mine.file.read_bytes())
    assert marker.exists()  # the file would run it
    marker.unlink()
    mine.name()
    assert f"it names {name}, which no such model needs" in mine.fault().allowed
    assert not marker.exists()


def test_objects_of_scikit_learn_are_their_attributes_only():
    found = read_inert(pickle.dumps(make_parts()))["Model"]
    assert isinstance(found, Emptied)
    assert found.named == "sklearn.linear_model._logistic.LogisticRegression"
    assert not hasattr(found, "predict")


def test_a_function_of_scikit_learn_is_not_called():
    import sklearn.datasets

    content = pickle.dumps(Command(sklearn.datasets.make_blobs, 5))
    assert isinstance(read_inert(content), Emptied)


@pytest.mark.parametrize("content", [b"", b"\x80", b"gibberish", b"\x80\x04K\x01", b"(l"])
def test_what_is_no_pickle_says_so(content):
    with pytest.raises(UnsafePickleError, match="no pickle that can be read"):
        read_inert(content)


def changed(**attributes):
    """Parts of a model with attributes of its classifier or scaler set, or taken away."""
    parts = make_parts()
    for name, value in attributes.items():
        part = parts["Scaler_" if hasattr(parts["Scaler_"], name) else "Model"]
        if value is None:
            delattr(part, name)
        else:
            setattr(part, name, value)
    return parts


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([1, 2], "a LogisticRegression or SGDClassifier as Model"),
        ({}, "a LogisticRegression or SGDClassifier as Model"),
        ({**make_parts(), "Model": Ridge()}, "a LogisticRegression or SGDClassifier as Model"),
        ({**make_parts(), "Scaler_": None}, "a StandardScaler as Scaler_"),
        ({**make_parts(), "Model": LogisticRegression()}, "classes_"),
        (changed(features=None), "features"),
        (changed(features=np.array([["a", "b", "c"]])), "a list of names as features"),
        (changed(features=np.array(["a", "b", "b"])), "each gene once"),
        (changed(features=np.array(["a", "b"])), "a weight for each of its 3 labels and 2 genes"),
        (changed(classes_=np.array(["a", "a", "b"])), "each label once"),
        (changed(classes_=np.array(["a", "", "b"])), "two labels or more, none of them empty"),
        (changed(classes_=np.array(["a", "b"])), "a weight for each of its 2 labels"),
        (changed(coef_=np.full((3, 3), np.nan)), "finite numbers as coef_"),
        (changed(coef_="heavy"), "finite numbers as coef_"),
        (changed(intercept_=np.zeros(2)), "a weight for each"),
        (changed(scale_=np.zeros(3)), "standard deviations above 0"),
        (changed(mean_=np.zeros(4)), "a weight for each"),
    ],
)
def test_what_is_no_model_is_refused_in_words(mine, content, words):
    mine.write(content)
    mine.name()
    fault = mine.fault()
    assert (fault.column, fault.value) == ("options.reference.model", "mine.pkl")
    assert fault.allowed.startswith("a model that celltypist.train returned")
    assert f"it lacks {words}" in fault.allowed


# its genes and the libraries'


@pytest.mark.parametrize(
    ("genes", "least", "is_refused"),
    [
        (GENES, 1.0, False),
        (("ENSG01", "X", "ENSG03", "Y"), 0.5, False),
        (("ENSG01", "X", "Z", "Y"), 0.5, True),
        (("X", "Z", "Y"), 0.0, True),
    ],
)
def test_validation_says_that_too_few_genes_are_in_common(mine, genes, least, is_refused):
    mine.write(make_parts(genes=genes))
    mine.name(least=least)
    faults = check_reference(mine.study.read())
    assert bool(faults) is is_refused
    for fault in faults:
        n_there = len(set(genes) & set(GENES))
        assert fault.value == f"{n_there} of its {len(genes)} genes in library L1"
        assert genes[0] in fault.allowed


def test_a_library_that_cannot_be_read_is_no_fault_of_the_model(mine):
    mine.write(make_parts(genes=("X", "Y", "Z")))
    mine.name()
    mine.study.replace(
        "libraries.tsv", "lib/L1.h5	lib/L1.csv	lib/L1.h5", "	lib/L1.csv	"
    )
    (mine.study / "lib" / "L2.h5").write_bytes(b"not HDF5")
    (fault,) = check_reference(mine.study.read())
    assert fault.value.endswith("in library L3")


def test_gene_names_of_every_kind_of_matrix(tmp_path):
    var = pd.DataFrame({"feature_name": ["A", "B"]}, index=["ENSG1", "GRCh38_ENSG2"])
    adata = ad.AnnData(X=np.ones((1, 2), np.float32), var=var)
    adata.raw = ad.AnnData(X=np.ones((1, 1)), var=pd.DataFrame(index=["ENSG3"]))
    adata.write_h5ad(tmp_path / "a.h5ad")
    assert {"ENSG1", "ENSG2", "ENSG3", "A", "B"} <= read_gene_names(tmp_path / "a.h5ad")
    folder = tmp_path / "mtx"
    folder.mkdir()
    (folder / "matrix.mtx").write_text("%%MatrixMarket matrix coordinate integer general\n2 1 0\n")
    with gzip.open(folder / "features.tsv.gz", "wt") as file:
        file.write("ENSG1\tA\tGene Expression\nENSG2\tB\tGene Expression\n")
    names = frozenset({"ENSG1", "ENSG2", "A", "B"})
    assert read_gene_names(folder) == names
    assert read_gene_names(folder / "matrix.mtx") == names


def test_gene_names_of_cell_ranger_2(tmp_path):
    import h5py

    with h5py.File(tmp_path / "old.h5", "w") as file:
        for genome, gene in (("GRCh38", "ENSG1"), ("mm10", "ENSMUSG1")):
            group = file.create_group(genome)
            group["genes"] = np.array([f"{genome}_{gene}".encode()])
            group["gene_names"] = np.array([f"{genome}_A".encode()])
    assert {"ENSG1", "ENSMUSG1", "A"} <= read_gene_names(tmp_path / "old.h5")
