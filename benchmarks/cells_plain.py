"""The scanpy script that one would write first, for `benchmarks.cells` to measure.

It leaves out the genes that ours never embeds and, after its own QC, the cells that ours drops:
both are choices and no matter of computing.

``python -m benchmarks.cells_plain LOG STUDY KEPT OUT``: from a study's libraries to clusters of the
cells in the table KEPT; what fidelity is judged by goes to OUT.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from benchmarks.process_tree import Marks
from hiaim_sc.integrate import reason_to_exclude

if TYPE_CHECKING:
    from anndata import AnnData

N_TOP, N_PCS, N_NEIGHBORS = 2000, 50, 15
_MIN_GENES, _MIN_CELLS, _MAX_MT = 200, 3, 25.0


def main() -> None:
    """Run the script."""
    log, study, kept, out = (Path(argument) for argument in sys.argv[1:5])
    marks = Marks(log)
    import harmonypy  # noqa: F401
    import scanpy as sc

    marks.end("start")
    cells = _filter(_read(pd.read_csv(study / "libraries.tsv", sep="\t"), marks), kept, marks)
    cells.layers["counts"] = cells.X.copy()
    sc.pp.normalize_total(cells, target_sum=1e4)
    sc.pp.log1p(cells)
    marks.end("normalise")
    _choose_genes(cells)
    marks.end("HVG")
    variable = cells[:, cells.var["highly_variable"]].copy()
    sc.pp.scale(variable, max_value=10)
    marks.end("scale")
    sc.tl.pca(variable, n_comps=N_PCS, svd_solver="arpack")
    marks.end("PCA")
    _cluster(variable, seed=0, marks=marks)
    _keep(variable, cells, out)


def _choose_genes(cells: AnnData) -> None:
    """``var["highly_variable"]``: the most variable of the genes that ours may embed."""
    import scanpy as sc

    allowed = [not reason_to_exclude(symbol) for symbol in cells.var_names]
    found = sc.pp.highly_variable_genes(
        cells[:, allowed],
        n_top_genes=N_TOP,
        flavor="seurat_v3",
        layer="counts",
        batch_key="library",
        inplace=False,
    )
    chosen = found.index[found["highly_variable"]]
    cells.var["highly_variable"] = cells.var_names.isin(chosen)


def _cluster(variable: AnnData, *, seed: int, marks: Marks | None = None) -> None:
    """From components to ``obs["leiden"]``; without marks nobody measures."""
    import harmonypy
    import scanpy as sc

    end = marks.end if marks is not None else lambda _step: None
    variable.obsm["X_harmony"] = variable.obsm["X_pca"]
    if len(set(variable.obs["batch"])) > 1:
        variable.obsm["X_harmony"] = harmonypy.run_harmony(
            variable.obsm["X_pca"], variable.obs, "batch", random_state=seed, verbose=False
        ).Z_corr
    end("Harmony")
    sc.pp.neighbors(variable, n_neighbors=N_NEIGHBORS, use_rep="X_harmony", random_state=seed)
    end("neighbours")
    sc.tl.leiden(variable, flavor="igraph", n_iterations=2, directed=False, random_state=seed)
    end("Leiden")


def _read(libraries: pd.DataFrame, marks: Marks) -> AnnData:
    import anndata
    import scanpy as sc

    found = {}
    for row in libraries.itertuples():
        library = sc.read_10x_h5(row.gex)
        library.var_names_make_unique()
        library.obs["batch"] = row.batch
        found[row.library_id] = library
    marks.end("read")
    cells = anndata.concat(found, label="library", index_unique="_", merge="same")
    marks.end("concat")
    return cells


def _filter(cells: AnnData, kept: Path, marks: Marks) -> AnnData:
    import scanpy as sc

    cells.var["mt"] = cells.var_names.str.startswith("MT-")
    sc.pp.calculate_qc_metrics(cells, qc_vars=["mt"], percent_top=None, log1p=False, inplace=True)
    marks.end("QC metrics")
    sc.pp.filter_cells(cells, min_genes=_MIN_GENES)
    sc.pp.filter_genes(cells, min_cells=_MIN_CELLS)
    passing = pd.read_parquet(kept)
    names = passing["cell_barcode"] + "_" + passing["library_id"]
    found = cells[(cells.obs["pct_counts_mt"] < _MAX_MT) & cells.obs_names.isin(names)].copy()
    marks.end("filter")
    return found


def _keep(variable: AnnData, cells: AnnData, out: Path) -> None:
    """What the other side is held against: genes, loadings, clusters with two seeds."""
    out.mkdir(parents=True, exist_ok=True)
    genes = cells.var[["gene_ids", "highly_variable"]]
    genes.rename_axis("symbol").reset_index().to_parquet(out / "genes.parquet")
    loadings = pd.DataFrame(variable.varm["PCs"], index=variable.var["gene_ids"])
    loadings.rename(columns=str).to_parquet(out / "loadings.parquet")
    first = variable.obs["leiden"].astype(str).to_numpy()
    _cluster(variable, seed=1)
    names = variable.obs_names.str.split("_", n=1)
    table = pd.DataFrame(
        {
            "library_id": names.str[1],
            "cell_barcode": names.str[0],
            "leiden": first,
            "leiden_again": variable.obs["leiden"].astype(str).to_numpy(),
        }
    )
    table.to_parquet(out / "cells.parquet")


if __name__ == "__main__":
    main()
