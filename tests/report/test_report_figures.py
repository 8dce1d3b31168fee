"""Figures: what they count is right, and the same input draws the same bytes."""

from __future__ import annotations

import hashlib

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiaim_sc.names import COARSE_OF_CELL_TYPE, PUTATIVE, RELEASE_TABLES
from hiaim_sc.report import figures
from hiaim_sc.report.canvas import empty_figure, lay_out, render_png, render_svg
from hiaim_sc.report.catalogue import find_figure
from hiaim_sc.report.figures.antigens import tabulate_antigens
from hiaim_sc.report.figures.clone_states import tabulate_states
from hiaim_sc.report.figures.clone_tracking import page_patients, tabulate_frequencies
from hiaim_sc.report.figures.composition import tabulate_composition
from hiaim_sc.report.figures.identity import order_samples, tabulate_overlap
from hiaim_sc.report.figures.library_qc import count_cell_losses
from hiaim_sc.report.figures.rank_abundance import tabulate_ranks
from hiaim_sc.report.figures.rarefaction import tabulate_rarefaction
from hiaim_sc.report.figures.sample_flow import tabulate_steps
from hiaim_sc.report.palette import CELL_TYPE_COLOURS, pick_arm_colours

DESIGN = {"tissues": ("blood", "tumor"), "visits": ("baseline", "week6")}


def texts_of(figure):
    found = [text.get_text() for axes in figure.axes for text in axes.texts]
    found += [tick.get_text() for axes in figure.axes for tick in axes.get_yticklabels()]
    return [*found, *(axes.get_title(loc="left") for axes in figure.axes)]


def shown_on(figure):
    return "\n".join([*texts_of(figure), *(text.get_text() for text in figure.texts)])


def test_every_figure_of_a_release_is_drawn(drawn):
    assert set(drawn) == {
        "sample_flow", "library_qc", "identity", "composition", "clone_tracking", "antigens",
        "clone_states", "reactive_clones", "umi_separation", "umap_antigen",
        "forest", "paired_lines", "umap_cell_type", "umap_tissue", "umap_batch", "rank_abundance",
        "rarefaction", "cluster_evidence_all", "cluster_evidence_t_nk", "open_labels",
        "forest_blood_composition", "forest_tumour_composition", "forest_blood_clonal",
        "forest_tumour_clonal", "forest_other", "sensitivity_blood_clonal",
    }  # fmt: skip


@pytest.mark.parametrize("dtype", [object, "str"])
def test_empty_tables_give_figures_that_say_so(dtype):
    empty = {
        name: pd.DataFrame(columns=list(columns), dtype=dtype)
        for name, columns in RELEASE_TABLES.items()
    }
    points = figures.tabulate_points(None, empty["cells"], pd.Series(dtype=object))
    found = dict(figures.draw_figures(empty, points, **DESIGN))
    assert all(len(figure.texts) == 1 and not figure.axes for figure in found.values())


def test_states_of_the_largest_clones_are_counted_and_putative_ones_marked():
    """Two patients: six clones of the first, of which five are drawn, one of the second."""
    sizes = {f"P1 {i}": 9 - i for i in range(6)} | {"P2 0": 3}
    phenotypes = pd.DataFrame(
        [(key[:2], key, n, PUTATIVE if key == "P1 1" else "other") for key, n in sizes.items()],
        columns=["patient_id", "clone_key", "n_cells", "label"],
    )
    cells = pd.DataFrame([(key, "CD8 T") for key, n in sizes.items() for _ in range(n)])
    cells = cells.set_axis(["clone_key", "cell_type"], axis=1).assign(qc_pass=True)
    cells.loc[0, "cell_type"], cells.loc[1, "qc_pass"] = "proliferating T", False
    counts = tabulate_states(phenotypes, cells)
    assert list(counts.columns) == ["CD8 T", "proliferating T"]
    assert counts.to_numpy().tolist() == [[7, 1], [8, 0], [7, 0], [6, 0], [5, 0], [3, 0]]
    figure = figures.clone_states(counts)
    labels = [tick.get_text().split() for tick in figure.axes[0].get_yticklabels()]
    assert labels == [["P1", "1"], ["\u25cf", "2"], ["3"], ["4"], ["5"], ["P2", "1"]]
    assert [text.get_text() for text in figure.axes[0].texts] == ["8", "8", "7", "6", "5", "3"]


def test_files_are_the_same_each_time_whatever_the_users_settings(tables, tmp_path):
    digests = []
    for name, size in (("a", 9.0), ("b", 21.0)):
        with mpl.rc_context({"font.size": size, "svg.hashsalt": name}):
            figure = figures.forest(tables["comparisons"])
            figures.write_figure(figure, tmp_path / name, "forest")
        files = sorted((tmp_path / name).iterdir())
        assert [file.name for file in files] == ["forest.png", "forest.svg"]
        digests.append([hashlib.sha256(file.read_bytes()).hexdigest() for file in files])
    assert digests[0] == digests[1]
    assert b"<dc:date>" not in (tmp_path / "a" / "forest.svg").read_bytes()


def test_everything_is_given_its_place_once_and_where_matplotlib_puts_it(tables, tmp_path):
    """For both files; left to itself, matplotlib places everything anew for each."""
    untouched = figures.forest(tables["comparisons"])
    render_png(untouched)
    figure = figures.forest(tables["comparisons"])
    svg = figures.write_figure(figure, tmp_path, "forest")
    assert (tmp_path / "forest.png").read_bytes() == render_png(figure)
    assert (tmp_path / "forest.svg").read_bytes() == svg == render_svg(figure)
    for axes, own in zip(figure.axes, untouched.axes, strict=True):
        corners = axes.get_position(original=True).extents
        # the last bits differ from time to time
        assert [round(float(place), 9) for place in corners] == list(corners)
        assert corners == pytest.approx(own.get_position(original=True).extents, abs=1e-9)


@pytest.mark.filterwarnings("error")
def test_a_figure_of_words_alone_is_written(tmp_path):
    svg = figures.write_figure(empty_figure("Nothing."), tmp_path, "empty")
    assert svg.startswith(b"<?xml")


def test_drawing_leaves_the_users_settings_alone(tables):
    before = dict(mpl.rcParams)
    render_png(figures.forest(tables["comparisons"]))
    assert dict(mpl.rcParams) == before


def test_points_are_pixels_in_svg(points):
    svg = render_svg(figures.umap(points, colour_by="cell_type"))
    assert b"data:image/png;base64" in svg
    assert len(svg) < 60 * len(points)


def test_umap_legend_counts_every_cell(points):
    figure = figures.umap(points, colour_by="tissue")
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    expected = points["tissue"].value_counts()
    assert legend == [f"{name} ({n:,})" for name, n in expected.items()]


def test_points_join_positions_to_cells_by_name():
    from anndata import AnnData

    cells = pd.DataFrame(
        {
            "library_id": ["L1", "L1", "L2"],
            "cell_barcode": ["A", "B", "A"],
            "qc_pass": [True, False, True],
            "cell_type": ["B", "NK", "T"],
            "tissue": ["blood", "blood", "tumor"],
        }
    )
    obs = pd.DataFrame(index=["L2_A", "L1_A"])
    embedding = AnnData(obs=obs, obsm={"X_umap": np.array([[1.0, 2.0], [3.0, 4.0]])})
    points = figures.tabulate_points(embedding, cells, pd.Series({"L1": "run1", "L2": "run2"}))
    assert points.loc["L2_A"].tolist() == [1.0, 2.0, "T", "tumor", "run2"]
    assert points.loc["L1_A"].tolist() == [3.0, 4.0, "B", "blood", "run1"]


def test_steps_subtract_every_reason_once():
    rows = pd.DataFrame(
        [
            ("collected", 8, 6, 1, "died"),
            ("collected", 8, 6, 1, "withdrew"),
            ("sequenced", 6, 5, 1, "not_yet_sequenced"),
        ],
        columns=["step", "n_in", "n_out", "n_lost", "reason"],
    )
    assert tabulate_steps(rows) == [
        ("expected", 8, ""),
        ("collected", 6, "1 died, 1 withdrew"),
        ("sequenced", 5, "1 not yet sequenced"),
    ]
    assert tabulate_steps(rows.iloc[::-1])[2] == ("sequenced", 5, "1 not yet sequenced")


def test_sample_flow_says_the_reasons(drawn):
    assert "lost: 1 lesion unsafe to biopsy, 1 died" in texts_of(drawn["sample_flow"])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["", "doublet", "low_counts;high_mt", "new"]), min_size=1))
def test_each_cell_barcode_is_counted_once(reasons):
    cells = pd.DataFrame({"library_id": "L", "qc_reason": reasons})
    cells["qc_pass"] = cells["qc_reason"] == ""
    losses = count_cell_losses(cells).loc["L"]
    assert losses.sum() == len(reasons)
    assert losses["kept"] == reasons.count("")
    assert losses["low_counts"] == reasons.count("low_counts;high_mt")
    assert losses["high_mt"] == 0


def test_quarantined_libraries_keep_their_row(drawn):
    assert " left out: see the table" in texts_of(drawn["library_qc"])
    assert "L_P07_tumor_baseline" in texts_of(drawn["library_qc"])


def test_composition_counts_kept_cells_only(tables):
    cells = tables["cells"]
    counts = tabulate_composition(cells)
    assert counts.to_numpy().sum() == cells["qc_pass"].sum()
    sample = cells[(cells["sample_id"] == "P01_blood_week6") & cells["qc_pass"]]
    found = counts.loc[("P01", "blood", "week6", "rest")]
    assert found["NK"] == (sample["cell_type_coarse"] == "NK").sum() > 0


def test_clone_shares_add_up_over_libraries_of_a_sample():
    clones = pd.DataFrame(
        [("P", "blood", "v", "rest", "L1", "a", 3), ("P", "blood", "v", "rest", "L2", "a", 1),
         ("P", "blood", "v", "rest", "L2", "b", 4), ("P", "blood", "v", "post_bout", "L3", "b", 9)],
        columns=[
            "patient_id", "tissue", "visit", "session_phase", "library_id", "clone_key",
            "n_cells_qc",
        ],
    )  # fmt: skip
    shares = tabulate_frequencies(clones).set_index("clone_key")["share"]
    assert shares.to_dict() == {"a": 0.5, "b": 0.5}


def test_every_patient_is_on_one_page_and_each_page_says_which(tables, points):
    clones = tables["clones"]
    many = pd.concat(
        [clones.assign(patient_id=clones["patient_id"] + suffix) for suffix in ("a", "b")]
    )
    pages = page_patients(many)
    assert [len(page) for page in pages] == [12, 4]
    assert [patient for page in pages for patient in page] == sorted(many["patient_id"].unique())
    found = dict(figures.draw_figures({**tables, "clones": many}, points, **DESIGN))
    first, second = found["clone_tracking"], found["clone_tracking_P07a_to_P08b"]
    assert "P01a to P06b, 12 of 16 patients" in first.get_suptitle()
    assert "P07a to P08b, 4 of 16 patients" in second.get_suptitle()
    assert find_figure("clone_tracking_P07a_to_P08b") == (
        "clone_pages",
        "Largest clones of patients P07a to P08b, as above.",
    )


def test_a_clone_has_one_colour_in_blood_and_tumour():
    # a is the larger in the tumour, b in the blood: the order is that of the largest share of all
    rows = [("blood", "a", 2), ("blood", "b", 3), ("tumor", "a", 6), ("tumor", "b", 2)]
    clones = pd.DataFrame(rows, columns=["tissue", "clone_key", "n_cells_qc"])
    clones = clones.assign(patient_id="P", visit="baseline", session_phase="rest")
    figure = figures.clone_tracking(clones, ["P"], **DESIGN)
    for axes, heights in zip(figure.axes, ([40, 60], [75, 25]), strict=True):
        assert [bar.get_height() for bar in axes.patches] == pytest.approx(heights)
    colours = [[bar.get_facecolor() for bar in axes.patches] for axes in figure.axes]
    assert colours[0] == colours[1]
    assert colours[0][0] != colours[0][1]


def test_ranks_go_down_from_the_largest_clone():
    rows = [("a", 1), ("b", 5), ("c", 2), ("d", 0)]
    clones = pd.DataFrame(rows, columns=["clone_key", "n_cells_qc"])
    clones = clones.assign(patient_id="P", tissue="blood", visit="baseline", session_phase="rest")
    ranks = tabulate_ranks(clones)
    assert ranks["rank"].tolist() == [1, 2, 3]
    assert ranks["share"].tolist() == [5 / 8, 2 / 8, 1 / 8]
    lines = figures.rank_abundance(clones, **DESIGN).axes[0].lines
    np.testing.assert_allclose(lines[0].get_ydata(), [62.5, 25, 12.5])


def test_rank_abundance_has_a_line_per_patient_and_their_median(drawn, tables):
    axes = drawn["rank_abundance"].axes[0]
    blood = tables["clones"].query("tissue == 'blood' and visit == 'baseline'")
    n = blood["patient_id"].nunique()
    assert axes.get_title(loc="left") == f"Blood, baseline (n = {n})"
    assert len([line for line in axes.lines if len(line.get_xdata())]) == n + 1
    largest = blood.groupby("patient_id")["n_cells_qc"].agg(lambda x: x.max() / x.sum())
    assert axes.lines[n].get_ydata()[0] == pytest.approx(100 * largest.median())


def test_curves_end_at_all_cells_and_all_clones(tables):
    cells, repertoires = tables["cells"], tables["repertoires"]
    curves = tabulate_rarefaction(cells, repertoires)
    known = repertoires[repertoires["cell_class"] == "CD8"].dropna(subset="n_cells")
    last = curves.groupby("sample_id").last().loc[known["sample_id"]]
    assert last["m"].tolist() == known["n_cells"].tolist()
    np.testing.assert_allclose(last["n_clones"], known["n_clones"].astype(float))
    first = curves.groupby("sample_id").first()
    np.testing.assert_allclose(first[["m", "n_clones"]].astype(float), 1)


def test_samples_that_do_not_reach_the_depth_are_drawn_apart_and_counted(tables):
    repertoires = tables["repertoires"].assign(depth=40)
    curves = tabulate_rarefaction(tables["cells"], repertoires)
    axes = figures.rarefaction(curves, **DESIGN).axes[0]
    here = curves.query("tissue == 'blood' and visit == 'baseline'").groupby("sample_id")["m"].max()
    n_below = int((here < 40).sum())
    assert 0 < n_below < len(here)
    assert sum(line.get_linestyle() == "--" for line in axes.lines) == n_below
    assert axes.texts[0].get_text() == f"m = 40: {len(here)} samples, {n_below} below"
    assert axes.lines[-1].get_xdata()[0] == 40


def test_samples_stand_by_patient_tissue_and_visit():
    places = [("b", "P2", "blood", "baseline"), ("d", "P1", "tumor", "baseline"),
              ("a", "P1", "blood", "week6"), ("c", "P1", "blood", "baseline")]  # fmt: skip
    samples = pd.DataFrame(places, columns=["sample_id", "patient_id", "tissue", "visit"])
    assert order_samples(samples, **DESIGN)["sample_id"].tolist() == ["c", "a", "d", "b"]


def test_overlap_is_symmetric_with_absent_pairs_at_zero():
    sharing = pd.DataFrame([("b", "a", True, 1, 0.1, 0.4)], columns=list(RELEASE_TABLES["sharing"]))
    samples = pd.DataFrame({"sample_id": ["c", "a", "b"], "patient_id": ["P0", "P1", "P1"]})
    matrix = tabulate_overlap(sharing, samples)
    assert list(matrix) == ["c", "a", "b"]
    assert matrix.loc["a", "b"] == matrix.loc["b", "a"] == 0.4
    assert matrix.loc["c", "a"] == 0.0
    assert np.isnan(np.diag(matrix)).all()


def test_overlap_between_patients_is_marked():
    sharing = pd.DataFrame(
        [("a", "c", False, 9, 0.3, 0.2)], columns=list(RELEASE_TABLES["sharing"])
    )
    samples = pd.DataFrame({"sample_id": ["a", "c"], "patient_id": ["P1", "P2"]})
    samples = samples.assign(tissue="blood", visit="baseline")
    marks = figures.identity(sharing, samples, **DESIGN).axes[0].lines[0].get_xydata()
    assert sorted(map(tuple, marks)) == [(0.0, 1.0), (1.0, 0.0)]


def test_antigens_count_cells_that_pass(tables):
    counts = tabulate_antigens(tables["specificity"], tables["cells"])
    passed = tables["specificity"].query("qc_pass")
    assert counts.sum(axis=1).to_dict() == passed["dna_barcode"].value_counts().to_dict()
    assert list(counts.index) == list(passed["dna_barcode"].value_counts().index)


def test_umis_of_called_cells_stand_apart_from_the_background(tables):
    specificity = tables["specificity"].assign(control_umi=1.0)
    names = sorted(specificity["dna_barcode"].unique())
    antigens_qc = pd.DataFrame(
        {
            "dna_barcode": [*names, "NC"],
            "is_control": [False] * len(names) + [True],
            "is_sticky": [name == names[0] for name in names] + [False],
            "n_called": [10, 5, 1, 0],
            "background_mean": 0.5,
            "background_size": 1e6,
        }
    )
    axes = figures.umi_separation(specificity, antigens_qc).axes[0]
    words = [label.get_text() for label in axes.get_yticklabels()]
    assert words == [f"{names[0]} (10)", f"{names[1]} (5)", f"{names[2]} (1)", "NC (control)"]
    # a Poisson of mean 0.5 is at most 4 in 99.98 % and at most 3 in 99.82 %; the axis has UMIs + 1
    assert {bar.get_width() for bar in axes.patches} == {4 + 1}
    drawn = axes.collections[0].get_offsets()[:, 0] - 1
    own = specificity.loc[specificity["dna_barcode"] == names[0], "n_umi"]
    assert sorted(drawn) == sorted(own)


def test_called_cells_are_over_the_others_on_the_plane():
    points = pd.DataFrame(
        {"umap_1": [0.0, 1, 2], "umap_2": [0.0, 1, 2]}, index=["L1_a", "L1_b", "L1_c"]
    )
    specificity = pd.DataFrame(
        {
            "library_id": "L1",
            "cell_barcode": ["b", "b", "gone"],
            "dna_barcode": ["weak", "strong", "strong"],
            "n_umi": [20, 90, 90],
        }
    )
    figure = figures.umap_antigen(points, specificity)
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["strong (1)", "not called (2)"]
    assert figure.axes[0].collections[-1].get_offsets().tolist() == [[1.0, 1.0]]


def test_forest_shows_back_transformed_estimates_patients_and_reasons(drawn):
    words = texts_of(drawn["forest"])
    assert "1.73 (1.09 to 2.75)" in words
    assert "3 / 4" in words
    assert "no test" in words
    assert "not compared: too few patients" in words


def test_forest_is_marked_only_when_blinded(tables):
    comparisons = tables["comparisons"]
    assert "BLINDED" not in shown_on(figures.forest(comparisons))
    assert "BLINDED" in shown_on(figures.forest(comparisons.assign(blinded=True)))


def test_forest_gives_turnover_a_panel_of_its_own(tables):
    rows = tables["comparisons"].iloc[:2].assign(scale=["ln", "-ln(1 - x)"])
    panels = {axes.get_title(loc="left"): axes for axes in figures.forest(rows).axes}
    title = "Ratio of overlaps with the baseline (below 1: more turnover), exercise against control"
    marks = [line for line in panels[title].lines if line.get_marker() == "s"]
    assert marks[0].get_xdata() == pytest.approx(np.exp(-rows["estimate"].iloc[1]))


def test_forest_points_stand_at_the_estimate(tables):
    one = tables["comparisons"].iloc[:1]
    marks = [line for line in figures.forest(one).axes[0].lines if line.get_marker() == "s"]
    assert marks[0].get_xdata() == pytest.approx(np.exp(one["estimate"].iloc[0]))


def test_paired_lines_know_arms_only_when_told(tables):
    arms = pd.Series({f"P{i:02d}": ("control", "exercise")[i % 2] for i in range(1, 9)})
    plain = figures.paired_lines(tables["endpoints"], visits=DESIGN["visits"])
    told = figures.paired_lines(
        tables["endpoints"], visits=DESIGN["visits"], arms=arms, arm_names=("exercise", "control")
    )
    assert not plain.legends
    assert [text.get_text() for text in told.legends[0].get_texts()] == ["exercise", "control"]


def test_paired_lines_of_random_arms_are_marked(tables):
    arms = pd.Series({f"P{i:02d}": ("control", "exercise")[i % 2] for i in range(1, 9)})
    figure = figures.paired_lines(
        tables["endpoints"], visits=DESIGN["visits"], arms=arms, blinded=True
    )
    assert "BLINDED" in shown_on(figure)


def test_library_card_counts_kept_cells_and_draws_limits(tables):
    cells = tables["cells"].query("library_id == 'L_P01_blood_baseline'")
    limits = {"total_counts": {"lower": 900.0, "upper": None}, "pct_counts_mt": {"upper": 12.0}}
    figure = figures.library_card(cells, limits, library_id="L1")
    assert figure.get_suptitle() == f"L1: {cells['qc_pass'].sum()} of {len(cells)} cells kept"
    left, right = figure.axes
    assert [line.get_xdata()[0] for line in left.lines] == [900.0]
    assert [line.get_ydata()[0] for line in right.lines[1:]] == [12.0]


def test_every_cell_type_has_its_own_colour():
    assert set(CELL_TYPE_COLOURS) == set(COARSE_OF_CELL_TYPE)
    assert len(set(CELL_TYPE_COLOURS.values())) == len(CELL_TYPE_COLOURS)


def test_the_reference_arm_is_grey():
    colours = pick_arm_colours(["control", "exercise"])
    assert list(colours) == ["control", "exercise"]
    assert len({colours["control"][i : i + 2] for i in (1, 3, 5)}) == 1


def make_clusters():
    labels = pd.DataFrame(
        {
            "pass": ["all", "all", "t_nk"],
            "cluster": ["10", "2", "0"],
            "n_cells": [1200, 300, 40],
            "cell_type": ["B", "CD8 T", "CD8 T"],
            "cell_type_lineage": ["B", "CD8", "CD8"],
            "cell_type_coarse": ["B", "T", "T"],
            "cell_state": ["", "unassigned", "CD8 Tem"],
            "vote": [0.9, 0.75, 1.0],
            "state_vote": [1.0, 0.5, 0.6],
            "evidence": ["MS4A1 0.90", "CD3D 0.80; CD3E 0.70", "GZMK 0.60"],
        }
    )
    genes = ["MS4A1", "CD3D", "CD3E"]
    markers = pd.DataFrame(
        [("all", c, g, 0.5, 2.0) for c in ("10", "2") for g in genes],
        columns=["pass", "cluster", "gene", "frac_detected", "mean_per_10k"],
    )
    return labels, markers


def test_clusters_stand_with_their_genes_label_size_and_agreement():
    labels, markers = make_clusters()
    figure = figures.cluster_evidence(labels[labels["pass"] == "all"], markers)
    axes = figure.axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["MS4A1", "CD3D", "CD3E"]
    assert [t.get_text() for t in axes.get_yticklabels()] == [
        "B  (10; 1,200 cells, 90 % agree)",
        "CD8 T  (2; 300 cells, 75 % agree)",
    ]
    markers = markers.assign(gene="GZMK", cluster="0").head(1)
    figure = figures.cluster_evidence(labels[labels["pass"] == "t_nk"], markers)
    labels_shown = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert labels_shown == ["CD8 Tem  (0; 40 cells, 60 % agree)"]


def test_open_labels_has_a_dot_per_sample_and_says_where():
    quality = pd.DataFrame(
        {
            "tissue": ["blood", "blood", "tumor"],
            "visit": ["week6", "week6", "baseline"],
            "frac_unassigned": [0.01, 0.03, 0.2],
            "frac_ambiguous": 0.05,
            "frac_state_unassigned": [0.1, 0.2, None],
        }
    )
    figure = figures.open_labels(quality, tissues=("blood", "tumor"), visits=("baseline", "week6"))
    assert len(figure.axes) == 3
    dots = [dots.get_offsets()[:, 0].tolist() for dots in figure.axes[0].collections]
    assert dots == [[1.0, 3.0], [20.0]]
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == [
        "blood, week 6", "tumor, baseline",
    ]  # fmt: skip


def test_a_long_reason_leaves_the_intervals_their_room(tables):
    batches = ", ".join(f"run{number:02d}" for number in range(60))
    rows = tables["comparisons"].assign(
        estimate=np.nan, reason_empty=f"batch aliased with arm: {batches}"
    )
    figure = figures.forest(rows)
    lay_out(figure)
    assert figure.axes[0].get_position().width > 0.25
    said = [text.get_text() for text in figure.axes[1].texts]
    assert any(text.startswith("not compared: batch") and text.endswith("…") for text in said)
