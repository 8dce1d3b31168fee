"""How far a T cell has the programme of cells that recognise a tumour: scores, never proof."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hiaim_sc.annotate.panel import find_columns
from hiaim_sc.annotate.scores import score_gene_sets
from hiaim_sc.errors import Fault, UserInputError
from hiaim_sc.storage import read_genes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hiaim_sc.storage import ReadableCounts

METHODS: Final = ("sum", "mean", "rank")
SCORED_LINEAGES: Final = ("CD8", "CD4")
_COLUMNS: Final = ["signature", "gene", "weight", "method", "source"]
_CELL: Final = ["library_id", "cell_barcode"]
_PLACE: Final = ["patient_id", "tissue", "cell_type_lineage"]
_COUNTS_PER_CELL: Final = 10_000
_MIN_MEASURED: Final = 0.5  # of the genes of a mean or a rank score; a sum needs all


def read_signatures(
    path: Path | None = None, gene_lists: Mapping[str, Path] | None = None
) -> pd.DataFrame:
    """Signatures of tumour-reactive T cells, sorted: the packaged ones or the study's own.

    Parameters
    ----------
    path
        A tab-separated table with the columns below, or None for the packaged one.
    gene_lists
        Name of a further signature: file with a gene in each line, scored by rank; NeoTCR8 and
        NeoTCR4 stand in a supplement of their paper (doi:10.1126/science.abl5447).

    Returns
    -------
    ``signature gene weight method source``; `method` as in `score_signatures`.

    Raises
    ------
    UserInputError
        With every fault of the files.
    """
    source = files("hiaim_sc.annotate") / "signatures.tsv" if path is None else path
    with source.open(encoding="utf-8") as handle:
        table = pd.read_csv(handle, sep="\t", dtype="str", keep_default_na=False)
    faults = _find_faults(source.name, table)
    lists = [table]
    for name, file in sorted((gene_lists or {}).items()):
        genes = file.read_text(encoding="utf-8-sig").split()
        if not genes:
            faults.append(Fault(file.name, 0, "", "an empty file", "a gene in each line"))
        found = pd.DataFrame({"signature": name, "gene": sorted(set(genes)), "weight": "1"})
        lists.append(found.assign(method="rank", source=file.name))
    if faults:
        raise UserInputError(faults)
    pooled = pd.concat(lists, ignore_index=True)[_COLUMNS]
    return pooled.astype({"weight": "float64"}).sort_values(
        ["signature", "gene"], ignore_index=True
    )


def _find_faults(name: str, table: pd.DataFrame) -> list[Fault]:
    if missing := [column for column in _COLUMNS if column not in table]:
        return [Fault(name, 1, column, "", "this column is required") for column in missing]
    faults = []
    for line, row in enumerate(table.to_dict("records"), start=2):
        if row["method"] not in METHODS:
            faults.append(
                Fault(name, line, "method", row["method"], f"one of {', '.join(METHODS)}")
            )
        if not np.isfinite(pd.to_numeric(row["weight"], errors="coerce")):
            faults.append(Fault(name, line, "weight", row["weight"], "a number"))
    twice = table[table.duplicated(["signature", "gene"])]
    faults += [
        Fault(name, int(line) + 2, "gene", gene, "once in a signature")
        for line, gene in twice["gene"].items()
    ]
    mixed = table.groupby("signature")["method"].nunique()
    return faults + [
        Fault(name, 0, "method", str(signature), "one method for all genes of a signature")
        for signature in mixed.index[mixed > 1]
    ]


def score_signatures(
    selected: ReadableCounts, cells: pd.DataFrame, signatures: pd.DataFrame
) -> pd.DataFrame:
    r"""Score of each signature in every CD8 and CD4 T cell.

    Expression is :math:`x = \ln(1 + 10^4 n / N)`, n the gene's counts and N all counts of the cell;
    z is x standardised over the cells of one patient and lineage (standard deviation with n in the
    denominator; 0 where a gene does not vary). By method, with weights w: ``sum`` is
    :math:`\sum w z / \sqrt{\sum w^2}`, ``mean`` :math:`\sum w z / \sum |w|`, and ``rank`` the rank
    score of the genes within the cell (`score_gene_sets`). A sum needs every gene to be measured,
    the others half of them; without, the score is missing.

    The packaged ``mana_proxy`` is (z(CXCL13) + z(ENTPD1) - z(IL7R)) / sqrt 3: the three genes of
    the published MANA score without its trained models. ``hanada`` is a mean over its list.

    Parameters
    ----------
    selected
        Counts of the gathered genes; reads ``obs["total_counts"]``, ``var["symbol"]``.
    cells
        Release table `cells`.
    signatures
        As `read_signatures` returns them.

    Returns
    -------
    ``library_id cell_barcode patient_id tissue cell_type_lineage`` and a column per signature, a
    row per cell that passes QC, in the order of `selected`.

    References
    ----------
    Caushi et al. 2021, doi:10.1038/s41586-021-03752-4; Oliveira et al. 2021,
    doi:10.1038/s41586-021-03704-y; Hanada et al. 2022, doi:10.1016/j.ccell.2022.03.012.
    """
    known = cells.set_index(_CELL)[_PLACE]
    names = pd.MultiIndex.from_frame(pd.DataFrame(selected.obs[_CELL]).astype("str"))
    known = known.reindex(names).reset_index()
    is_scored = known["cell_type_lineage"].isin(SCORED_LINEAGES).to_numpy()
    table = known[is_scored].reset_index(drop=True)
    columns = find_columns(selected, set(signatures["gene"]))
    counts = read_genes(selected, list(columns.values()))[np.flatnonzero(is_scored)]
    total = selected.obs["total_counts"].to_numpy(dtype=float)[is_scored]
    expression = np.log1p(_COUNTS_PER_CELL * counts.toarray() / total[:, None])
    z = _standardise(pd.DataFrame(expression, columns=list(columns)), table)
    found, by_rank = {}, {}
    for name, signature in signatures.groupby("signature", sort=True):
        measured = signature[signature["gene"].isin(columns)]
        if not _is_measured(measured, len(signature)):
            found[str(name)] = np.full(len(table), np.nan)
        elif measured["method"].iloc[0] == "rank":
            by_rank[str(name)] = [columns[gene] for gene in measured["gene"]]
        else:
            found[str(name)] = _score(measured, z)
    ranked = score_gene_sets(selected, by_rank) if by_rank else {}
    found |= {name: scores[is_scored] for name, scores in ranked.items()}
    return table.assign(**{name: found[name] for name in sorted(found)})


def _standardise(expression: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    grouped = expression.groupby([cells["patient_id"], cells["cell_type_lineage"]])
    spread = grouped.transform("std", ddof=0)
    return ((expression - grouped.transform("mean")) / spread.where(spread > 0)).fillna(0.0)


def _is_measured(measured: pd.DataFrame, n_genes: int) -> bool:
    """Whether enough of the genes of a signature were measured."""
    needed = n_genes if "sum" in set(measured["method"]) else _MIN_MEASURED * n_genes
    return 0 < len(measured) >= needed


def _score(measured: pd.DataFrame, z: pd.DataFrame) -> np.ndarray:
    """(n_cells,) of one signature that is a sum or a mean."""
    weight = measured["weight"].to_numpy()
    is_sum = measured["method"].iloc[0] == "sum"
    norm = np.sqrt((weight**2).sum()) if is_sum else np.abs(weight).sum()
    return z[list(measured["gene"])].to_numpy() @ weight / norm
