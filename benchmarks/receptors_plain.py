"""The scirpy script that one would write first, for `benchmarks.receptors` to measure."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.receptor_runs import Measured

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from benchmarks.receptor_cohorts import Cohort


def measure_plain(cohort: Cohort, *, workers: int) -> tuple[Measured, pd.Series]:
    """What scirpy takes from the contigs to clones and their overlap, and the clone of each cell.

    The options are ours: all arms, any of two chains, same V gene, within patient.
    """
    import scirpy as ir

    found, start = Measured(), time.perf_counter()
    adata = found.step("read_10x_vdj, concat", lambda: _read(cohort))
    found.step("index_chains", lambda: ir.pp.index_chains(adata))
    found.step("chain_qc", lambda: ir.tl.chain_qc(adata))
    found.step(
        "ir_dist", lambda: ir.pp.ir_dist(adata, sequence="nt", metric="identity", n_jobs=workers)
    )
    found.step(
        "define_clonotypes",
        lambda: ir.tl.define_clonotypes(
            adata,
            receptor_arms="all",
            dual_ir="any",
            same_v_gene=True,
            within_group=["receptor_type", "patient_id"],
            n_jobs=workers,
        ),
    )
    found.step("repertoire_overlap", lambda: ir.tl.repertoire_overlap(adata, "sample_id"))
    found.wall = time.perf_counter() - start
    clone = adata.obs["clone_id"].astype("str").rename_axis("cell")
    found.n_cells, found.n_clones = int(clone.notna().sum()), clone.nunique()
    return found, clone


def _read(cohort: Cohort) -> AnnData:
    import anndata
    import scirpy as ir

    libraries = []
    for row in cohort.layout.itertuples():
        library = ir.io.read_10x_vdj(cohort.files[row.library_id])
        library.obs_names = row.library_id + "_" + library.obs_names
        library.obs["patient_id"], library.obs["sample_id"] = row.patient_id, row.sample_id
        libraries.append(library)
    return anndata.concat(libraries)
