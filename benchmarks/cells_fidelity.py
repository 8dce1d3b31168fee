"""Whether our genes, components and clusters are those of the plain script."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.metrics import adjusted_rand_score

from hiaim_sc.config import EmbedOptions
from hiaim_sc.integrate.embed import correct_batches
from hiaim_sc.integrate.graph import cluster_graph, weigh_neighbours
from hiaim_sc.integrate.neighbours import find_neighbours
from hiaim_sc.storage import Artefact, Recipe, Store

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

_N_COMPONENTS = 20


def compare_sides(store: Path, plain: Path) -> list[str]:
    """Lines on highly variable genes, components, clusters and the recall of the neighbours.

    Seeds are those of Harmony, the search and Leiden alike.
    """
    genes = _of(store, "features").read("features")
    embedding = _of(store, "embedding").read("embedding")
    theirs = pd.read_parquet(plain / "genes.parquet")
    cells = pd.read_parquet(plain / "cells.parquet").set_index(["library_id", "cell_barcode"])
    pca = embedding.uns["pca"]
    loadings = pd.DataFrame(pca["loadings"], index=pca["genes"])
    their_loadings = pd.read_parquet(plain / "loadings.parquet")
    ours = pd.DataFrame(embedding.obs).set_index(["library_id", "cell_barcode"])["leiden"]
    both = cells.join(ours.rename("ours"), how="inner")
    again = pd.Series(_cluster_again(embedding), index=ours.index).reindex(both.index)
    found = both["ours"]
    return [
        f"Highly variable genes in common: {_share_genes(genes, theirs):.4f}.",
        f"Subspace of the first {_N_COMPONENTS} components, smallest cosine: with our genes"
        f" {_subspace_cosine(loadings, _scanpy_loadings(store, loadings.index)):.5f}, each side"
        f" with its own {_subspace_cosine(loadings, their_loadings):.5f}.",
        f"Cells of both: {len(both):,} of {len(cells):,} and {len(ours):,}.",
        f"Adjusted Rand index: ours and theirs"
        f" {adjusted_rand_score(found, both['leiden']):.4f}, theirs with two seeds"
        f" {adjusted_rand_score(both['leiden'], both['leiden_again']):.4f}, ours with two seeds"
        f" {adjusted_rand_score(found, again):.4f}; clusters"
        f" {found.nunique()} and {both['leiden'].nunique()}.",
        f"Recall of the neighbours: {embedding.uns['neighbours']['recall']:.4f}.",
    ]


def write_kept(store: Path, folder: Path) -> Path:
    """A table of the cells that ours keeps, ``library_id cell_barcode``."""
    cells = pd.DataFrame(_of(store, "embedding").read("embedding").obs)
    path = folder / "kept.parquet"
    cells[["library_id", "cell_barcode"]].astype("str").to_parquet(path, index=False)
    return path


def _cluster_again(embedding: AnnData) -> np.ndarray:
    """Our clusters with other seeds."""
    coordinates = correct_batches(
        embedding.obsm["X_pca"], embedding.obs["batch"], EmbedOptions(), seed=12345
    )
    found = find_neighbours(coordinates, EmbedOptions().n_neighbors)
    return cluster_graph(weigh_neighbours(found), EmbedOptions().resolution, seed=12345)


def _of(store: Path, stage: str) -> Artefact:
    """The last artefact of a stage of the cohort."""
    last = json.loads((store / "last" / "cohort" / f"{stage}.json").read_text())
    return Store(store).get(Recipe(**last).key)


def _share_genes(ours: pd.DataFrame, theirs: pd.DataFrame) -> float:
    found = set(theirs.loc[theirs["highly_variable"], "gene_ids"])
    return len(found & set(ours.loc[ours["highly_variable"], "gene_id"])) / max(len(found), 1)


def _scanpy_loadings(store: Path, genes: pd.Index) -> pd.DataFrame:
    """What scanpy finds with these genes in our cells: normalised, log1p, scaled, PCA."""
    import scanpy as sc
    from anndata import AnnData

    counts = _of(store, "selected").read("selected")[:, genes]
    scale = 1e4 / counts.obs["total_counts"].to_numpy()
    cells = AnnData(sp.csr_matrix(counts.X).multiply(scale[:, None]).tocsr().astype(np.float32))
    sc.pp.log1p(cells)
    sc.pp.scale(cells, max_value=10)
    sc.pp.pca(cells, n_comps=_N_COMPONENTS, svd_solver="covariance_eigh")
    return pd.DataFrame(cells.varm["PCs"], index=genes)


def _subspace_cosine(ours: pd.DataFrame, theirs: pd.DataFrame) -> float:
    """Smallest cosine between the spaces of the first components, over the genes of both."""
    genes = ours.index.union(theirs.index)
    bases = [
        np.linalg.qr(table.reindex(genes).fillna(0.0).to_numpy()[:, :_N_COMPONENTS])[0]
        for table in (ours, theirs)
    ]
    return float(np.linalg.svd(bases[0].T @ bases[1], compute_uv=False).min())
