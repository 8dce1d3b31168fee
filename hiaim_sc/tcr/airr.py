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


def build_airr(contigs: pd.DataFrame, obs: pd.DataFrame) -> AnnData:
    """Receptors as scirpy holds them: ``obsm["airr"]``, a record per chain and cell.

    What `scirpy.io.from_airr_cells` makes of the same chains, without its loop over cells. Chains
    of a cell are sorted by `contig_id`, non-productive ones included.

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


def rearrangements(contigs: pd.DataFrame, clone_cells: pd.DataFrame) -> pd.DataFrame:
    """Contigs as an AIRR rearrangement table.

    Parameters
    ----------
    contigs
        Of all libraries, with ``library_id``.
    clone_cells
        As `define_clones` returns them; gives ``clone_id``, our ``clone_key``.

    Returns
    -------
    A row per contig, with the schema's required fields, of which those about alignments are empty.

    References
    ----------
    Vander Heiden et al. 2018, Front Immunol 9:2206, doi:10.3389/fimmu.2018.02206.
    """
    cell = ["library_id", "cell_barcode"]
    table = contigs.merge(clone_cells[[*cell, "clone_key"]], on=cell, how="left")
    found = pd.DataFrame(
        {
            "sequence_id": table["library_id"] + "_" + table["contig_id"],
            "cell_id": table["library_id"] + "_" + table["cell_barcode"],
            "clone_id": table["clone_key"],
            "rev_comp": False,
            **{name: table[name] for name in CONTIG_FIELDS},
            **dict.fromkeys(_REQUIRED_EMPTY, ""),
        }
    )
    return found.sort_values("sequence_id", ignore_index=True)
