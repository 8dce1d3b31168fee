"""Gates in words, comparisons with one choice undone, and what missing values could change."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hiaim_sc.report import arm_views
from hiaim_sc.report.figures import sensitivity
from hiaim_sc.report.gates import describe_gates
from hiaim_sc.report.html import ReportData, render_report
from hiaim_sc.report.labels import label_endpoint
from hiaim_sc.report.mobilisation import describe_mobilisation


def gates(tables, **p_adj) -> pd.DataFrame:
    """The comparisons with these gates, each of one endpoint with its adjusted p."""
    table = tables["comparisons"].head(len(p_adj)).copy()
    table["gate"] = table["family"] = list(p_adj)
    return table.assign(p_adj=list(p_adj.values()), p_perm=list(p_adj.values()))


@pytest.mark.parametrize(
    ("p_adj", "words"),
    [
        ({"primary": 0.01}, ["Gate 1", "open", "p = 0.010", "1 test"]),
        ({"primary": 0.2}, ["Gate 1", "shut", "p = 0.20", "exploratory"]),
        ({"key_secondary": np.nan}, ["Gate 2", "could not be tested", "exploratory"]),
        ({"registered_primary": 0.2}, ["registered primary", "no evidence of a difference"]),
        ({"registered_primary": 0.001}, ["registered primary", ": evidence of a difference"]),
    ],
)
def test_each_gate_is_told(tables, p_adj, words):
    (sentence,) = describe_gates(gates(tables, **p_adj), {})
    for word in words:
        assert word in sentence


def test_gates_are_told_in_order_and_not_of_random_labels(tables):
    found = gates(tables, key_secondary=0.2, primary=0.01, registered_primary=0.5)
    starts = [sentence.split(",", maxsplit=1)[0] for sentence in describe_gates(found, {})]
    assert starts == ["The registered primary outcome", "Gate 1", "Gate 2"]
    assert describe_gates(found.assign(blinded=True), {}) == []
    assert describe_gates(tables["comparisons"], {}) == []


def test_no_gate_is_called_open_behind_one_that_stayed_shut(tables):
    first, second = describe_gates(gates(tables, primary=0.4, key_secondary=0.01), {})
    assert first.startswith("Gate 1")
    assert "shut (0 of 1 test at level 0.05, largest adjusted p = 0.40)" in first
    assert second.endswith(": stands behind a gate that stayed shut, so it is exploratory.")


def test_a_gate_is_shut_for_what_was_planned_and_not_tested(tables):
    found = gates(tables, primary=0.01)
    planned = {"primary": (found["endpoint"].iloc[0], "n_called_m"), "key_secondary": ("tum_NK_T",)}
    first, second = describe_gates(found, planned)
    assert "shut (1 of 1 test" in first
    assert "not tested: number of CD8 T clones that grew" in first
    assert "behind a gate that stayed shut" in second


def test_each_contrast_has_its_own_gates(tables):
    shut = gates(tables, primary=0.4, key_secondary=0.01)
    found = pd.concat(
        [shut, gates(tables, primary=0.01, key_secondary=0.02).assign(contrast="walk - control")]
    )
    verdicts = [sentence.split(": ")[1].split(" ")[0] for sentence in describe_gates(found, {})]
    assert verdicts == ["shut", "open", "stands", "open"]


def test_a_panel_has_a_row_per_setting_and_one_for_all_patients_left_out(tables):
    table = tables["sensitivity"]
    figure = sensitivity(table)
    (axes,) = figure.axes
    labels = [tick.get_text() for tick in axes.get_yticklabels()]
    assert labels == [
        "as planned", "depth: m/2", "depth: 2m", "rho: 0.1", "leave one patient out",
    ]  # fmt: skip
    squares = [line for line in axes.lines if line.get_marker() == "s"]
    drawn = [float(line.get_xdata()[0]) for line in squares]
    assert drawn == pytest.approx([table["estimate"].iloc[0], 0.4, -0.2])
    assert squares[2].get_color() != squares[0].get_color()
    ends = {float(x) for line in axes.lines if line.get_marker() == "|" for x in line.get_xdata()}
    assert ends == {0.3, 0.7}
    assert not figure.texts
    assert "BLINDED" in sensitivity(table.assign(blinded=True)).texts[0].get_text()


@pytest.mark.parametrize(
    ("scale", "label"),
    [
        ("ln", "ln ratio"),
        ("identity", "difference"),
        ("-ln(1 - x)", "\u2212ln ratio of overlaps"),
    ],
)
def test_a_panel_says_what_its_axis_is(tables, scale, label):
    (axes,) = sensitivity(tables["sensitivity"].assign(scale=scale)).axes
    assert axes.get_xlabel() == label


def test_settings_are_counted_apart_from_those_left_out(tables):
    (row,) = arm_views.view_sensitivity(tables["sensitivity"]).rows
    # m/2 and rho have an estimate, m/2 alone its sign and a small p
    assert row[3:] == ["1 of 2", "1", "0.300 to 0.700"]


def test_missing_values_stand_in_one_row(tables):
    (row,) = arm_views.view_missing_data(tables["missing_data"]).rows
    assert row[2:4] == ["2", "1"]
    assert row[4].startswith("0.450 (0.100")
    assert row[5:] == ["too few values to impute from", "-1.25"]
    only_clda = tables["missing_data"].head(1)
    assert arm_views.view_missing_data(only_clda).rows[0][5:] == ["", ""]
    complete = tables["missing_data"].assign(n_missing=0, n_died=0)
    assert arm_views.view_missing_data(complete).rows == []


def test_mobilisation_is_a_geometric_mean_with_interval(tables):
    rows = pd.DataFrame(
        {
            "endpoint": ["flow:NK_acute"] * 4 + ["flow:NK"],
            "visit": ["week6"] * 3 + ["week3", "week6"],
            "value_analysed": [np.log(2), np.log(4), np.log(8), np.log(3), 1.0],
        }
    )
    found = describe_mobilisation(rows)
    # ln 4 and half = 4.302653 * ln 2 / sqrt 3
    assert found[0] == (
        "NK (flow), after a bout over at rest, week 6: 4.0-fold, 95 % interval 0.7 to 22.4 "
        "(3 patients of all arms together)."
    )
    assert "3.00-fold (1 patient, so no interval)" in found[1]
    assert len(found) == 2
    assert describe_mobilisation(tables["endpoints"]) == []


def test_the_main_comparisons_are_those_of_the_gates(tables):
    comparisons = tables["comparisons"].copy()
    last = comparisons.index[-1]
    comparisons.loc[last, "gate"] = "primary"
    page = render_report(
        ReportData(
            study="s",
            release_id="r",
            made_on="today",
            blinded=False,
            tables={**tables, "comparisons": comparisons},
            figures={},
        )
    )
    first = page.index("The main comparisons:")
    label = label_endpoint(str(comparisons.loc[last, "endpoint"]))
    assert label.lower() in page[first : first + 200].lower()
