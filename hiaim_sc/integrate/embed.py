"""From selected counts to coordinates and clusters: PCA, Harmony, neighbours, Leiden; UMAP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from hiaim_sc.integrate.graph import cluster_graph, draw_graph, weigh_neighbours
from hiaim_sc.integrate.neighbours import Neighbours, find_neighbours
from hiaim_sc.integrate.pca import reduce_dimensions

if TYPE_CHECKING:
    from anndata import AnnData

    from hiaim_sc.config import EmbedOptions
    from hiaim_sc.storage import StoredCounts

_MIN_CELLS = 10
_CELLS_PER_COMPONENT = 10
_CELLS_PER_HARMONY_CLUSTER = 30
_MAX_HARMONY_CLUSTERS = 100


class IntegrationError(RuntimeError):
    """A library for integration returned something else than it says."""


def embed(
    selected: AnnData | StoredCounts, options: EmbedOptions, *, rng: np.random.Generator
) -> AnnData:
    """Coordinates and clusters of all cells; no arm, visit or patient is used.

    The picture of the cells is `draw_cells`'s: nothing here needs it.

    Parameters
    ----------
    selected
        As `gather_counts` gathers them, in memory or stored; reads ``obs["batch"]``,
        ``obs["total_counts"]`` and ``var["highly_variable"]``.
    options
        Numbers of components and neighbours, resolution, whether to integrate.
    rng
        Seeds Harmony and Leiden.

    Returns
    -------
    AnnData without ``X``, same cells: ``obsm["X_pca"]`` and ``obsm["X_pca_harmony"]`` (n_cells,
    n_pcs), both float32; ``obs["leiden"]``.
    ``uns["pca"]`` holds genes, loadings, means, standard deviations and variance ratios;
    ``uns["neighbours"]`` the positions (``indices``) of each cell's neighbours in this table,
    nearest first, their ``distances``, and the search's ``recall``. A cohort of fewer than 10 cells
    is one cluster at the origin. The result does not depend on the number of threads.

    References
    ----------
    Korsunsky et al. 2019, Nat Methods 16:1289, doi:10.1038/s41592-019-0619-0 (Harmony).
    """
    from anndata import AnnData

    _load_native_libraries()
    seed = int(rng.integers(2**31 - 1))
    result = AnnData(X=None, obs=selected.obs[["library_id", "cell_barcode", "batch"]].copy())
    n_variable = int(selected.var["highly_variable"].sum())
    with threadpool_limits(limits=1):  # sums in another order change the last bits
        if result.n_obs < _MIN_CELLS or n_variable < 2:
            _place_at_origin(result, options)
        else:
            pca = reduce_dimensions(selected, options.n_pcs)
            result.obsm["X_pca"] = pca.coordinates
            result.uns["pca"] = pca.as_dict()
            result.obsm["X_pca_harmony"] = correct_batches(
                pca.coordinates, selected.obs["batch"], options, seed
            )
            _cluster(result, options, seed)
    return result


def limit_components[O: EmbedOptions](options: O, n_cells: int) -> O:
    """The options with one component for ten cells at most, but two.

    With fewer cells a component is noise, and neighbours in it are those of noise.
    """
    n_pcs = min(options.n_pcs, max(n_cells // _CELLS_PER_COMPONENT, 2))
    return options.model_copy(update={"n_pcs": n_pcs})


def _load_native_libraries() -> None:
    """Bring in what has threads of its own: a limit binds only libraries loaded before it."""
    import faiss  # noqa: F401
    import harmonypy  # noqa: F401
    import igraph  # noqa: F401


def _place_at_origin(result: AnnData, options: EmbedOptions) -> None:
    for name in ("X_pca", "X_pca_harmony"):
        result.obsm[name] = np.zeros((result.n_obs, 2), dtype=np.float32)
    found = find_neighbours(result.obsm["X_pca_harmony"], options.n_neighbors)
    result.uns["neighbours"] = vars(found).copy()
    result.obs["leiden"] = pd.Series("0", index=result.obs_names, dtype=object)


def correct_batches(
    coordinates: np.ndarray, batch: pd.Series, options: EmbedOptions, seed: int
) -> np.ndarray:
    """Coordinates with the batches' differences taken out, (n_cells, n_pcs) float32.

    Returned as they are with one batch, or with ``options.harmony`` off.

    Raises
    ------
    IntegrationError
        When harmonypy returns another shape or values that are not finite.
    """
    if not options.harmony or batch.nunique() < 2:
        return coordinates
    import harmonypy

    n_clusters = round(len(coordinates) / _CELLS_PER_HARMONY_CLUSTER)
    found = harmonypy.run_harmony(
        coordinates.astype(np.float64),
        pd.DataFrame({"batch": batch.astype(str).to_numpy()}),
        "batch",
        nclust=min(max(n_clusters, 1), _MAX_HARMONY_CLUSTERS),  # its own rule may give 0
        random_state=seed,
        verbose=False,
        ncores=1,
    ).Z_corr
    # harmonypy returned components x cells before 0.1, and wrappers still transpose
    if found.shape != coordinates.shape:
        msg = f"harmonypy returned {found.shape}, expected {coordinates.shape}"
        raise IntegrationError(msg)
    if not np.isfinite(found).all():
        msg = "harmonypy returned values that are not finite"
        raise IntegrationError(msg)
    return np.ascontiguousarray(found, dtype=np.float32)


def _cluster(result: AnnData, options: EmbedOptions, seed: int) -> None:
    coordinates = result.obsm["X_pca_harmony"]
    found = find_neighbours(coordinates, options.n_neighbors)
    result.uns["neighbours"] = vars(found).copy()
    weights = weigh_neighbours(found)
    result.obs["leiden"] = cluster_graph(weights, options.resolution, seed)


def draw_cells(embedding: AnnData, *, rng: np.random.Generator) -> pd.DataFrame:
    """UMAP of the cells, a picture only.

    Parameters
    ----------
    embedding
        As `embed` returns it; reads ``uns["neighbours"]`` and ``obsm["X_pca_harmony"]``.
    rng
        Seeds it.

    Returns
    -------
    ``umap_1 umap_2``, float32, by the names of the cells; all 0 for fewer than 10 cells.
    """
    coordinates = embedding.obsm["X_pca_harmony"]
    place = np.zeros((embedding.n_obs, 2), dtype=np.float32)
    if embedding.n_obs >= _MIN_CELLS:
        weights = weigh_neighbours(Neighbours(**embedding.uns["neighbours"]))
        with threadpool_limits(limits=1):
            place = draw_graph(weights, coordinates, int(rng.integers(2**31 - 1)))
    return pd.DataFrame(place, columns=["umap_1", "umap_2"], index=embedding.obs_names)
