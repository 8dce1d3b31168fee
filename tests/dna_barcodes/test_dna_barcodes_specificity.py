from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.integrate import quad
from scipy.special import beta as beta_function
from scipy.stats import false_discovery_control, nbinom

from hiaim_sc.config import DnaBarcodeOptions, TcrOptions
from hiaim_sc.dna_barcodes import beam_score, call_specificity
from hiaim_sc.dna_barcodes.background import fit_background
from hiaim_sc.dna_barcodes.specificity import SPECIFICITY_COLUMNS

OPTIONS = DnaBarcodeOptions()
ANTIGENS = pd.DataFrame(
    {
        "dna_barcode": ["GIL_Flu_MP", "NLV_CMV", "KLG_CMV", "NC_1", "NC_2"],
        "hla": ["A*02:01", "A*02:01", "A*03:01", "A*02:01", "B*07:02"],
        "is_control": [False, False, False, True, True],
    }
)
N_CELLS = 200


def _counts(marked: dict[int, dict[str, int]], names: list[str] | None = None) -> AnnData:
    """Cells with 0 to 2 UMIs of everything, but for those that are marked."""
    names = names or ANTIGENS["dna_barcode"].tolist()
    umis = np.random.default_rng(7).binomial(2, 0.2, size=(N_CELLS, len(names))).astype(np.int32)
    for cell, own in marked.items():
        umis[cell] = 0
        for name, n in own.items():
            umis[cell, names.index(name)] = n
    obs = pd.DataFrame(index=[f"cell{i:03}" for i in range(N_CELLS)])
    return AnnData(sparse.csr_matrix(umis), obs=obs, var=pd.DataFrame(index=names))


def _called(found: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(found["cell_barcode"], found["dna_barcode"], strict=True))


@pytest.mark.parametrize(
    ("antigen", "control", "score"),
    [
        (0, 0, 0.0422),
        (10, 0, 6.8376),
        (30, 0, 45.4506),
        (40, 0, 63.5175),
        (100, 0, 98.5714),
        (100, 5, 56.6850),
        (100, 10, 8.1215),
        (1000, 50, 99.9456),
        (5, 5, 0.0001),
    ],
)
def test_beam_score_of_known_pairs(antigen, control, score):
    assert float(beam_score(antigen, control)) == pytest.approx(score, abs=5e-5)


def test_beam_score_is_the_tail_of_the_density():
    tail = quad(lambda x: x**20 * (1 - x) ** 3 / beta_function(21, 4), 0.925, 1)[0]
    assert float(beam_score(20, 1)) == pytest.approx(100 * tail, rel=1e-8)


def test_cells_are_called_for_what_they_bind():
    found = call_specificity(
        _counts({5: {"GIL_Flu_MP": 80}, 3: {"KLG_CMV": 15}}), ANTIGENS, None, OPTIONS
    )
    assert _called(found) == [("cell003", "KLG_CMV"), ("cell005", "GIL_Flu_MP")]
    assert found["n_umi"].tolist() == [15, 80]
    assert list(found.columns) == list(SPECIFICITY_COLUMNS)


@pytest.mark.parametrize(
    ("umis", "options", "is_called"),
    [
        ({"GIL_Flu_MP": 15}, {}, True),
        ({"GIL_Flu_MP": 9}, {}, False),
        ({"GIL_Flu_MP": 9}, {"min_umi": 8}, True),
        ({"GIL_Flu_MP": 15, "NLV_CMV": 8}, {}, False),  # no clear lead
        ({"GIL_Flu_MP": 15, "NLV_CMV": 8}, {"min_dominance": 1.5}, True),
        ({"GIL_Flu_MP": 15, "NC_2": 8}, {}, False),  # nor over the controls
        ({"GIL_Flu_MP": 90, "NLV_CMV": 60}, {}, True),  # by its score
        ({"GIL_Flu_MP": 90, "NLV_CMV": 60}, {"min_score": 99}, False),
        ({"GIL_Flu_MP": 90, "NC_1": 60}, {}, False),
        ({"NC_1": 90}, {}, False),
    ],
)
def test_rule_of_a_call(umis, options, is_called):
    found = call_specificity(_counts({5: umis}), ANTIGENS, None, DnaBarcodeOptions(**options))
    assert (("cell005", "GIL_Flu_MP") in _called(found)) == is_called
    assert not found["dna_barcode"].str.startswith("NC").any()


def test_two_strong_antigens_are_both_called():
    found = call_specificity(
        _counts({5: {"GIL_Flu_MP": 90, "NLV_CMV": 80}}), ANTIGENS, None, OPTIONS
    )
    assert _called(found) == [("cell005", "GIL_Flu_MP"), ("cell005", "NLV_CMV")]


def test_multimer_that_many_cells_hold_needs_more_umis():
    sticky = {i: {"KLG_CMV": 4 + 3 * (i % 6)} for i in range(150)}
    counts = _counts(sticky | {180: {"GIL_Flu_MP": 15}, 181: {"KLG_CMV": 15}})
    assert _called(call_specificity(counts, ANTIGENS, None, OPTIONS)) == [("cell180", "GIL_Flu_MP")]


def test_control_of_the_same_hla_is_taken_else_the_largest():
    counts = _counts(
        {5: {"GIL_Flu_MP": 300, "NC_1": 1, "NC_2": 7}, 6: {"KLG_CMV": 300, "NC_1": 1, "NC_2": 7}}
    )
    found = call_specificity(counts, ANTIGENS, None, OPTIONS)
    assert found["control_umi"].tolist() == [1, 7]
    assert found["score"].tolist() == [
        pytest.approx(float(beam_score(300, 1))),
        pytest.approx(float(beam_score(300, 7))),
    ]


def test_without_controls_the_background_decides():
    names = ANTIGENS["dna_barcode"].tolist()[:3]
    counts = _counts({5: {"GIL_Flu_MP": 15}, 6: {"GIL_Flu_MP": 90, "NLV_CMV": 60}}, names)
    found = call_specificity(counts, ANTIGENS, None, OPTIONS)
    assert _called(found) == [("cell005", "GIL_Flu_MP")]
    assert found[["score", "control_umi"]].isna().all(axis=None)


def test_q_values_are_over_all_cells_and_antigens():
    counts = _counts({5: {"GIL_Flu_MP": 15}})
    found = call_specificity(counts, ANTIGENS, None, OPTIONS)
    umis = counts.X.toarray()[:, :3].astype(float)
    background = fit_background(umis)
    tail = nbinom.sf(
        umis - 1, background.size, background.size / (background.size + background.mean)
    )
    q_value = false_discovery_control(tail.ravel()).reshape(tail.shape)
    assert found["p_value"][0] == pytest.approx(tail[5, 0])
    assert found["q_value"][0] == pytest.approx(q_value[5, 0])


def test_dna_barcode_without_a_row_is_an_antigen():
    found = call_specificity(
        _counts({5: {"NC_1": 90}}), ANTIGENS.iloc[:0], None, DnaBarcodeOptions()
    )
    assert _called(found) == [("cell005", "NC_1")]


def test_controls_alone_give_an_empty_table():
    found = call_specificity(_counts({}, ["NC_1", "NC_2"]), ANTIGENS, None, OPTIONS)
    assert found.empty
    assert list(found.columns) == list(SPECIFICITY_COLUMNS)


def test_agreement_of_cells_with_one_receptor():
    counts = _counts({i: {"GIL_Flu_MP": 60} for i in (1, 2, 9)} | {3: {"NLV_CMV": 60}})
    receptors = pd.DataFrame(
        {
            "cell_barcode": ["cell001", "cell002", "cell003", "cell004", "cell009", "no_counts"],
            "VJ_1_junction": ["a", "a", "a", "a", None, "a"],
            "VDJ_1_junction": ["b", "b", "b", "b", "b", "b"],
        }
    )
    found = call_specificity(counts, ANTIGENS, receptors, OPTIONS).set_index("cell_barcode")
    agreement = found[["n_same_receptor", "n_same_call"]].to_numpy().tolist()
    assert agreement == [[4, 2], [4, 2], [4, 1], [0, 0]]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999))
def test_order_of_cells_and_antigens_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    counts = _counts({i: {"GIL_Flu_MP": int(n)} for i, n in enumerate(rng.poisson(20, size=30))})
    shuffled = counts[rng.permutation(N_CELLS), rng.permutation(len(ANTIGENS))]
    expected = call_specificity(counts, ANTIGENS, None, OPTIONS)
    found = call_specificity(shuffled, ANTIGENS.sample(frac=1, random_state=rng), None, OPTIONS)
    pd.testing.assert_frame_equal(found, expected)
    assert len(found) > 0


def test_background_does_not_see_the_cells_that_bind():
    rng = np.random.default_rng(1)
    background = rng.negative_binomial(2, 2 / (2 + 1.5), size=(4000, 1)).astype(float)
    binders = rng.poisson(150, size=(400, 1)).astype(float)
    with_binders = fit_background(np.vstack([background, binders]))
    without = fit_background(background)
    np.testing.assert_allclose(with_binders.mean, without.mean, rtol=0.01)
    np.testing.assert_allclose(with_binders.size, without.size, rtol=0.01)
    # The background's own tail is cut too: its mean is a tenth too small.
    np.testing.assert_allclose(without.mean, background.mean(), rtol=0.15)


@pytest.mark.parametrize("frac_binding", [0.02, 0.15, 0.4])
@pytest.mark.parametrize("n_umi", [20, 150])
def test_binding_cells_are_called_however_many_they_are(frac_binding, n_umi):
    n = int(frac_binding * N_CELLS)
    counts = _counts({i: {"GIL_Flu_MP": n_umi} for i in range(n)})
    assert len(call_specificity(counts, ANTIGENS, None, OPTIONS)) == n


def test_background_of_an_unseen_dna_barcode_is_defined():
    tail = fit_background(np.zeros((50, 1))).upper_tail(np.array([[0.0], [1.0], [10.0]]))
    assert tail[0, 0] == 1
    assert 0 <= tail[2, 0] < tail[1, 0] < 0.01


@pytest.fixture(scope="module")
def library(shared_data):
    """One donor, 1,000 cells, 44 dextramers and 6 negative controls."""
    from hiaim_sc.ingest import read_contigs, read_matrix
    from hiaim_sc.tcr import call_receptors

    folder = shared_data / "real_dextramer"
    files = folder / "libraries" / "donor_v"
    antigens = pd.read_csv(folder / "antigens.tsv", sep="\t")
    matrix = read_matrix(files / "filtered_feature_bc_matrix.h5", None)
    position = [list(matrix.symbols).index(name) for name in antigens["dna_barcode"]]
    counts = AnnData(
        sparse.csr_matrix(matrix.counts[:, position]),
        obs=pd.DataFrame(index=matrix.cell_barcodes),
        var=pd.DataFrame(index=antigens["dna_barcode"].to_numpy()),
    )
    contigs = read_contigs(files / "filtered_contig_annotations.csv").table
    return counts, antigens, call_receptors(contigs, TcrOptions())


@pytest.fixture(scope="module")
def published(shared_data):
    table = pd.read_csv(shared_data / "real_dextramer" / "published_binders.tsv", sep="\t")
    return set(zip(table["cell_barcode"], table["pMHC"], strict=True))


@pytest.mark.data
def test_published_binders_are_found(library, published):
    calls = set(_called(call_specificity(*library, OPTIONS)))
    assert len(published) == 166
    assert len(calls & published) >= 0.95 * 166


@pytest.mark.data
def test_other_calls_have_the_clone_behind_them(library, published):
    calls = call_specificity(*library, OPTIONS)
    is_new = [pair not in published for pair in _called(calls)]
    others = calls[is_new]
    in_clone = others[others["n_same_receptor"] >= 2]
    agreement = in_clone["n_same_call"] / in_clone["n_same_receptor"]
    assert len(in_clone) >= 40
    assert (agreement > 0.5).mean() >= 0.9
    assert (others["dna_barcode"] == "AVFDRKSDAK_EBNA-3B_EBV").sum() >= 32


@pytest.mark.data
def test_controls_hardly_ever_look_like_antigens(library):
    counts, antigens, receptors = library
    unmarked = antigens.assign(is_control=False)
    calls = call_specificity(counts, unmarked, receptors, OPTIONS)
    assert calls["dna_barcode"].str.endswith("_NC").sum() <= 0.01 * counts.n_obs
