"""Responses of a bulk screen: rule, flags, frequencies, breadth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hiaim_sc.config import BulkOptions
from hiaim_sc.dna_barcodes import barcode_enrichment, estimate_frequency
from hiaim_sc.dna_barcodes.bulk import OUTCOMES, call_responses, explain_losses, pool_screens
from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.names import BULK_FLAGS, RELEASE_TABLES

N = 60
UP = {"A1B1": 20.0, "A1B2": 8.0}
NAMES = [f"A{i // 10 + 1}B{i % 10 + 1}" for i in range(N)]
ANTIGENS = pd.DataFrame({"dna_barcode": NAMES, "hla": ["A*02:01"] * 20 + ["B*07:02"] * 39 + [None]})
TAGS = pd.DataFrame(
    {
        "sample_tag": ["K1", "K2", "K3", "N1", "N2", "N3"],
        "role": ["sample"] * 3 + ["input"] * 3,
        "sample_id": ["S1", "S1", None, None, None, None],
        "patient_id": ["P1", "P1", None, None, None, None],
        "hla": ["A*02:01,A*03:01"] * 2 + [None] * 4,
        "percent_pe": [0.8, 0.8, np.nan, np.nan, np.nan, np.nan],
    }
)


@pytest.fixture
def wide():
    """Molecules, dna_barcodes x sample tags: two responses in S1, none in K3."""
    rng = np.random.default_rng(12)
    base = rng.lognormal(4, 0.3, size=N)
    table = pd.DataFrame({tag: rng.poisson(base) for tag in TAGS["sample_tag"]}, index=NAMES)
    for name, fold in UP.items():
        table.loc[name, ["K1", "K2"]] = (table.loc[name, ["K1", "K2"]] * fold).astype(int)
    return table


def _long(wide) -> tuple[pd.DataFrame, pd.DataFrame]:
    counts = wide.stack()  # noqa: PD013
    counts = counts.rename("n_distinct").rename_axis(["dna_barcode", "sample_tag"])
    counts = counts[counts > 0].reset_index()
    sums = wide.sum()
    samples = pd.DataFrame(
        {"sample_tag": sums.index, "n_reads_n12": 2 * sums, "n_distinct": sums, "saturation": 0.5}
    )
    return counts.assign(n_reads=2 * counts["n_distinct"]), samples


def _call(wide, tags=TAGS, antigens=ANTIGENS, **options):
    return call_responses(*_long(wide), tags, antigens, BulkOptions(**options))


def test_planted_responses_and_no_others(wide):
    found = _call(wide).responses
    called = found[found["response"]]
    assert called[["sample_tag", "dna_barcode"]].to_numpy().tolist() == [
        ["K1;K2", name] for name in UP
    ]
    assert len(found) == 2 * N
    alone = barcode_enrichment(wide[["K1", "K2"]], wide[["N1", "N2", "N3"]])
    own = found[found["sample_tag"] == "K1;K2"].set_index("dna_barcode").loc[NAMES]
    np.testing.assert_allclose(own["fdr"], alone["fdr"])
    np.testing.assert_allclose(own["log_fold_change"], alone["log_fold_change"])
    by_hla = barcode_enrichment(wide.iloc[:20][["K1", "K2"]], wide.iloc[:20][["N1", "N2", "N3"]])
    np.testing.assert_allclose(own["fdr_hla"].iloc[:20], by_hla["fdr"])
    assert np.isnan(own["fdr_hla"].iloc[-1])  # of no HLA


def test_frequencies_of_the_published_example():
    counts = np.array([400, 60, 40])
    responses, everything = estimate_frequency(counts, np.array([True, True, False]), 0.8)
    np.testing.assert_allclose(responses[:2], [0.8 * 400 / 460, 0.8 * 60 / 460])
    assert [f"{value:.4f}" for value in responses[:2]] == ["0.6957", "0.1043"]
    assert np.isnan(responses[2])
    np.testing.assert_allclose(everything, [0.64, 0.096, 0.064])


def test_frequencies_stand_beside_each_response(wide):
    found = _call(wide).responses
    own = found[found["sample_tag"] == "K1;K2"]
    called = own[own["response"]]
    counts = wide.loc[list(UP), ["K1", "K2"]].sum(axis=1).to_numpy()
    np.testing.assert_allclose(called["estimated_frequency"], 0.8 * counts / counts.sum())
    total = wide[["K1", "K2"]].to_numpy().sum()
    np.testing.assert_allclose(called["estimated_frequency_all"], 0.8 * counts / total)
    assert found.loc[found["sample_tag"] == "K3", "estimated_frequency_all"].isna().all()


def test_breadth_is_over_what_the_patients_hla_presents(wide):
    found = _call(wide).breadth.set_index("sample_tag")
    # 20 of A*02:01 and the one of no HLA; both responses are among them
    assert found.loc["K1;K2", ["n_screened", "n_responses"]].tolist() == [21, 2]
    assert found.loc["K1;K2", "breadth"] == pytest.approx(2 / 21)
    assert found.loc["K1;K2", "magnitude"] == pytest.approx(0.8)
    assert found.loc["K3", ["n_screened", "n_responses"]].tolist() == [60, 0]


def test_a_response_of_another_hla_is_flagged_and_not_in_the_breadth(wide):
    wide.loc["A4B1", ["K1", "K2"]] *= 15
    found = _call(wide)
    row = found.responses.set_index(["sample_tag", "dna_barcode"]).loc[("K1;K2", "A4B1")]
    assert row["response"]
    assert row["flags"] == "hla_mismatch"
    assert found.breadth.set_index("sample_tag").loc["K1;K2", "n_responses"] == 2


def test_flags_take_no_response_away(wide):
    strict = _call(
        wide, min_log2_fc=9, min_count_fraction=0.9, min_input_count=1e6, min_saturation=0.9
    ).responses
    called = strict[strict["response"]]
    assert set(called["flags"]) == {"below_log2_fc;below_count_fraction;low_input;low_saturation"}
    assert len(called) == 2
    words = {word for flags in strict["flags"] for word in flags.split(";") if word}
    assert words <= set(BULK_FLAGS)


def test_one_replicate_is_said_at_every_row(wide):
    found = _call(wide, TAGS[~TAGS["sample_tag"].isin(["N2", "N3"])]).responses
    flags = found.groupby("sample_tag")["flags"].agg(lambda x: set(";".join(x).split(";")) - {""})
    assert flags["K1;K2"] == {"one_input_replicate"}
    assert flags["K3"] == {"one_sample_replicate", "one_input_replicate"}


def test_the_loss_of_power_stands_beside_the_number_of_replicates(wide):
    found = _call(wide).breadth.set_index("sample_tag")
    assert found["n_replicates"].to_dict() == {"K1;K2": 2, "K3": 1}
    assert found["n_inputs"].to_dict() == {"K1;K2": 3, "K3": 3}
    least = found["least_fold_change"]
    assert least["K3"] > least["K1;K2"] > 1
    # a change below it is no response even with all the molecules in the world
    for fold, is_found in ((0.95, False), (3, True)):
        rich = pd.DataFrame(1e6, index=NAMES, columns=wide.columns)
        rich.loc["A1B5", "K3"] *= fold * least["K3"]
        called = _call(rich.round().astype(int)).responses
        assert called.loc[called["sample_tag"] == "K3", "response"].any() == is_found


def test_a_missing_count_is_no_response_and_no_harm_to_others(wide):
    expected = _call(wide).responses
    counts, samples = _long(wide.astype(float))
    gone = (counts["dna_barcode"] == "A1B1") & (counts["sample_tag"] == "K1")
    counts.loc[gone, "n_distinct"] = np.nan
    found = call_responses(counts, samples, TAGS, ANTIGENS, BulkOptions()).responses
    own = found[found["sample_tag"] == "K1;K2"].set_index("dna_barcode")
    assert not own.loc["A1B1", "response"]
    assert own.loc["A1B1", ["n_distinct", "fdr", "estimated_frequency"]].isna().all()
    assert own.loc["A1B2", "response"]
    assert own["estimated_frequency_all"].sum() == pytest.approx(0.8)
    others = found[found["sample_tag"] == "K3"].reset_index(drop=True)
    assert (
        others["response"].tolist()
        == expected.loc[found["sample_tag"] == "K3", "response"].tolist()
    )


@pytest.mark.parametrize("spelling", ["HLA-A*02:01", "A0201", "A*02:01:01"])
def test_spellings_of_an_allele_make_one_group(wide, spelling):
    """Also of the mouse: `H2-Ld` and `H-2Ld` of one table are one group."""
    mixed = ANTIGENS.assign(
        hla=ANTIGENS["hla"].mask(ANTIGENS.index.isin(range(0, 20, 3)), spelling)
    )
    of_mice = ANTIGENS["hla"].replace({"A*02:01": "H2-Ld"})
    mice = ANTIGENS.assign(hla=of_mice.mask(ANTIGENS.index.isin(range(0, 20, 3)), "H-2L(d)"))
    expected = _call(wide)
    for antigens in (mixed, mice):
        found = _call(wide, antigens=antigens).responses
        pd.testing.assert_series_equal(found["fdr_hla"], expected.responses["fdr_hla"])
    found = _call(wide, antigens=mixed)
    pd.testing.assert_frame_equal(found.breadth, expected.breadth)
    # nothing of the mouse is presented by a person
    assert _call(wide, antigens=mice).breadth["n_screened"].tolist() == [1, N]


def test_chimeras_outside_the_panel_have_no_say(wide):
    expected = _call(wide).responses
    wide.loc["A9B9"] = 3
    wide.loc["A9B8", "K1"] = 5000
    wide = wide.fillna(0).astype(int)
    pd.testing.assert_frame_equal(_call(wide).responses, expected)
    assert len(_call(wide, antigens=None).responses) == 2 * (N + 2)


def test_a_panel_of_other_names_is_a_fault_not_an_absent_panel(wide):
    other = ANTIGENS.assign(dna_barcode=[f"A0{i}B01" for i in range(N)])
    with pytest.raises(LibraryFaultError, match=r"none of the dna_barcodes .* \(A1B1, \.\.\.\)"):
        _call(wide, antigens=other)
    of_cells = ANTIGENS.assign(dna_barcode=[f"GIL_{i}" for i in range(N)])
    assert len(_call(wide, antigens=of_cells).responses) == 2 * N


def test_tags_without_reads_are_left_out_and_inputs_without_are_a_fault(wide):
    found = _call(wide.assign(K3=0, N3=0)).responses
    assert set(found["sample_tag"]) == {"K1;K2"}
    with pytest.raises(LibraryFaultError, match="no input of the screen"):
        _call(wide.assign(N1=0, N2=0, N3=0))
    assert _call(wide.assign(K1=0, K2=0, K3=0)).responses.empty


def test_screens_together(wide):
    counts, samples = _long(wide)
    called = _call(wide)
    outcomes = pd.DataFrame({"outcome": list(OUTCOMES), "n": range(10, 20)})
    found = pool_screens(
        {"counts": {"X1": counts}, "outcomes": {"X1": outcomes}, "samples": {"X1": samples}},
        {"responses": {"X1": called.responses}, "breadth": {"X1": called.breadth}},
        TAGS.assign(screen_id="X1"),
        {"X2": "reads.fastq is cut short"},
    )
    quality = found["bulk_screens_qc"].set_index("screen_id")
    assert quality.loc["X1", "n_reads"] == sum(range(10, 20))
    assert quality.loc["X1", "pct_counted"] == pytest.approx(100 * 21 / 145)
    assert quality.loc["X1", "pct_tie"] == pytest.approx(100 * (15 + 17 + 19) / 145)
    assert quality.loc["X2", ["verdict", "reason"]].tolist() == [
        "quarantined",
        "reads.fastq is cut short",
    ]
    assert found["bulk_responses"]["screen_id"].unique().tolist() == ["X1"]
    assert found["bulk_samples_qc"]["role"].tolist() == TAGS["role"].tolist()


def test_a_screen_of_which_few_reads_count_says_why(wide):
    counts, samples = _long(wide)
    called = _call(wide)
    outcomes = pd.DataFrame({"outcome": list(OUTCOMES), "n": [40, 5, 1, 2, 3, 0, 70, 0, 4, 0]})
    found = pool_screens(
        {"counts": {"X1": counts}, "outcomes": {"X1": outcomes}, "samples": {"X1": samples}},
        {"responses": {"X1": called.responses}, "breadth": {"X1": called.breadth}},
        TAGS.assign(screen_id="X1"),
        {},
    )
    row = found["bulk_screens_qc"].iloc[0]
    assert row["verdict"] == "warn"
    assert row["reason"] == explain_losses(outcomes)
    assert "36.0 % of the reads are counted" in row["reason"]
    assert "of 70 no epitope tag B is found" in row["reason"]
    assert "as the B oligonucleotide has them" in row["reason"]
    half = outcomes.assign(n=[60, 5, 1, 2, 3, 0, 50, 0, 4, 0])
    assert explain_losses(half) == ""


def test_a_study_whose_only_screen_is_damaged_has_tables_with_all_columns():
    none = {"counts": {}, "outcomes": {}, "samples": {}}
    found = pool_screens(
        none, {"responses": {}, "breadth": {}}, TAGS.assign(screen_id="X1"), {"X1": "cut short"}
    )
    for name, table in found.items():
        assert set(RELEASE_TABLES[name]) <= set(table.columns)
    assert found["bulk_screens_qc"]["reason"].tolist() == ["cut short"]
    assert found["bulk_samples_qc"]["n_reads"].isna().all()
