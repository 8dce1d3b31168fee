"""Labels carried over from a model of CellTypist's, against CellTypist's own prediction."""

from __future__ import annotations

import dataclasses

import celltypist_models
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData

from hiaim_sc.annotate.reference import carry_labels, carrying, compare_labels
from hiaim_sc.config import ReferenceOptions
from hiaim_sc.errors import UserInputError
from hiaim_sc.names import RELEASE_TABLES
from hiaim_sc.storage import StoredCounts
from hiaim_sc.storage.payloads import write_payload
from hiaim_sc.study.reference_model import ReferenceModel, read_reference_model

TYPES = ("B cell", "NK cell", "T cell")
N_GENES = 90
OPTIONS = ReferenceOptions()


def make_counts(seed, n_cells=150, n_types=3):
    """Counts of cells whose type has 12 genes at six times the level, and the types."""
    rng = np.random.default_rng(seed)
    types = np.arange(n_cells) % n_types
    level = rng.gamma(1.0, 1.0, N_GENES)[None, :].repeat(n_cells, axis=0)
    for number in range(n_types):
        level[types == number, 12 * number : 12 * (number + 1)] *= 6
    counts = rng.poisson(level * rng.gamma(4.0, 0.25, (n_cells, 1))).astype(np.int32)
    counts[:, 0] += 1  # no cell without any
    return AnnData(
        X=sp.csr_matrix(counts),
        obs=pd.DataFrame(index=[f"c{i:04d}" for i in range(n_cells)]),
        var=pd.DataFrame(
            {"symbol": [f"GENE{i}" for i in range(N_GENES)]},
            index=[f"ENSG{i:011d}" for i in range(N_GENES)],
        ),
    ), np.array(TYPES)[types]


def trained(counts, names, types, tmp_path, **options):
    """CellTypist's model of these cells, as it is and as it is read from its file."""
    model = celltypist_models.train(counts, names, types, **options)
    digest = celltypist_models.write(model, tmp_path / "mine.pkl")
    return model, read_reference_model(tmp_path / "mine.pkl", digest)


def predicted(model, counts, names):
    table = celltypist_models.normalise(counts, names)
    table.X = table.X.toarray()  # CellTypist fails on a sparse one where the model has no means
    found = celltypist_models.celltypist().annotate(table, model=model)
    labels = found.predicted_labels["predicted_labels"].astype(str)
    return labels.to_numpy(), found.probability_matrix.max(axis=1).to_numpy()


def carry(counts, model, cells=None, options=OPTIONS):
    cells = list(counts.obs_names) if cells is None else cells
    return carry_labels(counts, cells, model, options, library_id="L1")


@pytest.mark.parametrize("n_types", [2, 3])
@pytest.mark.parametrize("with_mean", [True, False])
@pytest.mark.parametrize("genes", ["symbol", "ensembl"])
def test_labels_and_scores_are_those_of_celltypist(tmp_path, n_types, with_mean, genes):
    old, types = make_counts(1, n_types=n_types)
    names = {"symbol": pd.Index(old.var["symbol"]), "ensembl": old.var_names}
    model, read = trained(old, names[genes], types, tmp_path, with_mean=with_mean)
    new, truth = make_counts(2, n_types=n_types)
    labels, scores = predicted(model, new, names[genes])
    found = carry(new, read)
    assert (found.table["reference_label"] == labels).all()
    assert np.allclose(found.table["reference_score"], scores, rtol=0, atol=1e-12)
    assert (found.table["reference_label"] == truth).mean() > 0.9
    assert (found.n_genes_model, found.n_genes_used) == (len(read.genes), len(read.genes))
    assert scores.min() < 0.9 < scores.max()  # the scores do vary


def test_genes_that_a_library_lacks_are_left_out_as_celltypist_does(tmp_path):
    old, types = make_counts(1)
    model, read = trained(old, pd.Index(old.var["symbol"]), types, tmp_path)
    new = make_counts(2)[0][:, 20:].copy()
    labels, scores = predicted(model, new, pd.Index(new.var["symbol"]))
    found = carry(new, read)
    assert (found.table["reference_label"] == labels).all()
    assert np.allclose(found.table["reference_score"], scores, rtol=0, atol=1e-12)
    assert found.n_genes_used == N_GENES - 20


def test_expression_far_above_the_models_is_cut_off_as_celltypist_does(tmp_path):
    old, types = make_counts(1)
    x = old.X.toarray()
    x[1:, 89] = 0  # one cell that the model was trained on has it: its deviation is small
    x[0, 89] = 1
    old.X = sp.csr_matrix(x)
    model, read = trained(old, pd.Index(old.var["symbol"]), types, tmp_path)
    new, _ = make_counts(2)
    expression = celltypist_models.normalise(new, pd.Index(new.var["symbol"])).X.toarray()[:, 89]
    assert read.genes[-1] == "GENE89"
    assert ((expression - read.means[-1]) / read.sds[-1] > 10).sum() > 20
    labels, scores = predicted(model, new, pd.Index(new.var["symbol"]))
    found = carry(new, read)
    assert np.allclose(found.table["reference_score"], scores, rtol=0, atol=1e-12)
    assert (found.table["reference_label"] == labels).all()


@pytest.fixture
def model(tmp_path):
    old, types = make_counts(1)
    return trained(old, pd.Index(old.var["symbol"]), types, tmp_path)[1]


def test_neither_the_order_of_cells_nor_the_blocks_nor_the_other_cells_change_a_bit(
    model, monkeypatch
):
    counts, _ = make_counts(3)
    whole = carry(counts, model).table
    order = np.random.default_rng(0).permutation(counts.n_obs)
    monkeypatch.setattr(carrying, "_BLOCK", 7)
    shuffled = carry(counts[order].copy(), model, list(counts.obs_names[order])).table
    pd.testing.assert_frame_equal(shuffled, whole, check_exact=True)
    few = list(counts.obs_names[40:60])
    alone = carry(counts[40:60].copy(), model, few).table
    expected = whole[whole["cell_barcode"].isin(few)].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, expected, check_exact=True)


def test_counts_on_disk_give_the_same(model, tmp_path):
    counts, _ = make_counts(3)
    stored = StoredCounts(write_payload(tmp_path, "counts", counts))
    pd.testing.assert_frame_equal(
        carry_labels(stored, list(counts.obs_names), model, OPTIONS, library_id="L1").table,
        carry(counts, model).table,
        check_exact=True,
    )


def test_only_the_cells_asked_for_are_labelled_and_all_genes_count_for_the_total(model):
    counts, _ = make_counts(3)
    some = carry(counts, model, ["c0007", "c0002"]).table
    assert list(some["cell_barcode"]) == ["c0002", "c0007"]
    more = counts.copy()
    extra = AnnData(
        X=sp.csr_matrix(np.full((counts.n_obs, 1), 5000, dtype=np.int32)),
        obs=counts.obs,
        var=pd.DataFrame({"symbol": ["OTHER"]}, index=["ENSG99999999999"]),
    )
    wider = AnnData(
        X=sp.hstack([more.X, extra.X], format="csr"),
        obs=counts.obs,
        var=pd.concat([counts.var, extra.var]),
    )
    changed = carry(wider, model, ["c0007", "c0002"]).table
    assert not np.allclose(changed["reference_score"], some["reference_score"])
    assert carry(counts, model, []).table.empty
    with pytest.raises(ValueError, match="1 cell barcodes are not in the matrix"):
        carry(counts, model, ["c0002", "nobody"])


def test_of_two_genes_with_one_symbol_the_first_counts(model):
    counts, _ = make_counts(3)
    twin = counts.copy()
    twin.var["symbol"] = [*counts.var["symbol"][:-1], "GENE3"]
    without = counts.copy()
    without.var["symbol"] = [*counts.var["symbol"][:-1], "another"]
    pd.testing.assert_frame_equal(carry(twin, model).table, carry(without, model).table)


@pytest.mark.parametrize(
    ("n_there", "least", "is_refused"), [(44, 0.5, True), (45, 0.5, False), (0, 0.0, True)]
)
def test_too_few_genes_in_common_are_refused(model, n_there, least, is_refused):
    counts, _ = make_counts(3)
    counts.var["symbol"] = [
        name if i < n_there else f"X{i}" for i, name in enumerate(counts.var["symbol"])
    ]
    options = ReferenceOptions(min_genes=least)
    if not is_refused:
        assert carry(counts, model, options=options).n_genes_used == n_there
        return
    with pytest.raises(UserInputError) as caught:
        carry(counts, model, options=options)
    (fault,) = caught.value.faults
    assert (fault.table, fault.column) == ("study.yaml", "options.reference.model")
    assert fault.value == f"{n_there} of its 90 genes in library L1"
    assert "options.reference.min_genes" in fault.allowed


def test_a_model_survives_its_tables(model):
    again = ReferenceModel.of_tables(*model.to_tables())
    for field in dataclasses.fields(ReferenceModel):
        assert np.array_equal(getattr(again, field.name), getattr(model, field.name)), field.name


# side by side


def make_cell_types():
    rows = [
        ("L1", "a", "NK", "NK", "NK CD56dim", "NK CD56dim"),
        ("L1", "b", "NK", "NK", "NK CD56dim", "NK CD56dim"),
        ("L1", "c", "NK", "NK", "NK CD56dim", "unassigned"),
        ("L2", "a", "T", "CD8", "CD8 T", "CD8 Tex"),
        ("L2", "b", "myeloid", "myeloid", "monocyte", None),
    ]
    columns = ["library_id", "cell_barcode", "cell_type_coarse", "cell_type_lineage"]
    return pd.DataFrame(rows, columns=[*columns, "cell_type", "cell_state"])


def make_carried():
    one = pd.DataFrame(
        {
            "cell_barcode": list("abc"),
            "reference_label": ["nk", "nk", "ilc"],
            "reference_score": [0.9, 0.7, 0.2],
        }
    )
    two = pd.DataFrame(
        {
            "cell_barcode": list("ab"),
            "reference_label": ["t", "nk"],
            "reference_score": [0.8, 0.4],
        }
    )
    return {"L2": two, "L1": one, "L3": one.iloc[:0]}


GENES = {
    name: {"n_genes_model": 9, "n_genes_used": 7 + i} for i, name in enumerate(("L1", "L2", "L3"))
}


def test_labels_stand_side_by_side_and_are_counted_both_ways():
    found = compare_labels(make_carried(), GENES, make_cell_types())
    assert {name: tuple(table) for name, table in found.items()} == {
        name: RELEASE_TABLES[name] for name in found
    }
    labels = found["reference_labels"]
    assert list(labels["reference_label"]) == ["nk", "nk", "ilc", "t", "nk"]
    assert list(labels["cell_state"]) == ["NK CD56dim", "NK CD56dim", "unassigned", "CD8 Tex", ""]
    table = found["reference_agreement"]
    keys = ["n_cells", "share", "share_of_reference", "median_score"]
    pairs = table.set_index(["level", "label", "reference_label"])[keys]
    assert tuple(pairs.loc[("cell_type", "NK CD56dim", "nk")]) == pytest.approx(
        (2, 2 / 3, 2 / 3, 0.8)
    )
    assert tuple(pairs.loc[("cell_type", "monocyte", "nk")]) == pytest.approx((1, 1, 1 / 3, 0.4))
    assert tuple(pairs.loc[("cell_state", "NK CD56dim", "nk")]) == pytest.approx((2, 1, 1, 0.8))
    assert table.groupby("level")["n_cells"].sum().to_dict() == {
        "cell_state": 4, "cell_type": 5, "cell_type_coarse": 5, "cell_type_lineage": 5,
    }  # fmt: skip
    assert list(table["level"].drop_duplicates()) == [
        "cell_type_coarse", "cell_type_lineage", "cell_type", "cell_state",
    ]  # fmt: skip


def test_each_library_says_how_much_of_the_model_it_has_and_how_sure_it_is():
    table = compare_labels(make_carried(), GENES, make_cell_types())["reference_qc"]
    assert list(table["library_id"]) == ["L1", "L2", "L3"]
    assert list(table["n_genes_used"]) == [7, 8, 9]
    assert list(table["n_cells"]) == [3, 2, 0]
    assert list(table["frac_unsure"][:2]) == pytest.approx([1 / 3, 1 / 2])
    assert list(table["median_score"][:2]) == pytest.approx([0.7, 0.6])
    assert table.loc[2, ["median_score", "frac_unsure"]].isna().all()


def test_a_cohort_without_cells_has_tables_without_rows():
    none = {name: table.iloc[:0] for name, table in make_carried().items()}
    found = compare_labels(none, GENES, make_cell_types().iloc[:0])
    assert found["reference_labels"].empty
    assert found["reference_agreement"].empty
    assert list(found["reference_qc"]["n_cells"]) == [0, 0, 0]


def test_the_order_of_libraries_and_cells_is_nothing():
    first = compare_labels(make_carried(), GENES, make_cell_types())
    other = {name: table.iloc[::-1] for name, table in reversed(make_carried().items())}
    second = compare_labels(other, dict(reversed(GENES.items())), make_cell_types().iloc[::-1])
    for name, table in first.items():
        pd.testing.assert_frame_equal(table, second[name], check_exact=True)
