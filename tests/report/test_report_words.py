"""Numbers, labels and sentences: what may be claimed, and how it is written."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiaim_sc.report import effects, formats, labels, sentences
from hiaim_sc.report.batches import describe_batches
from hiaim_sc.report.contrasts import split_contrast

ROW = {
    "endpoint": "nexp_m",
    "tissue": "blood",
    "visit": "week6",
    "session_phase": "rest",
    "contrast": "exercise - control",
    "n_reference": 12,
    "n_treated": 11,
    "estimate": np.log(2.0),
    "ci_low": np.log(1.25),
    "ci_high": np.log(3.2),
    "scale": "ln",
    "p_perm": 0.01,
    "p_adj": 0.02,
    "prespecified": False,
    "reason_empty": None,
    "blinded": False,
    "alpha": 0.05,
    "batch_inflation": 1.2,
}


def make_row(**changes):
    return ROW | changes


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.123456, "0.123"),
        (1.5, "1.50"),
        (12345.6, "12,346"),
        (2.5e9, "2.50e+09"),
        (-0.5, "-0.500"),
        (np.nan, ""),
    ],
)
def test_numbers_have_three_digits(value, text):
    assert formats.format_number(value) == text


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((1.7333, 1.0912, 2.7534), "1.73 (1.09 to 2.75)"),
        ((0.02, -0.046, 0.086), "0.020 (\u22120.046 to 0.086)"),
        ((12.0, 3.0, 48.0), "12.0 (3.0 to 48.0)"),
        ((0.5, 0.0004, 600.0), "0.5 (0.0004 to 600)"),
        ((2.0, np.nan, np.nan), "2.00 (interval not available)"),
        ((np.nan, 1.0, 2.0), ""),
    ],
)
def test_estimates_have_the_decimals_their_interval_deserves(numbers, text):
    assert formats.format_estimate(*numbers) == text


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.0001, "p < 0.001"), (0.0286, "p = 0.029"), (0.4, "p = 0.40"), (1.0, "p = 1.00")],
)
def test_p_is_never_zero(p, text):
    assert formats.format_p(p) == text


@given(st.floats(1e-4, 9e6))
def test_formatted_numbers_are_within_half_a_percent(value):
    assert float(formats.format_number(value).replace(",", "")) == pytest.approx(value, rel=0.0051)


@pytest.mark.parametrize(
    ("contrast", "arms"),
    [
        ("exercise - control", ("exercise", "control")),
        ("high-dose vs low-dose", ("high-dose", "low-dose")),
        ("exercise_vs_control", ("exercise", "control")),
        ("high-dose", ("treated", "reference")),
    ],
)
def test_contrasts_name_their_arms(contrast, arms):
    assert split_contrast(contrast) == arms


def test_labels_keep_sentences_and_unknown_names():
    assert labels.label_reason("a_b.h5 is truncated") == "a_b.h5 is truncated"
    assert labels.label_reason("new_reason") == "new reason"
    assert labels.label_endpoint("flow:NK_cells") == "NK cells (flow)"
    assert labels.label_place("blood", "week6", "post_bout") == "blood, week 6, post bout"


def test_ln_and_logit_are_back_transformed_and_others_are_not():
    ratio = effects.back_transform(make_row())
    assert (ratio.kind, ratio.null) == ("ratio", 1.0)
    assert (ratio.estimate, ratio.low, ratio.high) == pytest.approx((2.0, 1.25, 3.2))
    odds = effects.back_transform(make_row(scale="logit", estimate=0.0))
    assert (odds.kind, odds.estimate) == ("odds ratio", 1.0)
    plain = effects.back_transform(make_row(scale="identity", estimate=-0.3))
    assert (plain.kind, plain.estimate, plain.null) == ("difference", -0.3, 0.0)


def test_turnover_is_told_as_a_ratio_of_overlaps_that_falls_where_turnover_rises():
    # overlaps of 0.2 and 0.8: turnover is higher, b = ln 4, and the overlap a quarter
    turnover = make_row(
        endpoint="turnover",
        scale="-ln(1 - x)",
        estimate=np.log(4.0),
        ci_low=np.log(2.0),
        ci_high=np.log(8.0),
    )
    overlap = effects.back_transform(turnover)
    assert (overlap.kind, overlap.null) == ("ratio of overlaps", 1.0)
    assert (overlap.estimate, overlap.low, overlap.high) == pytest.approx((0.25, 0.125, 0.5))
    assert (
        "higher in exercise than in control (ratio of overlaps with the baseline 0.250, "
        "95 % interval 0.125 to 0.500, n = 11"
    ) in sentences.describe_comparison(turnover)


def test_a_comparison_is_told_with_interval_patients_and_p():
    assert sentences.describe_comparison(make_row()) == (
        "Number of expanded CD8 T clones (blood, week 6): exploratory evidence of a difference, "
        "higher in exercise than in control (ratio of geometric means 2.00, 95 % interval 1.25 to "
        "3.20, n = 11 exercise, 12 control, p = 0.010, adjusted within its family 0.020)."
    )


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"p_perm": 0.5, "p_adj": 0.7}, "no evidence of a difference"),
        ({"p_perm": 0.02, "p_adj": 0.02, "alpha": 0.01}, "no evidence of a difference"),
        (
            {"p_perm": 0.03, "p_adj": 0.2},
            "no evidence of a difference once the endpoints of its family are counted",
        ),
        (
            {"prespecified": True, "estimate": -1.0},
            "evidence of a difference, lower in exercise than in control",
        ),
        (
            {"p_adj": np.nan},
            "exploratory evidence of a difference, higher in exercise than in control",
        ),
        (
            {"p_perm": np.nan, "p_adj": np.nan},
            "too few patients for a test, so the estimate stands alone",
        ),
        ({"blinded": True}, "labels are random, so this says nothing about the arms"),
    ],
)
def test_verdicts_claim_no_more_than_the_test(changes, verdict):
    assert sentences.choose_verdict(make_row(**changes)) == verdict


@given(
    st.floats(0, 1),
    st.one_of(st.just(float("nan")), st.floats(0, 1)),
    st.floats(-5, 5),
    st.booleans(),
)
def test_no_sentence_says_no_effect_or_gives_p_without_patients(p, adjusted, estimate, blinded):
    text = sentences.describe_comparison(
        make_row(p_perm=p, p_adj=adjusted, estimate=estimate, blinded=blinded)
    )
    assert "no effect" not in text
    assert "significant" not in text
    assert text.index("n = 11 exercise, 12 control") < text.index(" p ")
    assert ("random" in text) == blinded


def test_a_comparison_that_was_not_made_says_why():
    text = sentences.describe_comparison(make_row(estimate=np.nan, reason_empty="aliased"))
    assert text.endswith(": not compared; batch and arm cannot be told apart.")


def test_batches_that_nearly_follow_the_arms_are_said_beside_the_comparison():
    text = sentences.describe_comparison(make_row(batch_inflation=3.27))
    assert text.endswith(
        "0.020). Batches nearly follow the arms here (variance inflation 3.3): a difference "
        "between batches would look the same."
    )
    assert "the random labels here" in sentences.describe_comparison(
        make_row(batch_inflation=3.27, blinded=True)
    )
    for harmless in (2.0, np.nan):
        assert "atch" not in sentences.describe_comparison(make_row(batch_inflation=harmless))


def test_batches_that_nearly_follow_the_arms_are_said_once_for_all():
    table = pd.DataFrame(
        [
            make_row(batch_inflation=3.27),
            make_row(endpoint="expfrac_m", batch_inflation=2.5),
            make_row(endpoint="tum_T_frac", tissue="tumor", batch_inflation=np.inf),
            make_row(endpoint="flow:NK", tissue="", batch_inflation=np.nan),
        ]
    )
    text = describe_batches(table)
    assert text.startswith(
        "Caution: batches nearly follow the arms in blood, week 6 (2 comparisons, largest "
        "variance inflation 3.3) and tumor, week 6 (1 comparison, largest variance inflation "
        "infinite)."
    )
    assert "nearly follow the random labels in" in describe_batches(table.assign(blinded=True))
    assert describe_batches(table.assign(batch_inflation=1.0)) == ""
    assert describe_batches(table.assign(p_perm=np.nan)) == ""  # not tested: too few patients
    assert describe_batches(table.iloc[:0]) == ""


def test_summaries_count_what_was_tested():
    rows = [
        make_row(),
        make_row(p_perm=0.3, p_adj=0.6),
        make_row(p_perm=np.nan, p_adj=np.nan),
        make_row(estimate=np.nan, p_perm=np.nan),
    ]
    assert sentences.summarise_comparisons(pd.DataFrame(rows)) == (
        "4 comparisons between arms: 3 could be estimated, 2 had enough patients for a test. "
        "1 of them gives evidence of a difference."
    )
    none = sentences.summarise_comparisons(pd.DataFrame(rows[1:]))
    assert "does not show that the arms are alike" in none
    blinded = sentences.summarise_comparisons(pd.DataFrame([make_row(blinded=True)]))
    assert "labels are random" in blinded


@pytest.mark.parametrize(
    ("flags", "start"),
    [((False, False), "Prespecified: no."), ((True, True), "Prespecified: yes."),
     ((True, False), "Prespecified: 1 of 2")],
)  # fmt: skip
def test_prespecification_is_always_said(flags, start):
    table = pd.DataFrame([make_row(prespecified=flag) for flag in flags])
    assert sentences.describe_prespecification(table).startswith(start)


def test_losses_are_named_largest_first():
    text = sentences.describe_losses({"died": 1, "not_collected": 3}, total=20, noun="sample")
    assert text == "4 of 20 samples are missing: 3 not collected and 1 died."
    assert sentences.describe_losses({}, total=1, noun="sample") == "None of 1 sample is missing."


def test_values_that_are_missing_more_in_one_arm_are_said():
    rows = [
        make_row(p_missing=0.03),
        make_row(endpoint="expfrac_m", p_missing=0.0123),
        make_row(endpoint="flow:NK", tissue="", p_missing=0.5),
        make_row(endpoint="tum_T_frac", tissue="tumor", p_missing=np.nan),
    ]
    table = pd.DataFrame(rows)
    text = sentences.describe_unequal_losses(table)
    assert "one arm than in the other: blood, week 6 (2 comparisons, smallest p = 0.012)." in text
    assert "may no longer be as randomised" in text
    assert sentences.describe_unequal_losses(table.assign(p_missing=1.0)) == ""
    assert sentences.describe_unequal_losses(table.assign(blinded=True)) == ""
    assert sentences.describe_unequal_losses(table.iloc[:0]) == ""
    measured = table.assign(p_missing=[1.0, 1.0, 0.01, 1.0])
    assert "measurements, week 6" in sentences.describe_unequal_losses(measured)
