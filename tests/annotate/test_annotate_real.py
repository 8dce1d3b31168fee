"""Cell types of public data against what their authors found by other means."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from hiaim_sc.annotate import (
    LYMPHOCYTES,
    annotate_cells,
    annotate_compartments,
    panel_genes,
    read_panel,
    read_signatures,
    without_signatures,
)
from hiaim_sc.config import Options
from hiaim_sc.ingest import read_library
from hiaim_sc.integrate import (
    embed,
    gather_counts,
    limit_components,
    select_features,
    summarise_genes,
)
from hiaim_sc.qc import assess_cells
from hiaim_sc.study import pool_tables, read_study
from hiaim_sc.tcr import RECEPTOR_COLUMNS, call_receptors, define_clones, pool_receptors

pytestmark = [pytest.mark.data, pytest.mark.slow]
OPTIONS = Options.model_validate({"integrate": {"umap": False}})
NO_RECEPTORS = pd.DataFrame(
    columns=["library_id", "cell_barcode", "chain_pairing", "receptor_subtype", "invariant"]
)
NO_CLONES = pd.DataFrame(columns=["library_id", "cell_barcode", "clone_key"])


def annotate(libraries, receptors, clones, total_counts=None):
    """Cell types of ``(library_id, batch, counts, kept)``, from the statistics on."""
    panel = read_panel(None)
    selected = gather(libraries, panel, read_signatures(), OPTIONS.integrate)
    if total_counts is not None:
        selected.obs["total_counts"] = total_counts
    embedding = embed(selected, OPTIONS.integrate, rng=np.random.default_rng(1))
    first = annotate_compartments(
        without_signatures(selected), embedding, receptors, panel, OPTIONS.annotate
    )
    is_in = first["cell_type_coarse"].isin(LYMPHOCYTES)
    by_library = first[is_in].groupby("library_id")["cell_barcode"]
    kept = {name: list(found) for name, found in by_library}
    again = [(name, batch, x, kept[name]) for name, batch, x, _ in libraries if name in kept]
    second = gather(again, panel, read_signatures().iloc[:0], OPTIONS.second_pass)
    second.obs["total_counts"] = selected.obs["total_counts"][is_in.to_numpy()]
    options = limit_components(OPTIONS.second_pass, second.n_obs)
    own = embed(second, options, rng=np.random.default_rng(1))
    return annotate_cells(first, second, own, receptors, clones, panel, OPTIONS.annotate)


def gather(libraries, panel, signatures, options):
    stats = {name: summarise_genes(counts, kept) for name, _, counts, kept in libraries}
    genes = panel_genes(select_features(stats, options), panel, signatures)
    return gather_counts(libraries, genes).to_anndata()


def annotate_study(folder):
    """Cell types of the cells of a study folder that pass QC."""
    study = read_study(folder)
    options = study.config.options
    layout = study.layout()
    batches = layout.set_index("library_id")["batch"]
    libraries, receptors, cells = [], {}, {}
    for name in study.delivered_libraries():
        data = read_library(
            study.library_files(name),
            options.ingest,
            require_gex=True,
            feature_type=options.dna_barcodes.feature_type,
            antigens=study.antigens,
        )
        receptors[name] = call_receptors(data.contigs, options.tcr)
        rng = np.random.default_rng(1)
        cells[name] = assess_cells(data.counts, receptors[name], options.qc, rng=rng).table
        kept = list(cells[name].loc[cells[name]["qc_pass"], "cell_barcode"])
        libraries.append((name, batches[name], data.counts, kept))
    clones = define_clones(pool_receptors(receptors, cells, layout), options.tcr)
    return annotate(libraries, pool_tables(receptors, RECEPTOR_COLUMNS), clones)


@pytest.fixture(scope="module")
def blood(shared_data):
    """Blood cells with labels from sorting, their CD3 counts and our labels."""
    folder = shared_data / "matrix_formats"
    published = anndata.read_h5ad(folder / "pbmc68k_reduced.h5ad")
    stored = np.load(folder / "pbmc68k_reduced_counts.npz")
    parts = stored["data"], stored["indices"], stored["indptr"]
    order = np.argsort(published.obs_names.to_numpy())
    counts = anndata.AnnData(
        X=sp.csr_matrix(parts, shape=tuple(stored["shape"]))[order],
        obs=pd.DataFrame(index=published.obs_names[order]),
        var=pd.DataFrame({"symbol": published.var_names.astype(object)}, index=published.var_names),
    )
    found = annotate(
        [("L1", "run1", counts, list(counts.obs_names))],
        NO_RECEPTORS,
        NO_CLONES,
        published.obs["n_counts"].to_numpy()[order],
    )
    found["published"] = published.obs["bulk_labels"].astype(str).to_numpy()[order]
    found["cd3"] = np.asarray(counts[:, ["CD3D", "CD3E", "CD3G"]].X.sum(axis=1)).ravel()
    return found


def test_compartments_of_blood_are_those_it_was_sorted_by(blood):
    expected = {
        "CD56+ NK": "NK",
        "CD19+ B": "B",
        "CD14+ Monocyte": "myeloid",
        "Dendritic": "myeloid",
    }
    recall = [
        (blood.loc[blood["published"] == label, "cell_type_coarse"] == coarse).mean()
        for label, coarse in expected.items()
    ]
    assert np.mean(recall) >= 0.80
    is_t = blood["published"].str.contains("CD4|CD8")
    assert (blood.loc[is_t, "cell_type_coarse"] == "T").mean() >= 0.90


def test_cells_sorted_as_nk_are_nk_unless_they_have_cd3(blood):
    """Beads against CD56 catch T cells too; those that have CD3 are T cells."""
    sorted_nk = blood[blood["published"] == "CD56+ NK"]
    without = sorted_nk[sorted_nk["cd3"] == 0]
    assert len(without) == 11
    assert (without["cell_type_coarse"] == "NK").all()
    as_t = sorted_nk[sorted_nk["cell_type_coarse"] == "T"]
    assert (as_t["cd3"] > 0).all()


def test_progenitors_are_none_of_the_types_of_the_panel(blood):
    progenitors = blood[blood["published"] == "CD34+"]
    assert (progenitors["cell_type_coarse"] == "unassigned").mean() >= 0.90


def test_sorted_cd8_cells_are_t_cells_though_there_is_nothing_to_compare_with(shared_data):
    found = annotate_study(shared_data / "real_dextramer")
    assert (found["cell_type_coarse"] == "T").mean() >= 0.95
    assert (found["cell_type_coarse"] == "NK").mean() < 0.01
    assert (found["cell_type_lineage"] == "CD8").mean() >= 0.90


def test_tumour_t_cells_without_any_measured_t_gene_have_the_published_lineage(shared_data):
    """CD3 and TRAC are not in this panel, cells have 700 counts: receptors and CD4, CD8 remain."""
    folder = shared_data / "real_nsclc_wu2020"
    found = annotate_study(folder)
    published = pd.read_csv(folder / "published_labels.tsv", sep="\t")
    table = found.merge(published, on=["library_id", "cell_barcode"])
    table["truth"] = table["published_cluster"].str[0].map({"4": "CD4", "8": "CD8"})
    table = table[table["truth"].notna()]
    lineage = table["cell_type_lineage"].replace({"Treg": "CD4", "MAIT": "CD8"})
    labelled = lineage.isin(["CD4", "CD8"])
    assert len(table) > 140
    assert (table["cell_type_coarse"] == "T").mean() >= 0.95
    assert labelled.mean() >= 0.70
    # 0.83 to 0.86 were measured, as genes and components are chosen; the standard error is 0.035
    assert (lineage == table["truth"])[labelled].mean() >= 0.80
