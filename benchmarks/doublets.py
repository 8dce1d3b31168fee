"""Doublets of a library beside scanpy's scrublet, and how many are found in small libraries.

Each measurement is a process of its own: a fresh one compiles what scrublet's neighbours need. Made
smaller: ``python -m benchmarks.doublets --cells 1000 --small 5``.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from anndata import AnnData

from hiaim_sc.config import IngestOptions, QcOptions, TcrOptions
from hiaim_sc.ingest import read_library
from hiaim_sc.names import COARSE_OF_CELL_TYPE
from hiaim_sc.qc import assess_cells
from hiaim_sc.simulate import SimulationSettings, simulate_library
from hiaim_sc.simulate.transcriptome import build_transcriptome
from hiaim_sc.study import LibraryFiles
from hiaim_sc.tcr import call_receptors

if TYPE_CHECKING:
    from collections.abc import Callable

_N_GENES = 15_000
_SMALL = 400
_TISSUES = {"blood": "L001", "tumor": "L003"}
_PRECISION = 0.6


@dataclass(frozen=True)
class Case:
    """A simulated library as the stage of cell QC gets it, and the truth.

    Attributes
    ----------
    counts, receptors
        Cells x genes, and the receptor of each cell that has one.
    is_doublet, is_mixed
        (n_cells,) bool: two cells, and two of different compartments.
    """

    counts: AnnData
    receptors: pd.DataFrame
    is_doublet: np.ndarray
    is_mixed: np.ndarray


class Scored(NamedTuple):
    """CPU seconds of scoring a library that is in memory, and the scores."""

    cpu_s: float
    scores: np.ndarray


def main() -> None:
    """Print the tables of ``benchmarks/README.md``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=5000, help="cells of the library timed")
    parser.add_argument("--small", type=int, default=50, help="libraries of 400 cells; 0: none")
    chosen = parser.parse_args()
    print("\n".join(set_beside(chosen.cells)))
    if chosen.small:
        print("\n".join(["", *tabulate_recall(chosen.small)]))


def set_beside(n_cells: int) -> list[str]:
    """Lines of the table of costs: a row per method and tissue."""
    from sklearn.metrics import roc_auc_score

    lines = [
        "| tissue | cells | method | CPU s | of scanpy's default | AUC | AUC, two compartments |",
        "|---|---|---|---|---|---|---|",
    ]
    for tissue in _TISSUES:
        case = make_case(tissue, n_cells, seed=1)
        methods = {
            "scanpy's scrublet": partial(score_by_scrublet, case),
            "the same, exact neighbours": partial(score_by_scrublet, case, exact=True),
            "hiaim-sc": partial(score_by_us, case),
        }
        found = {name: _in_own_process(run) for name, run in methods.items()}
        judged = ~case.is_doublet | case.is_mixed
        for name, scored in found.items():
            auc = roc_auc_score(case.is_doublet, scored.scores)
            mixed = roc_auc_score(case.is_mixed[judged], scored.scores[judged])
            share = scored.cpu_s / found["scanpy's scrublet"].cpu_s
            lines.append(
                f"| {tissue} | {case.counts.n_obs:,} | {name} | {scored.cpu_s:.1f} | {share:.2f} |"
                f" {auc:.3f} | {mixed:.3f} |"
            )
    return lines


def score_by_scrublet(case: Case, *, exact: bool = False) -> Scored:
    """Scanpy's scrublet, by default with approximate neighbours."""
    import scanpy as sc

    start = time.process_time()
    options = {"use_approx_neighbors": False} if exact else {}
    sc.pp.scrublet(case.counts, verbose=False, random_state=0, **options)
    return Scored(time.process_time() - start, case.counts.obs["doublet_score"].to_numpy())


def score_by_us(case: Case) -> Scored:
    """Our scores: what the doublets add to the assessment of the cells."""
    start = time.process_time()
    assess_case(case, doublets=False)
    without = time.process_time() - start
    start = time.process_time()
    table = assess_case(case)
    took = time.process_time() - start
    return Scored(took - without, table["doublet_score"].to_numpy())


def assess_case(case: Case, *, doublets: bool = True, seed: int = 0) -> pd.DataFrame:
    """The cells of a case as they are assessed, with `is_doublet` and `is_mixed`."""
    options, rng = QcOptions(doublets=doublets), np.random.default_rng(seed)
    table = assess_cells(case.counts, case.receptors, options, rng=rng).table
    return table.assign(is_doublet=case.is_doublet, is_mixed=case.is_mixed)


def tabulate_recall(n_libraries: int) -> list[str]:
    """Lines of the table of what is called in libraries of 400 cells, a tissue's taken together.

    Recall is of doublets of two compartments; for the precision every doublet is one.
    """
    lines = [
        "| tissue | libraries | doublets | of two compartments | called | precision | recall |"
        " recall at precision 0.6 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for tissue in _TISSUES:
        cells = pd.concat(
            assess_case(make_case(tissue, _SMALL, seed=1000 + seed, n_genes=2000), seed=seed)
            for seed in range(n_libraries)
        )
        called = cells["predicted_doublet"]
        lines.append(
            f"| {tissue} | {n_libraries} | {cells['is_doublet'].sum()} | {cells['is_mixed'].sum()}"
            f" | {called.sum()} | {cells.loc[called, 'is_doublet'].mean():.2f} |"
            f" {called[cells['is_mixed']].mean():.2f} | {recall_at(cells, _PRECISION):.2f} |"
        )
    return lines


def recall_at(cells: pd.DataFrame, precision: float) -> float:
    """Greatest recall of doublets of two compartments at this precision or a higher one."""
    ranked = cells.sort_values("doublet_score", ascending=False, kind="stable")
    found = ranked["is_doublet"].cumsum().to_numpy() / np.arange(1, len(ranked) + 1)
    recall = ranked["is_mixed"].cumsum().to_numpy() / max(ranked["is_mixed"].sum(), 1)
    return float(recall[found >= precision].max(initial=0.0))


def make_case(tissue: str, n_cells: int, *, seed: int, **settings: float) -> Case:
    """A library of the simulator's defaults: ambient RNA, dying cells, doublets by its size.

    15,000 genes, and other `settings` where they are given.
    """
    given = {"n_genes": _N_GENES, **settings}
    chosen = SimulationSettings.model_validate(
        {
            "out": Path("unused"),
            "seed": seed,
            "n_patients": 2,
            "cells_per_library": n_cells,
            **given,
        }
    )
    made = simulate_library(chosen, _TISSUES[tissue])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "filtered_contig_annotations.csv"
        made.contigs.to_csv(path, index=False)
        files = LibraryFiles(made.library_id, gex=None, gex_raw=None, vdj=path, dna_barcodes=None)
        data = read_library(
            files, IngestOptions(), require_gex=False, feature_type="", antigens=None
        )
    genes = build_transcriptome(chosen).genes.set_index("gene_id")
    other = made.cells["other_cell_type"].map(COARSE_OF_CELL_TYPE)
    is_doublet = made.cells["is_doublet"].to_numpy(dtype=bool)
    return Case(
        counts=AnnData(made.counts, obs=pd.DataFrame(index=made.cell_barcodes), var=genes),
        receptors=call_receptors(data.contigs, TcrOptions()),
        is_doublet=is_doublet,
        is_mixed=is_doublet & (other != made.cells["cell_type_coarse"]).to_numpy(),
    )


def _in_own_process(run: Callable[[], Scored]) -> Scored:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(run).result()


if __name__ == "__main__":
    main()
