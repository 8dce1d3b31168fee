"""Genes by arm as a reader sees them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hiaim_sc.names import RELEASE_TABLES
from hiaim_sc.report.canvas import render_png, render_svg
from hiaim_sc.report.expression import describe_expression, split_groups, view_expression
from hiaim_sc.report.figures import draw_figures, volcano
from hiaim_sc.report.html import ReportData, render_report

DESIGN = {"tissues": ("blood", "tumor"), "visits": ("baseline", "week3", "week6")}
GROUPS = [("NK", "blood"), ("CD8", "blood"), ("epithelial", "tumor")]


def make_genes(groups=GROUPS, *, visits=("week3", "week6"), n=40, n_found=0, blinded=False):
    """Genes of these cell types and tissues; the first `n_found` of each differ, every other up."""
    parts = []
    for cell_type, tissue in groups:
        for visit in visits:
            p = np.linspace(0.02, 1.0, n)
            q = np.full(n, 0.8)
            p[:n_found], q[:n_found] = np.arange(1, n_found + 1) * 1e-5, 0.01
            change = np.where(np.arange(n) % 2, -1.0, 1.0) * np.linspace(2, 0.1, n)
            part = pd.DataFrame(
                {
                    "gene": [f"G{i:02d}" for i in range(n)],
                    "gene_id": [f"E{i:02d}" for i in range(n)],
                    "cell_type": cell_type,
                    "tissue": tissue,
                    "visit": visit,
                    "contrast": "exercise - control",
                    "log2_fc": change,
                    "se": 0.3,
                    "p_value": p,
                    "q_value": q,
                    "n_reference": 8,
                    "n_treated": 7,
                    "method": "moderated t, change of log2 CPM",
                    "discovery": True,
                    "blinded": blinded,
                    "batch_inflation": 1.1,
                }
            )
            flagged = part.iloc[:1].assign(
                gene="XIST", p_value=1e-9, q_value=np.nan, discovery=False
            )
            parts += [part, flagged]
    return pd.concat(parts, ignore_index=True)


def texts_of(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_without_evidence_the_smallest_q_and_the_patients_are_said():
    lines = describe_expression(make_genes(visits=("week6",)))
    assert lines[0] == (
        "CD8, blood, week 6: no gene gives evidence of a difference between the arms "
        "(smallest q = 0.80, 40 genes, n = 7 exercise, 8 control)."
    )
    assert [line.split(":")[0] for line in lines] == [
        "CD8, blood, week 6",
        "NK, blood, week 6",
        "epithelial, tumor, week 6",
    ]


def test_evidence_is_counted_by_direction_and_called_exploratory():
    table = make_genes([("NK", "blood")], visits=("week6",), n_found=3)
    assert describe_expression(table.sample(frac=1, random_state=1)) == [
        "NK, blood, week 6: exploratory evidence of a difference in 3 of 40 genes (q below 0.05): "
        "2 higher and 1 lower in exercise than in control, first G00, G01 and G02 "
        "(n = 7 exercise, 8 control)."
    ]


def test_batches_that_nearly_follow_the_arms_are_said():
    table = make_genes([("NK", "blood")], visits=("week6",)).assign(batch_inflation=3.25)
    (line,) = describe_expression(table)
    assert line.startswith("NK, blood, week 6: no gene")
    assert line.endswith(
        "Batches nearly follow the arms here (variance inflation 3.2): "
        "a difference between batches would look the same."
    )


def test_genes_that_another_method_confirms_are_counted_and_stand_once():
    table = make_genes([("NK", "blood")], visits=("week6",), n_found=3)
    second = table.assign(method="PyDESeq2, change of counts")
    second.loc[0, "log2_fc"] *= -1  # found, on the other side
    second.loc[1, "q_value"] = 0.06
    both = pd.concat([table, second], ignore_index=True)
    (line,) = describe_expression(both)
    assert "in 3 of 40 genes" in line
    assert "first G00, G01 and G02; 1 of them by PyDESeq2 too (n = 7" in line
    assert view_expression(both).rows == view_expression(table).rows
    assert [len(rows) for _, rows in split_groups(both)] == [40]


def test_random_labels_say_nothing_about_the_arms():
    (line,) = describe_expression(make_genes(GROUPS[:1], visits=("week6",), blinded=True))
    assert "labels are random, so this says nothing about the arms" in line
    assert "evidence" not in line


def test_every_cell_type_place_and_visit_has_a_sentence():
    table = make_genes(n_found=2)
    assert len(describe_expression(table)) == 6
    assert [words["visit"] for words, _ in split_groups(table)] == ["week3", "week6"] * 3
    assert describe_expression(table.iloc[:0]) == []


def test_the_table_shows_the_smallest_q_first_and_no_flagged_gene():
    view = view_expression(make_genes(n_found=2), most=20)
    assert len(view.rows) == 20
    assert [row[0] for row in view.rows[:2]] == ["G00", "G00"]
    assert {row[7] for row in view.rows[:12]} == {"0.010"}
    assert "XIST" not in {row[0] for row in view.rows}
    assert view_expression(make_genes().iloc[:0]).rows == []


def test_a_volcano_has_a_panel_per_cell_type_and_names_its_first_genes():
    table = make_genes(GROUPS[:2], visits=("week6",), n_found=3)
    figure = volcano(table)
    shown = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title(loc="left") for axes in shown] == ["CD8", "NK"]
    texts = texts_of(figure)
    assert texts.count("3 of 40 genes, n = 7 / 8") == 2
    assert {"G00", "G01", "G02"} < set(texts)
    assert "XIST" not in texts
    points = shown[0].collections[0].get_offsets()
    assert len(points) == 40
    assert np.asarray(points)[0] == pytest.approx([2.0, 5.0])  # p 1e-5
    assert len(set(map(tuple, shown[0].collections[0].get_facecolors()))) == 3
    assert render_png(figure) == render_png(volcano(table))


def test_a_volcano_of_random_labels_is_marked():
    words = [text.get_text() for text in volcano(make_genes(blinded=True)).texts]
    assert any("BLINDED" in text for text in words)


def test_a_p_of_0_is_drawn():
    table = make_genes(GROUPS[:1], visits=("week6",), n_found=1).assign(p_value=0.0)
    limits = volcano(table).axes[0].get_ylim()
    assert np.isfinite(limits).all()


def test_several_contrasts_have_panels_of_their_own():
    table = make_genes(GROUPS[:1], visits=("week6",))
    both = pd.concat([table, table.assign(contrast="diet - control")])
    titles = [a.get_title(loc="left") for a in volcano(both).axes if a.axison]
    assert titles == ["NK (exercise - control)", "NK (diet - control)"]


def test_a_release_draws_the_last_visit_of_each_tissue_with_genes(tables, points):
    genes = make_genes(GROUPS[:2], n_found=2)
    figures = dict(
        draw_figures(dict(tables) | {"differential_expression": genes}, points, **DESIGN)
    )
    assert {name for name in figures if "expression" in name} == {"expression_blood"}
    assert figures["expression_blood"].get_suptitle().startswith("blood, week 6")


def test_the_report_has_its_section(tables, points):
    every = dict(tables) | {"differential_expression": make_genes(n_found=2)}
    drawn = draw_figures(every, points, **DESIGN)
    html = render_report(_release(every, {name: render_svg(figure) for name, figure in drawn}))
    section = html[html.index('<h2 id="expression">') : html.index('<h2 id="methods">')]
    for part in ("CD8, blood, week 3", 'id="figure-expression_tumor"', "those with the smallest q"):
        assert part in section
    assert "More figures" not in html


def test_a_report_without_genes_says_why(tables):
    columns = RELEASE_TABLES["differential_expression"]
    every = dict(tables) | {"differential_expression": pd.DataFrame(columns=list(columns))}
    html = render_report(_release(every, {}))
    assert "No genes were compared: no cell type has enough cells" in html


def _release(tables, figures):
    return ReportData(
        study="hi-aim",
        release_id="r",
        made_on="today",
        blinded=False,
        tables=tables,
        figures=figures,
    )
