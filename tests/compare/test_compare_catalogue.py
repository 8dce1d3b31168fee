"""The clonal and antigen endpoints where a subsample is the sample, so that the answer is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import hypergeom

from hiaim_sc.compare import Screen, locate_samples, measure_endpoints
from hiaim_sc.compare.endpoints import CHANGES, WITH_BLOOD, WITH_TUMOUR
from hiaim_sc.compare.endpoints.diversity import average_inequality, effective_clones
from hiaim_sc.compare.endpoints.scales import as_mean_number, as_mean_share, as_share
from hiaim_sc.compare.endpoints.tissues import unseen_share
from hiaim_sc.config import CompareOptions, Design
from hiaim_sc.names import ENDPOINTS, FAMILIES, PUTATIVE, RELEASE_TABLES
from hiaim_sc.stats import (
    clonality,
    gini,
    hill_number,
    morisita_horn,
    simpson_unbiased,
    startrac,
    subsample_counts,
)

DESIGN = Design(
    arms=("control", "exercise"), visits={"baseline": 0, "week6": 42}, tissues=("blood", "tumor")
)
# clone i of the one is clone i of the other; all samples have 60 T cells with a clone
BEFORE = [20, 10, 5, 1, *[1] * 24]
AFTER = [12, 10, 2, 20, *[1] * 16]
TUMOUR = [30, 0, 20, 2, 2, 6]
SAMPLES = {
    "P1-baseline-blood-rest": BEFORE,
    "P1-week6-blood-rest": AFTER,
    "P1-baseline-tumor-rest": [40, 20],
    "P1-week6-tumor-rest": TUMOUR,
}
OPTIONS = CompareOptions(
    depth={"blood": 60, "tumor": 60},
    pmhc_depth={"blood": 60},
    min_blood_depth=60,
    min_t_cells=60,
    startrac_min_cells=10,
    called_draws=3,
    diversity_draws=3,
)


@pytest.fixture
def measure(make_cells, make_expected, make_states, make_identity):
    def build(samples=SAMPLES, *, options=OPTIONS, relabel=None, **inputs):
        expected = make_expected([locate(name) for name in samples])
        located = locate_samples(expected, make_states(list(samples)), make_identity())
        cells = pd.concat(
            [make_cells(f"L{name}", name, {"T": 60}, clones) for name, clones in samples.items()],
            ignore_index=True,
        )
        cells = cells if relabel is None else relabel(cells)
        table = measure_endpoints(cells, located, design=DESIGN, options=options, **inputs)
        return table.set_index(["endpoint", "sample_id"])

    return build


def locate(sample: str) -> tuple[str, ...]:
    patient, visit, tissue, phase = sample.split("-")
    return patient, visit, tissue, "collected", phase


LATER = "P1-week6-blood-rest"
BIOPSY = "P1-week6-tumor-rest"


def aligned(one: list[int], other: list[int]) -> tuple[np.ndarray, np.ndarray]:
    n = max(len(one), len(other))
    return tuple(np.pad(counts, (0, n - len(counts))) for counts in (one, other))


@pytest.mark.parametrize(
    ("endpoint", "known", "scale"),
    [
        ("simpson", simpson_unbiased, "ln"),
        ("clonality_m", clonality, "identity"),
        ("gini_m", gini, "identity"),
        ("hill_0_m", lambda x: hill_number(x, 0), "ln"),
        ("hill_1_m", lambda x: hill_number(x, 1), "ln"),
        ("hill_2_m", lambda x: hill_number(x, 2), "ln"),
    ],
)
def test_at_full_depth_an_index_is_the_index_of_the_sample(measure, endpoint, known, scale):
    row = measure().loc[(endpoint, LATER)]
    assert row["value"] == pytest.approx(known(AFTER), rel=1e-12)
    analysed = np.log(row["value"]) if scale == "ln" else row["value"]
    assert (row["value_analysed"], row["scale"]) == (pytest.approx(analysed), scale)


def test_without_a_clone_of_two_cells_the_logarithm_takes_the_least_concentration(measure):
    row = measure({LATER: [1] * 60}).loc[("simpson", LATER)]
    assert row["value"] == 0
    assert row["value_analysed"] == pytest.approx(-np.log(60 * 59))


def test_clones_that_grew_at_full_depth(measure):
    table = measure()
    # only clone 3, of 1 and 20 cells, passes at rho 0.05: clones 0 and 1 did not grow
    assert table.loc[("n_called_m", LATER), "value"] == 1
    assert table.loc[("called_frac_m", LATER), "value"] == pytest.approx(20 / 60)
    # of the clones with 5 cells or more at both visits together, clone 3 alone rose, by 19
    assert table.loc[("gain_m", LATER), "value"] == pytest.approx(19 / 60)


def test_overlaps_are_morisita_horn_with_unbiased_denominators(measure):
    table = measure()
    visits = morisita_horn(*aligned(BEFORE, AFTER), unbiased=True)
    turnover = table.loc[("turnover", LATER)]
    assert turnover["value"] == pytest.approx(1 - visits)
    assert turnover["value_analysed"] == pytest.approx(-np.log(visits))
    tissues = morisita_horn(*aligned(TUMOUR, AFTER), unbiased=True)
    assert table.loc[("overlap_bt", BIOPSY), "value"] == pytest.approx(tissues)
    assert table.loc[("overlap_bt", BIOPSY), "value_analysed"] == pytest.approx(np.log(tissues))


def test_samples_without_a_shared_clone_have_an_overlap_of_half_a_pair(measure):
    table = measure({LATER: [30, 30], BIOPSY: [0, 0, 60]})
    assert table.loc[("overlap_bt", BIOPSY), "value"] == 0
    scale = simpson_unbiased([30, 30]) + 1
    expected = np.log(0.5 * 2 / (scale * 60 * 60))
    assert table.loc[("overlap_bt", BIOPSY), "value_analysed"] == pytest.approx(expected)


def test_shared_and_novel_clones_at_full_depth(measure):
    table = measure()
    # every clone of the tumour but clone 1 (none there) is in the blood of the visit
    assert table.loc[("share_bt", BIOPSY), "value"] == pytest.approx(1)
    assert table.loc[("blood_tumour_dual", BIOPSY), "value"] == pytest.approx(52 / 60)
    samples = SAMPLES | {"P1-baseline-blood-rest": [59, 0, 0, 0, 1]}
    # clone 0 was in both before, clone 4 in the blood before; 2, 3 and 5 in neither
    row = measure(samples).loc[("novel_tum", BIOPSY)]
    assert row["value"] == pytest.approx((20 + 2 + 6) / 60)
    assert row["scale"] == "logit"


def test_circulating_cells_of_tumour_clones_at_full_depth(measure):
    row = measure().loc[("ctm_frac", LATER)]
    # clones 0 and 2 to 5 are in the biopsy; of clone 1, with 10 cells, and 6 to 19 there is nothing
    assert row["value"] == pytest.approx((12 + 2 + 20 + 1 + 1) / 60)
    assert row["value_analysed"] == pytest.approx(np.log(36.5 / 24.5))
    assert (row["scale"], row["depth"], row["n_cells"]) == ("logit", 60, 60)


def test_circulating_cells_of_five_clones(measure):
    # tumour 1, 3, 2, 4, 0 and blood 0, 0, 1, 3, 5: 4 of 9 blood cells
    options = OPTIONS.model_copy(
        update={"depth": {"blood": 9, "tumor": 10}, "min_blood_depth": 9, "min_t_cells": 9}
    )
    samples = {LATER: [0, 0, 1, 3, 5], BIOPSY: [1, 3, 2, 4]}
    assert measure(samples, options=options).loc[("ctm_frac", LATER), "value"] == (
        pytest.approx(4 / 9)
    )


def test_circulating_cells_need_deep_blood_and_a_biopsy(measure):
    shallow = OPTIONS.model_copy(update={"min_blood_depth": 61})
    assert measure(options=shallow).loc[("ctm_frac", LATER), "reason_missing"] == "below_depth"
    alone = {name: found for name, found in SAMPLES.items() if name != BIOPSY}
    assert measure(alone).loc[("ctm_frac", LATER), "reason_missing"] == "not_collected"


def test_the_depth_of_the_blood_does_not_move_the_circulating_cells(measure):
    # the same frequencies at three times the cells; the biopsy is seen at the same depth
    options = OPTIONS.model_copy(
        update={"depth": {"blood": 20, "tumor": 30}, "min_blood_depth": 20}
    )
    values = []
    for factor in (1, 3):
        blood = [factor * n for n in (6, 5, 1, 8)]
        table = measure({LATER: blood, BIOPSY: TUMOUR}, options=options)
        values.append(table.loc[("ctm_frac", LATER), ["value", "value_analysed"]].tolist())
    assert values[0] == pytest.approx(values[1])


def test_the_unseen_share_is_its_mean_over_subsamples():
    rng = np.random.default_rng(7)
    tumour, blood = pd.Series([5, 3, 2]), pd.Series([4, 6, 0, 30])
    drawn = subsample_counts(blood.to_numpy(), 8, n_draws=20_000, rng=rng)[:, :3]
    share = ((drawn == 0) @ tumour.to_numpy()) / tumour.sum()
    error = share.std() / np.sqrt(len(share))
    assert unseen_share(tumour, (blood, 8)) == pytest.approx(share.mean(), abs=4 * error)


@pytest.mark.parametrize("q", [0, 1, 2])
def test_effective_clones_at_a_depth_are_those_of_the_expected_spectrum(q):
    rng = np.random.default_rng(8)
    counts = pd.Series([30, 12, 6, *[1] * 20])
    drawn = subsample_counts(counts.to_numpy(), 20, n_draws=40_000, rng=rng)
    share = drawn / 20
    if q == 1:
        each = -(share * np.log(np.where(share > 0, share, 1))).sum(axis=1)
        expected, error = np.exp(each.mean()), np.exp(each.mean()) * each.std()
    else:
        each = (share > 0).sum(axis=1) if q == 0 else (share**2).sum(axis=1)
        expected = each.mean() if q == 0 else 1 / each.mean()
        error = each.std() if q == 0 else each.std() / each.mean() ** 2
    found = effective_clones(counts, 20, q).value
    assert found == pytest.approx(expected, abs=4 * error / np.sqrt(len(drawn)))


def test_startrac_at_full_depth_is_that_of_the_pooled_cells(measure):
    def relabel(cells):
        # every third cell of clone 0 is a regulatory T cell
        is_treg = (cells["clone_key"] == "P1:000") & (np.arange(len(cells)) % 3 == 0)
        return cells.assign(cell_type=cells["cell_type"].mask(is_treg, "Treg"))

    samples = {BIOPSY: TUMOUR, LATER: AFTER}
    table = measure(samples, relabel=relabel)
    pooled = []
    for name, clones in samples.items():
        keys = np.repeat([f"P1:{i:03d}" for i in range(len(clones))], clones)
        pooled.append(pd.DataFrame({"clone": keys, "location": name.split("-")[2]}))
    cells = pd.concat(pooled, ignore_index=True)
    is_treg = (cells["clone"] == "P1:000") & (np.arange(120) % 3 == 0)
    known = startrac(cells["clone"], np.where(is_treg, "Treg", "CD8 T"), cells["location"])
    for index in ("expa", "migr", "tran"):
        found = table.loc[(f"startrac_{index}_CD8_T", BIOPSY), "value"]
        assert found == pytest.approx(known.loc["CD8 T", index])
    # a type that is one single clone is as expanded as can be
    assert table.loc[("startrac_expa_Treg", BIOPSY), "value"] == 1
    assert table.loc[("startrac_migr_CD4_T", BIOPSY), "reason_missing"] == "below_cell_min"


def relabel_helpers(cells):
    """All clones but the first two are of CD4 T cells."""
    is_helper = cells["clone_key"].notna() & ~cells["clone_key"].str[-3:].isin(["000", "001"])
    return cells.assign(cell_type=cells["cell_type"].mask(is_helper, "CD4 T"))


def test_startrac_of_a_type_does_not_move_with_the_share_of_another(measure):
    """The same CD8 T cells beside twelve times as many CD4 T cells."""
    samples = {}
    for patient, n_helpers in (("P1", 36), ("P2", 3)):
        samples[f"{patient}-week6-blood-rest"] = [14, 6, *[1] * n_helpers]
        samples[f"{patient}-week6-tumor-rest"] = [4, 16, *[1] * n_helpers]
    # both have 23 T cells, among which the second would show more of the CD8
    options = OPTIONS.model_copy(update={"depth": {"blood": 23, "tumor": 23}})
    table = measure(samples, relabel=relabel_helpers, options=options)
    for index in ("expa", "migr"):
        one, other = (
            table.loc[(f"startrac_{index}_CD8_T", f"{patient}-week6-tumor-rest")]
            for patient in ("P1", "P2")
        )
        assert 0 < one["value"] == pytest.approx(other["value"])
        assert (one["n_cells"], one["depth"]) == (40, 20)
    # six CD4 T cells are below the least number
    few = table.loc[("startrac_expa_CD4_T", "P2-week6-tumor-rest")]
    assert (few["reason_missing"], few["n_cells"]) == ("below_cell_min", 6)


def test_startrac_needs_as_many_cells_of_the_type_in_each_tissue(measure):
    samples = {}
    for patient, n_tumour in (("P1", 40), ("P2", 20)):
        samples[f"{patient}-week6-blood-rest"] = [20, 10]
        samples[f"{patient}-week6-tumor-rest"] = [n_tumour // 2, n_tumour // 2]
    table = measure(samples, options=OPTIONS.model_copy(update={"called_draws": 200}))
    for index in ("expa", "migr", "tran"):
        rows = table.loc[f"startrac_{index}_CD8_T"]
        # of 20 and 40 cells the 10 % quantile is 22
        assert rows["depth"].tolist() == [22, 22]
        assert rows["reason_missing"].tolist() == ["", "below_depth"]
    # x of 22 cells of the tumour are of the first clone, and all 30 of the blood are drawn
    drawn = np.arange(2, 21)
    each, chance = [clonality([x + 20, 32 - x]) for x in drawn], hypergeom.pmf(drawn, 40, 20, 22)
    error = np.sqrt(np.cov(each, aweights=chance, ddof=0) / 200)
    found = table.loc[("startrac_expa_CD8_T", "P1-week6-tumor-rest"), "value"]
    assert found == pytest.approx(chance @ each, abs=4 * error)


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        ({BIOPSY: TUMOUR, "P1-baseline-blood-rest": BEFORE}, "not_collected"),
        ({BIOPSY: TUMOUR, LATER: []}, "no_vdj"),
    ],
)
def test_startrac_needs_the_blood_of_the_visit(measure, samples, reason):
    row = measure(samples).loc[("startrac_migr_CD8_T", BIOPSY)]
    assert (row["reason_missing"], row["n_cells"]) == (reason, 60)


def make_screen(calls, *, hla="A*02:01", libraries=(f"L{LATER}",)) -> Screen:
    antigens = pd.DataFrame(
        {
            "dna_barcode": ["a", "b", "c", "d", "neg"],
            "hla": ["A*02:01", "A*02:01:01", "B*07:02", None, "A*02:01"],
            "is_control": [False, False, False, False, True],
        }
    )
    columns = ["library_id", "cell_barcode", "dna_barcode"]
    called = [(f"L{LATER}", f"L{LATER}-{cell:05d}", antigen) for cell, antigen in calls]
    return Screen(
        pd.DataFrame(called, columns=columns),
        antigens,
        pd.DataFrame({"patient_id": ["P1"], "hla": [hla]}),
        frozenset(libraries),
    )


def test_breadth_and_magnitude_count_the_antigens_that_the_patients_hla_presents(measure):
    # a and b are of his HLA, d of no stated one, c of another; the control is no antigen
    calls = [(0, "a"), (1, "a"), (1, "d"), (2, "c"), (3, "neg")]
    table = measure(screen=make_screen(calls))
    breadth = table.loc[("pmhc_breadth", LATER)]
    assert (breadth["value"], breadth["n_cells"]) == (pytest.approx(2 / 3), 60)
    assert breadth["value_analysed"] == pytest.approx(np.log(2.5 / 1.5))
    magnitude = table.loc[("pmhc_mag", LATER)]
    assert magnitude["value"] == pytest.approx(2 / 60)
    assert magnitude["value_analysed"] == pytest.approx(np.log(2.5 / 60))


def test_a_sample_that_was_not_stained_has_no_antigen_endpoint(measure):
    table = measure(screen=make_screen([(0, "a")]))
    first = table.loc[("pmhc_breadth", "P1-baseline-blood-rest")]
    assert first["reason_missing"] == "not_collected"
    few = measure(screen=make_screen([]), options=OPTIONS.model_copy(update={"min_t_cells": 61}))
    assert few.loc[("pmhc_mag", LATER), "reason_missing"] == "below_cell_min"


def test_antigens_are_counted_among_as_many_cells_in_every_sample(measure):
    calls = [(0, "a"), (1, "a"), (1, "d")]
    half = measure(
        screen=make_screen(calls), options=OPTIONS.model_copy(update={"pmhc_depth": {"blood": 30}})
    ).loc[("pmhc_breadth", LATER)]
    # one of 60 cells is among 30 in half of the draws, one of two cells in 1 - 30 * 29 / 60 / 59
    assert half["value"] == pytest.approx((1 / 2 + 1 - 30 * 29 / (60 * 59)) / 3)
    assert (half["depth"], half["reason_missing"]) == (30, "")
    deeper = OPTIONS.model_copy(update={"pmhc_depth": {"blood": 61}, "min_t_cells": 60})
    found = measure(screen=make_screen(calls), options=deeper)
    assert found.loc[("pmhc_breadth", LATER), "reason_missing"] == "below_depth"
    assert found.loc[("pmhc_mag", LATER), "reason_missing"] == ""


def test_the_depth_of_antigens_is_that_of_the_stained_samples(measure):
    """Clones keep the depth of all samples; the samples that were not stained have no say here."""
    samples = SAMPLES | {"P1-baseline-blood-rest": [10, 5]}
    options = CompareOptions(min_depth=5)
    rows = measure(samples, screen=make_screen([(0, "a")]), options=options).reset_index()
    depth = rows.dropna(subset="depth").set_index(["endpoint", "sample_id"])["depth"]
    assert depth.loc[("nexp_m", LATER)] == 19
    assert depth.loc[("pmhc_breadth", LATER)] == 60


def test_mobilisation_is_the_ratio_to_rest_within_patient_and_visit(measure):
    rows = [("P1", "week6", "rest", 0.2), ("P1", "week6", "post_bout", 0.6)]
    rows += [("P1", "baseline", "post_bout", 0.5)]
    values = pd.DataFrame(rows, columns=["patient_id", "visit", "session_phase", "value"])
    values = values.assign(assay="flow", analyte="NK", unit="1e9/L")
    table = measure(measurements=values).reset_index()
    acute = table[table["endpoint"] == "flow:NK_acute"].set_index("visit")
    assert (acute["session_phase"] == "post_bout").all()
    assert acute.loc["week6", "value"] == pytest.approx(3)
    assert acute.loc["week6", "value_analysed"] == pytest.approx(np.log(3))
    assert acute.loc["baseline", "reason_missing"] == "not_collected"


def test_the_words_of_the_plan_are_the_endpoints_that_are_measured(measure):
    samples = {**SAMPLES, "P1-week6-blood-post_bout": AFTER}
    phenotypes = pd.DataFrame(columns=RELEASE_TABLES["clone_phenotypes"], dtype="str")
    found = measure(samples, screen=make_screen([]), phenotypes=phenotypes).reset_index()
    assert set(found["endpoint"]) == ENDPOINTS
    assert CHANGES | WITH_BLOOD | WITH_TUMOUR <= ENDPOINTS
    for family, members in FAMILIES.items():
        assert len(set(members)) == len(members), family


def make_phenotypes(*rows):
    columns = ["patient_id", "clone_key", "label", "reason"]
    known = pd.DataFrame(rows, columns=columns, dtype="str")
    return known.reindex(columns=RELEASE_TABLES["clone_phenotypes"])


def test_blood_cells_of_putative_clones_are_counted_of_those_with_a_clone(measure):
    """Blood at week 6 has 20, 20 and 10 cells of clones that the tumour tells about."""
    samples = {LATER: [20, 20, 10], "P1-baseline-blood-rest": [50], BIOPSY: [30]}
    rows = [("P1", f"P1:{i:03d}", PUTATIVE if i == 1 else "other", "") for i in range(3)]
    options = OPTIONS.model_copy(update={"min_t_cells": 50})
    found = measure(samples, phenotypes=make_phenotypes(*rows), options=options)
    later = found.loc[("blood_ptr_frac", LATER)]
    assert later["value"] == pytest.approx(20 / 50)
    assert later["value_analysed"] == pytest.approx(np.log(20.5 / 30.5))
    assert (later["n_cells"], later["scale"]) == (50, "logit")
    assert found.loc[("blood_ptr_frac", "P1-baseline-blood-rest"), "value"] == 0
    assert ("blood_ptr_frac", BIOPSY) not in found.index


@pytest.mark.parametrize(
    ("label", "why", "update", "reason"),
    [
        ("untestable", "too_few_tumor_cells", {"min_t_cells": 50}, "below_cell_min"),
        ("excluded", "MAIT", {"min_t_cells": 50}, "below_cell_min"),
        (PUTATIVE, "", {"min_t_cells": 51}, "below_cell_min"),
        (PUTATIVE, "", {"min_t_cells": 50}, ""),
    ],
)
def test_why_no_blood_cells_of_putative_clones_are_counted(measure, label, why, update, reason):
    samples, phenotypes = {LATER: [50], BIOPSY: [30]}, make_phenotypes(("P1", "P1:000", label, why))
    found = measure(samples, phenotypes=phenotypes, options=OPTIONS.model_copy(update=update))
    assert found.loc[("blood_ptr_frac", LATER), "reason_missing"] == reason


def test_nothing_is_expected_of_genes_that_were_not_measured(measure):
    phenotypes = make_phenotypes(("P1", "P1:000", "untestable", "genes_not_measured"))
    found = measure({LATER: [50], BIOPSY: [30]}, phenotypes=phenotypes)
    assert "blood_ptr_frac" not in found.index


def test_a_mean_over_subsamples_is_taken_on_the_analysed_scale():
    drawn = np.array([0, 0, 3])
    number = as_mean_number(drawn)
    assert number.value == 1
    assert number.analysed == pytest.approx(np.log([0.5, 0.5, 3.5]).mean())
    share = as_mean_share(drawn, 10)
    assert share.value == pytest.approx(0.1)
    assert share.analysed == pytest.approx(np.log([0.5 / 10.5, 0.5 / 10.5, 3.5 / 7.5]).mean())


def test_clones_below_the_total_are_never_called(measure):
    # clone 2 grows from 0 to 4 cells: p is .03 at equal depth without drift, but 4 cells are few
    before, after = [30, 30], [28, 28, 4]
    options = OPTIONS.model_copy(update={"called_rho": 0.0, "called_alpha": 0.07})
    samples = {"P1-baseline-blood-rest": before, LATER: after}
    table = measure(samples, options=options)
    assert table.loc[("n_called_m", LATER), "value"] == 0
    assert table.loc[("gain_m", LATER), "value"] == 0
    fewer = measure(samples, options=options.model_copy(update={"called_min_total": 4}))
    assert fewer.loc[("n_called_m", LATER), "value"] == 1
    assert fewer.loc[("gain_m", LATER), "value"] == pytest.approx(4 / 60)


def test_gini_of_subsamples_of_few_clones_is_the_mean_of_each():
    counts = pd.Series([40, 12, 3, 1, 1, 1])
    found = average_inequality(counts, 20, draws=400, rng=np.random.default_rng(2))
    drawn = subsample_counts(counts.to_numpy(), 20, n_draws=4000, rng=np.random.default_rng(3))
    each = np.array([gini(row) for row in drawn])
    assert found.gini == pytest.approx(each.mean(), abs=4 * each.std() / 20)


@pytest.mark.parametrize(
    ("share", "cells"), [(-2.2e-16, 0), (0.0, 0), (0.25, 25), (1 + 2.2e-16, 100)]
)
def test_a_share_that_rounding_left_outside_is_none_or_all(share, cells):
    """1 - sum(p) of all clones seen in blood is not 0 in floating point."""
    found = as_share(share, 100)
    assert found.value == cells / 100
    assert found.analysed == pytest.approx(np.log((cells + 0.5) / (100 - cells + 0.5)))
