"""The report as a reader and a browser see it."""

from __future__ import annotations

from html.parser import HTMLParser

import pandas as pd
import pytest

from hiaim_sc.names import RELEASE_TABLES
from hiaim_sc.report import clone_views, figures, views
from hiaim_sc.report.canvas import render_svg
from hiaim_sc.report.html import ReportData, render_report
from hiaim_sc.report.summary import count_release
from hiaim_sc.tcr import pattern_clones, summarise_turnover

DESIGN = {"tissues": ("blood", "tumor"), "visits": ("baseline", "week6")}
SECTIONS = [
    "In short", "What came in", "What was left out and why", "What the cells are", "Clones",
    "Antigen specificity", "What differs between arms and how sure that is", "Genes by arm",
    "Methods and versions", "How to read this",
]  # fmt: skip


class Page(HTMLParser):
    """Headings, attributes and visible text of a page."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.headings, self.text, self._inside = [], [], "", ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside == "style":
            return
        self.text += data
        if self._inside == "h2":
            self.headings.append(data)

    def attributes(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def make_data(tables, pictures, **changes):
    defaults = {
        "study": "hi-aim",
        "release_id": "20260101T000000Z-abc",
        "made_on": "1 January 2026",
        "blinded": False,
        "tables": tables,
        "figures": pictures,
        "facts": {"code version": "0.1.0"},
        "versions": {"scanpy": "1.12"},
        "config_text": "study: <hi-aim>",
    }
    return ReportData(**(defaults | changes))


@pytest.fixture(scope="module")
def html(tables, pictures):
    return render_report(make_data(tables, pictures))


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_sections_stand_in_order(page):
    assert page.headings == SECTIONS


def test_nothing_is_fetched_and_nothing_runs(page):
    assert not page.attributes("script")
    assert not page.attributes("link")
    assert all(
        image["src"].startswith("data:image/svg+xml;base64,") for image in page.attributes("img")
    )
    assert all(link["href"].startswith("#") for link in page.attributes("a"))


def test_every_link_has_its_target(page):
    targets = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    assert {link["href"][1:] for link in page.attributes("a")} <= targets


def test_every_picture_is_described_and_every_table_has_a_caption(page, drawn):
    assert len(page.attributes("img")) == len(drawn)
    assert all(len(image["alt"]) > 20 for image in page.attributes("img"))
    assert len(page.attributes("caption")) == len(page.attributes("table"))
    assert page.attributes("html")[0]["lang"] == "en"


def test_first_screen_says_what_came_in_and_what_differs(page):
    for sentence in (
        "5 of 32 expected samples are missing: 2 died, 1 failed quality control, 1 lesion unsafe "
        "to biopsy and 1 not yet sequenced.",
        "1 of 28 libraries was left out; the reason is below.",
        "Prespecified: no.",
        "no evidence of a difference (ratio of geometric means 1.49, 95 % interval 0.94 to 2.37, "
        "n = 3 exercise, 4 control, p = 0.40, adjusted within its family 0.80)",
    ):
        assert sentence in page.text


def test_quarantined_library_is_explained(page):
    assert "filtered_feature_bc_matrix.h5 is truncated: deliver it again" in page.text


def test_user_text_is_escaped(html):
    assert "study: &lt;hi-aim&gt;" in html
    assert "<hi-aim>" not in html


def test_no_claim_of_no_effect(page):
    assert "no effect" not in page.text.lower()


def test_blinded_releases_say_so_on_every_screen(tables):
    blinded = dict(tables) | {"comparisons": tables["comparisons"].assign(blinded=True)}
    page = Page(render_report(make_data(blinded, {}, blinded=True)))
    assert page.text.count("BLINDED") >= 3
    assert "evidence of a difference, higher" not in page.text


def test_open_releases_never_say_blinded(page):
    assert "BLINDED" not in page.text


@pytest.mark.parametrize("dtype", [object, "str"])
def test_an_empty_release_still_makes_a_report(dtype):
    empty = {
        name: pd.DataFrame(columns=list(columns), dtype=dtype)
        for name, columns in RELEASE_TABLES.items()
    }
    points = figures.tabulate_points(None, empty["cells"], pd.Series(dtype=object))
    drawn = figures.draw_figures(empty, points, **DESIGN)
    pictures = {name: render_svg(figure) for name, figure in drawn}
    page = Page(render_report(make_data(empty, pictures)))
    assert page.headings == SECTIONS
    assert "Nothing has been compared between arms yet." in page.text
    assert "No antigen was called" in page.text


def test_a_figure_outside_the_catalogue_is_not_lost(tables, pictures):
    extra = {"library_card_L1": pictures["antigens"]}
    page = Page(render_report(make_data(tables, extra)))
    assert "More figures" in page.headings
    assert "Library card L1." in page.text


def test_counts_agree_with_the_tables(tables):
    counts = count_release(tables)
    assert counts.n_patients == 8
    assert (counts.n_samples_expected, counts.n_samples_used) == (32, 27)
    assert counts.n_cells_kept == tables["cells"]["qc_pass"].sum()
    assert counts.n_clones == tables["cells"]["clone_key"].nunique()
    assert counts.cell_losses["doublet"] == (tables["cells"]["qc_reason"] == "doublet").sum()


def test_missing_values_add_up_to_what_is_expected(tables):
    view = views.view_missing_values(tables["endpoints"])
    row = next(
        row
        for row in view.rows
        if row[:2] == ["Number of expanded CD8 T clones", "tumor, baseline"]
    )
    assert row[2:4] == ["6", "8"]
    assert row[4] == "1 too few cells with a receptor, 1 failed quality control"


def test_cell_type_shares_are_of_the_tissue(tables):
    view = views.view_cell_types(tables["cells"])
    kept = tables["cells"].query("qc_pass and tissue == 'tumor'")
    n = (kept["cell_type"] == "epithelial").sum()
    row = next(row for row in view.rows if row[0] == "epithelial")
    assert row[1:] == ["epithelial", "0 (0 %)", f"{n:,} ({100 * n / len(kept):.0f} %)"]


def test_turnover_tells_clones_and_cells_of_every_class():
    place = {"patient_id": "P1", "tissue": "blood", "visit_from": "baseline", "visit_to": "week6"}
    changes = [("a", 0, 2, "novel"), ("b", 0, 1, "novel"), ("c", 6, 0, "lost")]
    changes.append(("d", 4, 9, "persistent"))
    tracking = pd.DataFrame(changes, columns=["clone_key", "n_from", "n_to", "class"])
    tracking = tracking.assign(**place, depth_from=10, depth_to=12)
    view = clone_views.view_turnover(summarise_turnover(tracking))
    shown = dict(zip(view.columns, view.rows[0], strict=True))
    assert (shown["From"], shown["To"]) == ("baseline", "week 6")
    assert (shown["Novel"], shown["Lost"]) == ("2 (25 %)", "1 (60 %)")
    assert (shown["Persistent"], shown["Expanded"]) == ("1 (75 %)", "0 (0 %)")
    assert shown["Novel: was below"] == f"{100 * (1 - 0.05 ** (1 / 10)):.0f} %"


def test_patterns_are_counted_with_the_matching_blood_cells():
    counts = {"a": (1, 0), "b": (3, 0), "c": (2, 1), "d": (4, 3), "e": (0, 5)}
    rows = [
        ("P1", tissue, "baseline", "rest", f"P1|{clone}", n)
        for clone, both in counts.items()
        for tissue, n in zip(("tumor", "blood"), both, strict=True)
    ]
    columns = ["patient_id", "tissue", "visit", "session_phase", "clone_key", "n_cells_qc"]
    patterns = pattern_clones(pd.DataFrame(rows, columns=columns), ("baseline",))
    (row,) = clone_views.view_patterns(patterns).rows
    assert row == ["P1", "baseline", "1", "1", "1", "1", "1", "44 %"]


def test_repertoires_say_why_a_sample_is_not_at_the_depth(tables):
    view = clone_views.view_repertoires(tables["repertoires"])
    by_place = {tuple(row[:2]): dict(zip(view.columns, row, strict=True)) for row in view.rows}
    dead = by_place[("P05", "blood, week 6")]
    assert (dead["Clones"], dead["Not at depth because"]) == ("", "died")
    there = by_place[("P01", "blood, baseline")]
    clones = tables["clones"].query("sample_id == 'P01_blood_baseline'")
    assert there["T cells with a clone"] == str(clones["n_cells_qc"].sum())
    assert there["Clones"] == str(len(clones))
    assert there["Not at depth because"] == ""


def test_long_tables_are_cut_and_say_so():
    view = views.view_table(pd.DataFrame({"gene": ["A"] * 60, "log2_fc": 0.5}), "Genes.", most=50)
    assert len(view.rows) == 50
    assert view.caption == "Genes. First 50 of 60 rows."
    assert view.rows[0] == ["A", "0.500"]
