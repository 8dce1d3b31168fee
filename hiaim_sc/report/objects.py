"""The cohort as an object that scanpy, scirpy and muon read."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import scipy.sparse as sp

from hiaim_sc.errors import HiaimError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData
    from mudata import MuData

    from hiaim_sc.report.cohort_files import Expression

# obs of the cohort object, in this order; columns of `cells` beyond these follow. Never an arm.
_OBS: Final = (
    "patient_id",
    "sample_id",
    "library_id",
    "cell_barcode",
    "visit",
    "tissue",
    "session_phase",
    "batch",
)


class UnknownCellsError(HiaimError):
    """An object has cells that the release's table of cells does not have."""


def build_cohort_object(
    expression: Expression,
    embedding: AnnData | None,
    cells: pd.DataFrame,
    airr: AnnData | None = None,
    antigen_counts: Mapping[str, AnnData] | None = None,
    specificity: pd.DataFrame | None = None,
) -> MuData:
    """The cohort as MuData: modality gex, and airr and dna where there are any. No arm in it.

    Parameters
    ----------
    expression
        Counts of the selected genes; `obs_names` = ``<library_id>_<cell_barcode>`` everywhere.
    embedding
        Its `obsm` and `obs["leiden"]` are taken over, matched by name.
    cells
        Release table `cells`.
    airr
        scirpy's object; `obsm["airr"]` is kept.
    antigen_counts
        library_id -> cells x dna_barcodes; the barcodes of all libraries are joined, absent is 0.
    specificity
        Release table `specificity`; a cell's antigens are joined with ``;`` in `obs["antigen"]`.

    Returns
    -------
    `obs` has the columns of `cells` for each cell, text as plain objects with "" for missing. `gex`
    is without its matrices, which `write_cohort` writes from `expression`; with corrected counts it
    has their totals over all genes as `obs["total_counts_corrected"]`.
    """
    import mudata

    known = _index_cells(cells, expression.counts.obs)
    modalities = {"gex": _build_gex(expression, embedding, known)}
    # a tag or a contig without a cell is no cell of the cohort: counted in uns, not kept
    if airr is not None:
        modalities["airr"] = _build_airr(airr, known)
    if antigen_counts:
        modalities["dna"] = _build_dna(antigen_counts, known, specificity)
    return mudata.MuData(modalities)


def _index_cells(cells: pd.DataFrame, selected: pd.DataFrame) -> pd.DataFrame:
    """Cells by object name, text as plain objects; the batch comes from the selected cells."""
    found = cells.copy()
    found.index = pd.Index(
        (found["library_id"].astype(str) + "_" + found["cell_barcode"].astype(str)).astype(object)
    )
    batches = selected.drop_duplicates("library_id").set_index("library_id")["batch"]
    found["batch"] = found["library_id"].map(batches.astype(object))
    order = [*_OBS, *(name for name in found.columns if name not in _OBS)]
    return found[order].apply(_plain_text)


def _plain_text(column: pd.Series) -> pd.Series:
    """Text as object str with "" for missing: what every version of the readers understands."""
    dtype = column.dtype
    is_text = pd.api.types.is_object_dtype(dtype) or pd.api.types.is_string_dtype(dtype)
    if not (is_text or isinstance(dtype, pd.CategoricalDtype)):
        return column
    return column.astype(object).where(column.notna(), "").astype(str).astype(object)


def _select(known: pd.DataFrame, names: pd.Index) -> pd.DataFrame:
    positions = known.index.get_indexer(names)
    if (positions < 0).any():
        absent = names[positions < 0]
        message = f"{len(absent)} cells are not in the table of cells, first {absent[0]!r}"
        raise UnknownCellsError(message)
    return known.iloc[positions].copy()


def _build_gex(expression: Expression, embedding: AnnData | None, known: pd.DataFrame) -> AnnData:
    import anndata

    counts, shown = expression.counts, expression.shown
    for names, others in ((counts.obs.index, shown.obs.index), (counts.var.index, shown.var.index)):
        if not names.equals(others):
            message = "the corrected counts are of other cells or genes than the counts"
            raise UnknownCellsError(message)
    gex = anndata.AnnData(
        obs=_select(known, counts.obs.index), var=pd.DataFrame(counts.var).apply(_plain_text)
    )
    if expression.corrected is not None:
        gex.obs["total_counts_corrected"] = shown.obs["total_counts"].to_numpy()
    gex.uns["log1p"] = {"base": None}
    if embedding is not None:
        positions = embedding.obs_names.get_indexer(gex.obs_names)
        if (positions < 0).any():
            message = f"{int((positions < 0).sum())} selected cells have no embedding"
            raise UnknownCellsError(message)
        for name, values in embedding.obsm.items():
            gex.obsm[name] = np.asarray(values)[positions]
        gex.obs["leiden"] = _plain_text(embedding.obs["leiden"].iloc[positions]).to_numpy()
        _add_loadings(gex, embedding.uns.get("pca"))
    return gex


def _add_loadings(gex: AnnData, pca: Mapping[str, np.ndarray] | None) -> None:
    """What projects further cells: loadings in `varm["PCs"]`, mean and sd of each gene in `var`.

    The names are scanpy's; genes that were not embedded have loadings of 0.
    """
    if pca is None:
        return
    positions = gex.var_names.get_indexer(pd.Index(pca["genes"]))
    loadings = np.zeros((gex.n_vars, pca["loadings"].shape[1]))
    loadings[positions] = pca["loadings"]
    gex.varm["PCs"] = loadings
    for name in ("mean", "sd"):
        values = np.full(gex.n_vars, np.nan)
        values[positions] = pca[name]
        gex.var[name] = values
    gex.uns["pca"] = {"variance_ratio": pca["variance_ratio"]}


def _build_airr(airr: AnnData, known: pd.DataFrame) -> AnnData:
    from anndata import ExperimentalFeatureWarning

    with warnings.catch_warnings():
        # scirpy holds receptors as awkward arrays, which anndata calls experimental
        warnings.simplefilter("ignore", ExperimentalFeatureWarning)
        found = airr[airr.obs_names.isin(known.index)].copy()
    found.uns["n_cells_left_out"] = airr.n_obs - found.n_obs
    own = pd.DataFrame(found.obs).apply(_plain_text)
    obs = _select(known, found.obs_names)
    extra = [name for name in own.columns if name not in obs.columns]
    found.obs = obs.join(own[extra])
    return found


def _build_dna(
    antigen_counts: Mapping[str, AnnData], known: pd.DataFrame, specificity: pd.DataFrame | None
) -> AnnData:
    import anndata

    antigens = sorted({name for one in antigen_counts.values() for name in one.var_names})
    blocks, names = [], []
    for library_id, one in sorted(antigen_counts.items()):
        columns = pd.Index(antigens).get_indexer(one.var_names)
        block = sp.coo_matrix(one.X)
        shape = (one.n_obs, len(antigens))
        blocks.append(sp.csr_matrix((block.data, (block.row, columns[block.col])), shape=shape))
        names += [f"{library_id}_{name}" for name in one.obs_names]
    index = pd.Index(names, dtype=object)
    is_known = index.isin(known.index)
    obs = _select(known, index[is_known])
    obs["antigen"] = _join_antigens(specificity, obs.index)
    counts = sp.csr_matrix(sp.vstack(blocks)).astype(np.int32)[is_known]
    var = pd.DataFrame(index=pd.Index(antigens, dtype=object))
    dna = anndata.AnnData(X=counts.astype(np.float32), obs=obs, var=var, layers={"counts": counts})
    dna.uns["n_cells_left_out"] = int((~is_known).sum())
    return dna


def _join_antigens(specificity: pd.DataFrame | None, names: pd.Index) -> np.ndarray:
    if specificity is None or specificity.empty:
        return np.full(len(names), "", dtype=object)
    keys = specificity["library_id"].astype(str) + "_" + specificity["cell_barcode"].astype(str)
    called = specificity["dna_barcode"].astype(str).groupby(keys).agg(lambda x: ";".join(sorted(x)))
    return called.reindex(names).fillna("").to_numpy(dtype=object)
