from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, nbinom

from hiaim_sc.config import DnaBarcodeOptions
from hiaim_sc.dna_barcodes import SPECIFICITY_COLUMNS, beam_score, measure_staining
from hiaim_sc.dna_barcodes.background import fit_background

from .conftest import ANTIGENS, N_CELLS, call, make_clones, make_counts, make_receptors, pairs


def test_cells_are_called_for_what_they_bind():
    found = call(make_counts({5: {"GIL_Flu_MP": 80}, 3: {"KLG_CMV": 16}})).cells
    assert pairs(found) == [("cell003", "KLG_CMV"), ("cell005", "GIL_Flu_MP")]
    assert found["n_umi"].tolist() == [16, 80]
    assert found["evidence"].tolist() == ["cell", "cell"]
    assert list(found.columns) == list(SPECIFICITY_COLUMNS)


@pytest.mark.parametrize(
    ("umis", "options", "is_called"),
    [
        ({"GIL_Flu_MP": 15}, {}, True),  # ln 5.01 (5 / 6)^2 = 1.12
        ({"GIL_Flu_MP": 14}, {}, False),  # ln 4.01 (4 / 5)^2 = 0.89
        ({"GIL_Flu_MP": 14}, {"min_umi": 8}, True),
        ({"GIL_Flu_MP": 15, "NLV_CMV": 9}, {}, True),  # up to 10 UMIs are no evidence
        ({"GIL_Flu_MP": 30, "NLV_CMV": 20}, {}, False),  # no clear lead
        ({"GIL_Flu_MP": 15, "NC_1": 8}, {}, False),  # nor over the control
        ({"GIL_Flu_MP": 15, "NC_1": 8}, {"min_dominance": 1.5}, True),
        ({"GIL_Flu_MP": 90, "NLV_CMV": 60}, {}, True),  # by its score
        ({"GIL_Flu_MP": 90, "NLV_CMV": 60}, {"min_score": 99}, False),
        ({"GIL_Flu_MP": 90, "NC_1": 60}, {}, False),
        ({"NC_1": 90}, {}, False),
    ],
)
def test_rule_of_a_call(umis, options, is_called):
    found = call(make_counts({5: umis}), **options).cells
    assert (("cell005", "GIL_Flu_MP") in pairs(found)) == is_called
    assert not found["dna_barcode"].str.startswith("NC").any()


def test_two_strong_antigens_are_both_called():
    found = call(make_counts({5: {"GIL_Flu_MP": 90, "NLV_CMV": 80}})).cells
    assert pairs(found) == [("cell005", "GIL_Flu_MP"), ("cell005", "NLV_CMV")]


def test_multimer_that_many_cells_hold_needs_more_umis():
    common = {i: {"KLG_CMV": 4 + 3 * (i % 6)} for i in range(150)}
    counts = make_counts(common | {180: {"GIL_Flu_MP": 16}, 181: {"KLG_CMV": 16}})
    assert pairs(call(counts).cells) == [("cell180", "GIL_Flu_MP")]


def test_sticky_cell_is_not_called_and_its_clone_mates_are():
    sticky = dict.fromkeys(ANTIGENS["dna_barcode"][:4], 12) | {"GIL_Flu_MP": 60}
    counts = make_counts({5: sticky, 6: {"GIL_Flu_MP": 60}})
    staining = measure_staining(counts, ANTIGENS, None, DnaBarcodeOptions())
    assert staining.stained.query("is_sticky")["cell_barcode"].tolist() == ["cell005"]
    assert pairs(call(counts).cells) == [("cell006", "GIL_Flu_MP")]


def test_control_of_the_same_hla_is_taken_else_the_largest():
    held = {"GIL_Flu_MP": 300, "NC_1": 1, "NC_2": 7}
    found = call(make_counts({5: held, 6: {**held, "GIL_Flu_MP": 0, "KLG_CMV": 300}})).cells
    assert found["control_umi"].tolist() == [1, 7]
    assert found["score"].tolist() == [
        pytest.approx(float(beam_score(300, 1))),
        pytest.approx(float(beam_score(300, 7))),
    ]


def test_without_controls_the_background_and_the_lead_decide():
    names = ANTIGENS["dna_barcode"].tolist()[:3]
    counts = make_counts({5: {"GIL_Flu_MP": 16}, 6: {"GIL_Flu_MP": 90, "NLV_CMV": 60}}, names)
    found = call(counts).cells
    assert pairs(found) == [("cell005", "GIL_Flu_MP")]
    assert found[["score", "control_umi"]].isna().all(axis=None)


def test_q_values_are_over_the_cells_that_can_be_called():
    sticky = dict.fromkeys(ANTIGENS["dna_barcode"], 40)
    counts = make_counts({5: {"GIL_Flu_MP": 16}, 9: sticky})
    paired = dict.fromkeys(range(0, N_CELLS, 5), "single pair")
    receptors = make_receptors(paired | {7: "orphan VJ"})
    found = call(counts, receptors=receptors).cells
    umis = counts.X.toarray()[:, 0].astype(float)
    fitted = fit_background(umis[:, None])
    tail = nbinom.sf(umis - 1, fitted.size, fitted.size / (fitted.size + fitted.mean))
    assert pairs(found) == [("cell005", "GIL_Flu_MP")]
    assert found["p_value"][0] == pytest.approx(tail[5])
    assert found["q_value"][0] == pytest.approx(false_discovery_control(tail[::5])[1])


@pytest.mark.parametrize("pairing", ["orphan VDJ", "multichain", "no IR", None])
def test_a_cell_without_both_chains_is_not_called_by_itself(pairing):
    counts = make_counts({5: {"GIL_Flu_MP": 80}, 6: {"GIL_Flu_MP": 80}})
    receptors = make_receptors({5: "extra VJ", 6: pairing})
    assert pairs(call(counts, receptors=receptors).cells) == [("cell005", "GIL_Flu_MP")]
    assert len(call(counts, receptors=receptors, require_pair=False).cells) == 2


def test_dna_barcode_without_a_row_is_an_antigen():
    assert pairs(call(make_counts({5: {"NC_1": 90}}), antigens=None).cells) == [("cell005", "NC_1")]


@pytest.mark.parametrize("flag", ["TRUE", "yes", "1", "True", True])
def test_control_column_as_people_spell_it(flag):
    antigens = ANTIGENS.assign(is_control=["no", "no", "FALSE", flag, flag])
    found = call(make_counts({5: {"NC_1": 90}, 6: {"GIL_Flu_MP": 90}}), antigens=antigens).cells
    assert pairs(found) == [("cell006", "GIL_Flu_MP")]


@pytest.mark.parametrize("names", [["NC_1", "NC_2"], ["GIL_Flu_MP"]])
def test_nothing_to_call_gives_tables_without_rows(names):
    counts = make_counts({}, names)
    counts.X = counts.X * 0
    found = call(counts, clones=make_clones({"a": [1, 2]}))
    assert found.cells.empty
    assert found.clones.empty
    assert list(found.cells.columns) == list(SPECIFICITY_COLUMNS)


@pytest.mark.parametrize(
    ("hla", "match", "called"),
    [
        ("A*02:01:01,B*07:02", [True], ["GIL_Flu_MP"]),
        ("A*03:01", [True], ["KLG_CMV"]),
        ("B*07:02", [], []),
        (None, [pd.NA, pd.NA], ["GIL_Flu_MP", "KLG_CMV"]),  # not typed: counts for everybody
    ],
)
def test_hla_mismatch_is_no_call(hla, match, called):
    counts = make_counts({5: {"GIL_Flu_MP": 80}, 6: {"KLG_CMV": 80}})
    found = call(counts, hla=hla)
    assert found.cells["dna_barcode"].tolist() == called
    assert found.cells["hla_match"].tolist() == match
    assert len(found.cells) + len(found.mismatched) == 2
    assert len(call(counts, hla=hla, hla_mismatch="keep").cells) == 2


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999))
def test_order_of_cells_and_antigens_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    counts = make_counts(
        {i: {"GIL_Flu_MP": int(n)} for i, n in enumerate(rng.poisson(20, size=30))}
    )
    clones = make_clones({"a": [0, 1, 2], "b": [3, 4]})
    shuffled = counts[rng.permutation(N_CELLS), rng.permutation(len(ANTIGENS))]
    expected = call(counts, clones=clones)
    found = call(
        shuffled,
        antigens=ANTIGENS.sample(frac=1, random_state=rng),
        clones=clones.sample(frac=1, random_state=rng),
    )
    pd.testing.assert_frame_equal(found.cells, expected.cells)
    pd.testing.assert_frame_equal(found.clones, expected.clones)
    assert len(found.cells) > 0


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
    assert len(call(make_counts({i: {"GIL_Flu_MP": n_umi} for i in range(n)})).cells) == n


def test_background_of_an_unseen_dna_barcode_is_defined():
    tail = fit_background(np.zeros((50, 1))).upper_tail(np.array([[0.0], [1.0], [10.0]]))
    assert tail[0, 0] == 1
    assert 0 <= tail[2, 0] < tail[1, 0] < 0.01
