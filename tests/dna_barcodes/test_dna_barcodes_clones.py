from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control

from hiaim_sc.config import DnaBarcodeOptions
from hiaim_sc.dna_barcodes import (
    CLONE_SPECIFICITY_COLUMNS,
    assess_antigens,
    majority_p_value,
    measure_staining,
)
from hiaim_sc.dna_barcodes.clones import majority_rank

from .conftest import ANTIGENS, LIBRARY, call, call_library, make_clones, make_counts, pairs


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_p_value_of_the_majority_is_that_of_so_many_cells_by_chance(n):
    p, rank = 0.07, max(2, math.ceil(n / 2))
    at_least = sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(rank, n + 1))
    assert float(majority_p_value(p, n)) == pytest.approx(at_least)


def test_p_value_of_the_majority_is_uniform_without_binding():
    rng = np.random.default_rng(5)
    drawn = np.sort(rng.uniform(size=(20_000, 5)), axis=1)
    p_value = majority_p_value(drawn[:, majority_rank(5) - 1], 5)
    for level in (0.01, 0.1, 0.5):
        assert (p_value <= level).mean() == pytest.approx(level, abs=4 * (level / 20_000) ** 0.5)


def test_a_clone_speaks_for_its_weak_cells():
    counts = make_counts({1: {"GIL_Flu_MP": 6}, 2: {"GIL_Flu_MP": 7}, 3: {"GIL_Flu_MP": 60}})
    found = call(counts, clones=make_clones({"a": [1, 2, 3], "b": [4, 5]}))
    assert pairs(found.cells) == [(f"cell00{i}", "GIL_Flu_MP") for i in (1, 2, 3)]
    assert found.cells["evidence"].tolist() == ["clone", "clone", "cell;clone"]
    assert found.cells[["n_clone_cells", "n_clone_calls"]].to_numpy().tolist() == [[3, 3]] * 3
    assert found.cells["q_value"].max() <= 0.05
    assert pairs(call(counts).cells) == [("cell003", "GIL_Flu_MP")]
    row = found.clones.iloc[0]
    assert list(found.clones.columns) == list(CLONE_SPECIFICITY_COLUMNS)
    assert (row["label"], row["n_cells"], row["n_held"], row["n_called"]) == ("specific", 3, 3, 3)
    assert (row["peptide"], row["hla"], row["n_umi"]) == ("GILGFVFTL", "A*02:01", 73)
    assert (row["concordance"], row["second"], row["entropy"]) == (1, 0, 0)


def test_q_value_counts_every_clone_and_antigen():
    counts = make_counts({1: {"GIL_Flu_MP": 6}, 2: {"GIL_Flu_MP": 7}})
    clones = {"a": [1, 2], **{f"b{i}": [i, i + 1] for i in range(10, 40, 2)}, "alone": [50]}
    found = call(counts, clones=make_clones(clones))
    held = measure_staining(counts, ANTIGENS, None, DnaBarcodeOptions()).held
    own = held[held["cell_barcode"].isin(["cell001", "cell002"])]["p_value"]
    p_value = float(majority_p_value(own.max(), 2))
    row = found.clones.set_index("clone_key").loc["a"]
    assert row["p_value"] == pytest.approx(p_value)
    assert row["q_value"] == pytest.approx(
        false_discovery_control([p_value, *[1.0] * (16 * 3 - 1)])[0]
    )


@pytest.mark.parametrize(
    ("marked", "label"),
    [
        ({1: {"GIL_Flu_MP": 60}}, "background"),  # one cell, however many UMIs, is one cell
        ({key: {"GIL_Flu_MP": 60} for key in (1, 2)}, "specific"),
        ({key: {"GIL_Flu_MP": 60} for key in (1, 2)} | {3: {"NLV_CMV": 60}}, "specific"),
        ({1: {"GIL_Flu_MP": 60}, 2: {"GIL_Flu_MP": 60}, 3: {"NLV_CMV": 60}, 4: {"NLV_CMV": 60}},
         "discordant"),
    ],
)  # fmt: skip
def test_label_needs_half_of_the_cells_and_no_rival(marked, label):
    found = call(make_counts({i: {} for i in (1, 2, 3, 4)} | marked),
                 clones=make_clones({"a": [1, 2, 3, 4]}))  # fmt: skip
    rows = found.clones.set_index("dna_barcode")
    assert rows.loc["GIL_Flu_MP", "label"] == label


def test_clone_of_one_cell_is_shown_and_not_tested():
    found = call(make_counts({1: {"GIL_Flu_MP": 60}}), clones=make_clones({"a": [1]})).clones
    assert found["label"].tolist() == ["single_cell"]
    assert found[["p_value", "q_value"]].isna().all(axis=None)


def test_clone_against_the_patients_hla_is_not_labelled():
    counts = make_counts({1: {"KLG_CMV": 60}, 2: {"KLG_CMV": 60}})
    clones = make_clones({"a": [1, 2]})
    found = call(counts, clones=clones, hla="A*02:01")
    assert found.cells.empty
    assert found.clones["label"].tolist() == ["hla_mismatch"]
    assert found.clones["hla_match"].tolist() == [False]


def test_entropy_is_that_of_what_the_cells_hold():
    marked = {1: {"GIL_Flu_MP": 60}, 2: {"GIL_Flu_MP": 60}, 3: {"NLV_CMV": 60}, 4: {}}
    found = call(make_counts(marked), clones=make_clones({"a": [1, 2, 3, 4]})).clones
    assert found["entropy"].unique() == pytest.approx([1.5])  # 1/2, 1/4, 1/4 in bits


@pytest.mark.parametrize("n_stray", [0, 30])
def test_multimer_that_unrelated_receptors_hold_is_sticky(n_stray):
    umis = {i: {"KLG_CMV": 12} for i in range(n_stray)} | {150: {"GIL_Flu_MP": 60}}
    counts = make_counts(umis)
    options = DnaBarcodeOptions(max_p_held=0.03)
    staining = measure_staining(counts, ANTIGENS, None, options)
    clones = make_clones({"a": [0, 1, 2], "b": [150, 151]})
    calls = call_library(staining, ANTIGENS, clones, None, options)
    table = assess_antigens(
        staining.background.assign(library_id=LIBRARY),
        staining.held.assign(library_id=LIBRARY),
        staining.stained.assign(library_id=LIBRARY),
        clones,
        calls,
        ANTIGENS,
        options,
    ).set_index("dna_barcode")
    assert table["is_sticky"].to_dict() == {
        name: name == "KLG_CMV" and n_stray > 0 for name in sorted(ANTIGENS["dna_barcode"])
    }
    assert table["n_receptors"].unique() == [200 - 3]
    assert table.loc["KLG_CMV", "n_receptors_stray"] == max(0, n_stray - 3)  # one clone agrees
    assert table.loc["GIL_Flu_MP", ["n_called", "n_receptors_stray"]].tolist() == [1, 0]
    assert table["is_control"].sum() == 2


@pytest.fixture(scope="module")
def simulated():
    """Two patients' stained libraries with sticky cells, ambient multimers and the truth."""
    from hiaim_sc.simulate.antigens import antigen_panel, draw_antigen_counts
    from hiaim_sc.simulate.settings import SimulationSettings

    made = SimulationSettings(out="unused", sticky_share=0.08, antigen_background=1.0)
    panel, rng = antigen_panel(made), np.random.default_rng(11)
    sizes = rng.choice([1, 1, 1, 2, 3, 5, 8, 20], size=600)
    clone = np.repeat(np.arange(len(sizes)), sizes)
    names = panel.loc[~panel["is_control"], "dna_barcode"].to_numpy()
    of_clone = np.where(rng.random(len(sizes)) < 0.15, rng.choice(names, len(sizes)), "")
    return made, panel, clone, of_clone, draw_antigen_counts(made, panel, of_clone[clone], rng)


def test_false_discoveries_hold_their_rate_with_sticky_cells_and_ambient(simulated):
    from anndata import AnnData

    _, panel, clone, of_clone, counts = simulated
    cells = [f"cell{i:05}" for i in range(len(clone))]
    adata = AnnData(counts, obs=pd.DataFrame(index=cells),
                    var=pd.DataFrame(index=panel["dna_barcode"].to_numpy()))  # fmt: skip
    clones = pd.DataFrame({"library_id": LIBRARY, "cell_barcode": cells,
                           "clone_key": [f"c{i:04}" for i in clone]})  # fmt: skip
    found = call(adata, antigens=panel, clones=clones)
    truth = dict(zip(cells, of_clone[clone], strict=True))
    is_right = found.cells["cell_barcode"].map(truth) == found.cells["dna_barcode"]
    by_clone = found.cells["evidence"].str.contains("clone")
    n_true = sum(map(bool, truth.values()))
    assert (~is_right).mean() <= 0.05
    assert (~is_right[by_clone]).mean() <= 0.01
    assert is_right.sum() >= 0.85 * n_true
    alone = call(adata, antigens=panel).cells
    assert is_right.sum() >= 1.15 * len(alone)  # what the clones add
    labels = found.clones[found.clones["label"] == "specific"]
    assert (labels["clone_key"].str[1:].astype(int).map(lambda i: of_clone[i])
            == labels["dna_barcode"]).mean() >= 0.95  # fmt: skip


def test_cells_shuffled_over_clones_label_next_to_none(simulated):
    from anndata import AnnData

    _, panel, clone, _, counts = simulated
    cells = [f"cell{i:05}" for i in range(len(clone))]
    adata = AnnData(counts, obs=pd.DataFrame(index=cells),
                    var=pd.DataFrame(index=panel["dna_barcode"].to_numpy()))  # fmt: skip
    shuffled = np.random.default_rng(2).permutation(clone)
    clones = pd.DataFrame({"library_id": LIBRARY, "cell_barcode": cells,
                           "clone_key": [f"c{i:04}" for i in shuffled]})  # fmt: skip
    labels = call(adata, antigens=panel, clones=clones).clones["label"]
    n_tested = sum(1 for _, group in itertools.groupby(sorted(shuffled)) if len([*group]) > 1)
    # two cells that bind the same antigen meet by chance in one clone of a hundred
    assert (labels == "specific").sum() <= 0.02 * n_tested
