"""Which genes are embedded: the most variable ones that say what a cell is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiaim_sc.names.genes import gene_set

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hiaim_sc.config import EmbedOptions

# V, D, J and C genes of T- and B-cell receptors with their pseudogenes, no others: TRAF1, TRADD,
# TRDN, IGF1, IGHMBP2 stay. IGLL5 is read from a rearranged light chain.
_RECEPTOR = re.compile(
    r"TR[ABGD][VDJ]\d.*|TRG(V[AB]|JP\d?)|TRAC|TR[BG]C\d*|TRDC"
    r"|IG[HKL][VDJ](\d|[IVX]+-).*|IGKC|IGLC\d+|IGLL5|IGH[ADEGM]P?\d*"
)
_MITOCHONDRIAL = re.compile(r"MT-.+")
# Proteins of the cytosolic ribosome with their pseudogenes; RPS6KA1 is a kinase.
_RIBOSOMAL = re.compile(r"RP[SL]\d+([AXYL]|AL|[LY]\d)?(P\d+)?|RPLP[012](P\d+)?|RPSA(P\d+)?")
_SEX = gene_set("female") | gene_set("male")
_SETS = ("haemoglobin", "dissociation")
_MORE_SEX = {"RPS4Y2", "PRKY", "TTTY14", "TTTY15", "SRY"}  # too few or shared with X to tell sex by


def select_features(gene_stats: Mapping[str, pd.DataFrame], options: EmbedOptions) -> pd.DataFrame:
    """Highly variable genes from the statistics of all libraries.

    Genes are ranked within each library by ``variance_norm``; the rank over libraries is the
    median of the ranks below ``n_top_genes``, ties broken by the number of libraries in which it
    is that high, then by gene id. Genes of receptors, mitochondria, ribosomes, sex,
    haemoglobin and dissociation say nothing of what a cell is and are never chosen.

    Parameters
    ----------
    gene_stats
        `summarise_genes` by ``library_id``; a library with too few cells for a variance has no say.
    options
        ``n_top_genes``.

    Returns
    -------
    A row per gene that all libraries have, by gene id: ``gene_id symbol highly_variable rank
    n_libraries excluded`` (empty, or why the gene is never chosen).

    References
    ----------
    Stuart et al. 2019, Cell 177:1888, doi:10.1016/j.cell.2019.05.031.
    """
    table = _common_genes(gene_stats)
    table["excluded"] = [reason_to_exclude(symbol) for symbol in table["symbol"]]
    variances = _variances(gene_stats, table["gene_id"])
    allowed = (table["excluded"] == "").to_numpy()
    rank, n_high = _rank(variances, allowed, options.n_top_genes)
    table["rank"], table["n_libraries"] = rank, n_high
    order = table.assign(missing=np.isnan(rank)).sort_values(
        ["missing", "rank", "n_libraries", "gene_id"], ascending=[True, True, False, True]
    )
    chosen = order.index[~order["missing"]][: options.n_top_genes]
    table["highly_variable"] = table.index.isin(chosen)
    return table[["gene_id", "symbol", "highly_variable", "rank", "n_libraries", "excluded"]]


def describe_features(features: pd.DataFrame, pca: Mapping[str, Any]) -> pd.DataFrame:
    """Release table `features`: which genes were embedded, how they were scaled, and why not.

    Parameters
    ----------
    features
        As `select_features` returns it.
    pca
        ``uns["pca"]`` of the embedding, which holds ``genes mean sd``; empty where none was made.

    Returns
    -------
    The features with ``mean sd`` of the log-normalised counts, missing for genes not embedded.
    """
    scaling = pd.DataFrame(
        {name: pca.get(name, np.zeros(0)) for name in ("mean", "sd")},
        index=pd.Index(pca.get("genes", ()), dtype="str"),
    )
    return features.join(scaling, on="gene_id")


def _common_genes(gene_stats: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    tables = [stats[["gene_id", "symbol"]] for _, stats in sorted(gene_stats.items())]
    if not tables:
        return pd.DataFrame({"gene_id": pd.Series(dtype="str"), "symbol": pd.Series(dtype="str")})
    others = [t["gene_id"] for t in tables[1:] if not t["gene_id"].equals(tables[0]["gene_id"])]
    common = set(tables[0]["gene_id"]).intersection(*others)
    first = tables[0][tables[0]["gene_id"].isin(common)]
    return first.sort_values("gene_id", ignore_index=True)


def _variances(gene_stats: Mapping[str, pd.DataFrame], genes: pd.Series) -> list[np.ndarray]:
    """Standardised variances of each library that has them; else one index of dispersion of all."""
    tables = _align([stats for _, stats in sorted(gene_stats.items())], genes)
    found = [t["variance_norm"].to_numpy() for t in tables if t["variance_norm"].notna().any()]
    if found or not tables:
        return found
    total = sum(t["sum"].to_numpy(dtype=float) for t in tables)
    square = sum(t["sum_of_squares"].to_numpy(dtype=float) for t in tables)
    return [np.divide(square, total, out=np.zeros_like(total), where=total > 0)]


def _align(tables: list[pd.DataFrame], genes: pd.Series) -> list[pd.DataFrame]:
    """Rows of the genes; libraries of one annotation have them at the same places."""
    aligned: list[pd.DataFrame] = []
    known, rows = None, np.zeros(0, dtype=np.intp)
    for table in tables:
        if known is None or not table["gene_id"].equals(known):
            known = table["gene_id"]
            rows = pd.Index(known).get_indexer(pd.Index(genes))
        aligned.append(table.iloc[rows])
    return aligned


def _rank(
    variances: list[np.ndarray], allowed: np.ndarray, n_top: int
) -> tuple[np.ndarray, np.ndarray]:
    if not variances:
        return np.full(len(allowed), np.nan), np.zeros(len(allowed), dtype=np.int64)
    ranks = np.full((len(variances), len(allowed)), np.nan)
    for row, variance in zip(ranks, variances, strict=True):
        usable = np.flatnonzero(allowed & (variance > 0))
        order = usable[np.argsort(-variance[usable], kind="stable")][:n_top]
        row[order] = np.arange(len(order))
    n_high = np.isfinite(ranks).sum(axis=0)
    rank = np.full(len(allowed), np.nan)
    rank[n_high > 0] = np.nanmedian(ranks[:, n_high > 0], axis=0)
    return rank, n_high


def reason_to_exclude(symbol: str) -> str:
    """Class of a gene that says nothing of what a cell is; empty for all others.

    ``receptor`` (V, D, J and C genes of T- and B-cell receptors: they follow the clones), ``sex``
    (XIST and the Y chromosome), ``mitochondrial`` and ``ribosomal`` (the state of the cell and of
    its preparation), ``haemoglobin`` (red cells around it), ``dissociation`` (the digestion).

    >>> [reason_to_exclude(gene) for gene in ("TRBV20-1", "HBB", "FOS", "GZMB")]
    ['receptor', 'haemoglobin', 'dissociation', '']
    """
    if symbol in _SEX or symbol in _MORE_SEX:  # before ribosomal: RPS4Y1 is both
        return "sex"
    for reason, pattern in (
        ("receptor", _RECEPTOR),
        ("mitochondrial", _MITOCHONDRIAL),
        ("ribosomal", _RIBOSOMAL),
    ):
        if pattern.fullmatch(symbol):
            return reason
    return next((name for name in _SETS if symbol in gene_set(name)), "")
