"""Receptors as others read them: scirpy's object and the AIRR rearrangement table."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiaim_sc.names import CONTIG_FIELDS

if TYPE_CHECKING:
    from anndata import AnnData

# Required by the AIRR rearrangement schema; contig tables of Cell Ranger hold no alignments.
_REQUIRED_EMPTY = (
    "sequence",
    "sequence_alignment",
    "germline_alignment",
    "v_cigar",
    "d_cigar",
    "j_cigar",
)
_CELL = ["library_id", "cell_barcode"]
# Our name of what is known of a cell: AIRR's, or ours where it has none.
_FROM_CELLS = {
    "clone_key": "clone_id",
    "sample_id": "sample_id",
    "patient_id": "subject_id",
    "tissue": "tissue",
    "visit": "visit",
    "session_phase": "session_phase",
}


def build_airr(contigs: pd.DataFrame, obs: pd.DataFrame) -> AnnData:
    """Receptors as scirpy holds them: ``obsm["airr"]``, a record per chain and cell.

    What `scirpy.io.from_airr_cells` makes of the same chains, without its loop over cells. Chains
    of a cell are sorted by `contig_id`, non-productive ones included. Fields that the AIRR schema
    requires are there, if missing: scirpy's writers refuse an object without them.

    Parameters
    ----------
    contigs
        Of all libraries, with ``library_id``. Contigs of cells that are not in `obs` are left out.
    obs
        A row per cell that is to be in the object, indexed ``<library_id>_<cell_barcode>``.

    Returns
    -------
    AnnData without X. ``scirpy.pp.index_chains`` adds chain indices where a tool needs them.

    Raises
    ------
    ValueError
        When a cell stands twice in `obs`.
    """
    import awkward as ak
    from anndata import AnnData, ExperimentalFeatureWarning

    if not obs.index.is_unique:
        message = f"{int(obs.index.duplicated().sum())} cells stand twice in obs"
        raise ValueError(message)
    position = obs.index.get_indexer(contigs["library_id"] + "_" + contigs["cell_barcode"])
    chains = contigs.assign(position=position)[position >= 0]
    chains = chains.sort_values(["position", "contig_id"])
    n_chains = np.bincount(chains["position"], minlength=len(obs))
    columns = {name: _as_array(chains[name]) for name in CONTIG_FIELDS}
    columns["sequence_id"] = _as_array(chains["contig_id"])
    empty = _as_array(pd.Series(index=chains.index, dtype="str"))
    columns |= dict.fromkeys((*_REQUIRED_EMPTY, "rev_comp"), empty)
    records = ak.unflatten(ak.zip(columns, depth_limit=1), n_chains)
    with warnings.catch_warnings():
        # scirpy holds receptors as awkward arrays, which anndata calls experimental
        warnings.simplefilter("ignore", ExperimentalFeatureWarning)
        return AnnData(X=None, obs=obs, obsm={"airr": records})


def _as_array(values: pd.Series) -> Any:
    import awkward as ak
    import pyarrow as pa

    if not pd.api.types.is_string_dtype(values.dtype):
        return ak.from_numpy(values.to_numpy())
    return ak.from_arrow(pa.array(values, type=pa.string(), from_pandas=True))


def rearrangements(contigs: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Contigs as an AIRR rearrangement table.

    Every contig that was kept has a row: those of cells without expression or of orphan chains, and
    the non-productive ones, which have `productive` false and are no part of a clone.

    Parameters
    ----------
    contigs
        Of all libraries, with ``library_id``.
    cells
        ``library_id cell_barcode`` and what is known of each cell: ``clone_key sample_id
        patient_id tissue visit session_phase``.

    Returns
    -------
    A row per contig, sorted by `sequence_id`, which no two have in common. ``cell_id`` is
    ``<library_id>_<cell_barcode>``, ``clone_id`` our `clone_key`, ``subject_id`` the patient and
    ``sample_processing_id`` the library. Of the schema's required fields those about alignments
    are empty.

    References
    ----------
    Vander Heiden et al. 2018, Front Immunol 9:2206, doi:10.3389/fimmu.2018.02206.
    """
    table = contigs.merge(cells[[*_CELL, *_FROM_CELLS]], on=_CELL, how="left")
    cell_id = table["library_id"] + "_" + table["cell_barcode"]
    found = pd.DataFrame(
        {
            "sequence_id": cell_id + "_" + _names_in_cell(table),
            "cell_id": cell_id,
            **{field: table[name] for name, field in _FROM_CELLS.items()},
            "sample_processing_id": table["library_id"],
            "rev_comp": False,
            **{name: table[name] for name in CONTIG_FIELDS},
            **dict.fromkeys(_REQUIRED_EMPTY, ""),
        }
    )
    return found.sort_values("sequence_id", ignore_index=True)


def _names_in_cell(table: pd.DataFrame) -> pd.Series:
    """Names of contigs without the cell barcode that Cell Ranger's begin with."""
    pairs = zip(table["contig_id"], table["cell_barcode"], strict=True)
    names = [contig.removeprefix(f"{cell}_") for contig, cell in pairs]
    return pd.Series(names, index=table.index, dtype="str")
