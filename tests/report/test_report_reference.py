"""What the report says and draws of labels that a reference carried over."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hiaim_sc.names import RELEASE_TABLES
from hiaim_sc.report.canvas import render_png, render_svg
from hiaim_sc.report.catalogue import find_figure
from hiaim_sc.report.figures import draw_figures, label_agreement
from hiaim_sc.report.figures.label_agreement import tabulate_label_agreement
from hiaim_sc.report.html import ReportData, render_report
from hiaim_sc.report.reference import describe_reference, view_reference

VISITS = ("baseline", "week6")
# panel's label, reference's, cells, score of each
PAIRS = (
    ("CD8 T", "t cell", 80, 0.9),
    ("CD8 T", "nk", 20, 0.4),
    ("NK CD56dim", "nk", 49, 0.8),
    ("NK CD56dim", "rare", 1, 0.3),
    ("unassigned", "b cell", 6, 0.7),
    ("unassigned", "nk", 3, 0.6),
    ("unassigned", "t cell", 1, 0.1),
)


def make_tables(pairs=PAIRS):
    cells = [
        ("L1", f"{label}{other}{i}", label, label, label, "", other, score)
        for label, other, n, score in pairs
        for i in range(n)
    ]
    agreement = pd.DataFrame(
        [("cell_type", label, other, n, 0.0, 0.0, score) for label, other, n, score in pairs],
        columns=list(RELEASE_TABLES["reference_agreement"]),
    )
    for name, by in (("share", "label"), ("share_of_reference", "reference_label")):
        total = agreement.groupby(by)["n_cells"].transform("sum")
        agreement[name] = agreement["n_cells"] / total
    quality = [("L1", 100, 200, 190, 0.8, 0.1), ("L2", 60, 200, 150, 0.8, 0.1)]
    return {
        "reference_labels": pd.DataFrame(cells, columns=list(RELEASE_TABLES["reference_labels"])),
        "reference_agreement": agreement,
        "reference_qc": pd.DataFrame(quality, columns=list(RELEASE_TABLES["reference_qc"])),
    }


def test_agreement_is_told_both_ways_and_what_is_open_or_unsure():
    told = describe_reference(make_tables())
    assert told[0].startswith("A model that the study brought along names each of 160 cells too")
    # most frequent: t cell 80, nk 49, rare 1, b cell 6 of 160; CD8 80, NK 49, unassigned 6
    assert "right in 85 % of the cells, and the other way round in 84 %" in told[1]
    assert told[2].startswith("14 % of the cells have a score below 0.5")
    assert told[3] == (
        "Of 10 cells that the panel leaves open it is sure of 9 (a score of 0.5 or more), most of"
        " all b cell (6) and nk (3)."
    )
    assert told[4] == "The libraries have 75 % to 95 % of its genes."


def test_where_nothing_is_open_or_sure_no_more_is_said():
    closed = describe_reference(make_tables(PAIRS[:4]))
    assert not any("leaves open" in line for line in closed)
    unsure = describe_reference(make_tables((("unassigned", "nk", 3, 0.2),)))
    assert (
        "Of 3 cells that the panel leaves open it is sure of 0 (a score of 0.5 or more)." in unsure
    )


def test_without_a_reference_nothing_is_said():
    empty = {name: table.iloc[:0] for name, table in make_tables().items()}
    assert describe_reference(empty) == []
    assert view_reference(empty["reference_agreement"]).rows == []


def test_the_table_names_the_most_frequent_labels_of_each_type():
    view = view_reference(make_tables()["reference_agreement"])
    assert view.rows == [
        ["CD8 T", "100", "t cell (80 %), nk (20 %)", "0.90"],
        ["NK CD56dim", "50", "nk (98 %), rare (2 %)", "0.80"],
        ["unassigned", "10", "b cell (60 %), nk (30 %), t cell (10 %)", "0.70"],
    ]


def test_rows_and_columns_of_the_figure_make_agreement_a_diagonal():
    table = tabulate_label_agreement(make_tables()["reference_agreement"], "cell_type")
    assert list(table.index) == ["CD8 T  (100)", "NK CD56dim  (50)", "unassigned  (10)"]
    assert list(table.columns) == ["t cell", "nk", "rare", "b cell"]
    assert table.to_numpy() == pytest.approx(
        np.array([[0.8, 0.2, 0, 0], [0, 0.98, 0.02, 0], [0.1, 0.3, 0, 0.6]])
    )


def test_rare_labels_are_one_column_and_no_cell_is_lost():
    pairs = [("CD8 T", f"kind {i:02d}", 1000, 0.9) for i in range(45)]
    pairs += [("B", "b cell", 990, 0.9), ("B", "odd", 10, 0.9)]
    table = tabulate_label_agreement(make_tables(pairs)["reference_agreement"], "cell_type")
    assert table.columns[-1] == "others (7)"
    assert "odd" not in table.columns
    assert table.shape == (2, 41)
    assert table.sum(axis=1).to_numpy() == pytest.approx(1)


def test_states_that_are_no_cell_type_come_before_what_is_open():
    table = make_tables([("unassigned", "x", 5, 1.0), ("CD8 Tex", "x", 5, 1.0)])
    states = table["reference_agreement"].assign(level="cell_state")
    shares = tabulate_label_agreement(states, "cell_state")
    assert list(shares.index) == ["CD8 Tex  (5)", "unassigned  (5)"]
    assert tabulate_label_agreement(states, "cell_type").empty


def test_the_figure_is_drawn_and_one_without_cells_says_so():
    shares = tabulate_label_agreement(make_tables()["reference_agreement"], "cell_type")
    figure = label_agreement(shares)
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert texts == {"80", "20", "98", "10", "30", "60"}  # 2 % is too little for a number
    assert len(render_png(figure)) > 5000
    empty = label_agreement(pd.DataFrame())
    assert "No cell has a label" in empty.texts[0].get_text()


@pytest.mark.parametrize("has_reference", [True, False])
def test_the_report_has_it_only_where_there_is_one(tables, pictures, points, has_reference):
    every, figures = dict(tables), pictures
    if has_reference:
        every |= make_tables()
        found = draw_figures(every, points, tissues=("blood", "tumor"), visits=VISITS)
        figures = {name: render_svg(figure) for name, figure in found}
    added = {"reference_cell_type", "reference_cell_state"}
    assert added & set(figures) == (added if has_reference else set())
    release = ReportData("s", "r", "today", blinded=True, tables=every, figures=figures)
    html = render_report(release)
    assert ("A model that the study brought along" in html) is has_reference
    assert ("Labels of the model (share)" in html) is has_reference
    assert (find_figure("reference_cell_type")[1].split(".")[0] in html) is has_reference
    assert "More figures" not in html
