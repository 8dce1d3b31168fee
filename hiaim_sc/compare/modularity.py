"""Whether the cells of a clone are nearer to each other than chance has it."""

from __future__ import annotations

import numpy as np
import pandas as pd


def measure_modularity(indices: np.ndarray, group: np.ndarray, clone: np.ndarray) -> pd.DataFrame:
    r"""Clonotype modularity of each clone, by clone number.

    :math:`\log_2 \frac{E + 1}{\bar E + 1}`: E are the edges between two of the clone's n cells in
    the graph that joins each cell to its nearest neighbours, and

    .. math:: \bar E = E_g \frac{n (n - 1)}{N (N - 1)}

    what n random ones of the N cells of its group have, which have :math:`E_g` edges among them.
    scirpy samples this expectation, over all cells; here it is exact, and the group is the patient:
    cells of one patient are nearer to each other whatever their clone.

    Parameters
    ----------
    indices
        (n_cells, k) positions of each cell's nearest neighbours.
    group
        (n_cells,) number of the cell's group, -1 for cells that are left out.
    clone
        (n_cells,) number of the cell's clone; a clone lies in one group.

    Returns
    -------
    ``n_edges expected modularity``, index `clone`; of the cells that are not left out.

    References
    ----------
    Sturm et al. 2020, Bioinformatics 36:4817, doi:10.1093/bioinformatics/btaa611.
    """
    cells = pd.DataFrame({"group": group, "clone": clone})[group >= 0]
    start, end = _edges(indices)
    inside = (group[start] >= 0) & (group[start] == group[end])
    start, end = start[inside], end[inside]
    of_group = np.bincount(group[start], minlength=group.max(initial=0) + 1)
    same = clone[start] == clone[end]
    of_clone = pd.Series(clone[start[same]]).value_counts()
    table = cells.groupby("clone").agg(size=("group", "size"), group=("group", "first"))
    n = table["size"].to_numpy(dtype=float)
    n_all = table["group"].map(cells["group"].value_counts()).to_numpy(dtype=float)
    share = n * (n - 1) / np.maximum(n_all * (n_all - 1), 1.0)
    expected = of_group[table["group"].to_numpy(dtype=int)] * share
    n_edges = of_clone.reindex(table.index, fill_value=0).to_numpy()
    return pd.DataFrame(
        {
            "n_edges": n_edges,
            "expected": expected,
            "modularity": np.log2((n_edges + 1) / (expected + 1)),
        },
        index=table.index,
    )


def _edges(indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of each edge, once, whichever of the two has the other as a neighbour."""
    n_cells, k = indices.shape
    start, end = np.repeat(np.arange(n_cells), k), indices.ravel().astype(np.int64)
    low, high = np.minimum(start, end), np.maximum(start, end)
    code = np.unique((low * n_cells + high)[low != high])
    return code // n_cells, code % n_cells
