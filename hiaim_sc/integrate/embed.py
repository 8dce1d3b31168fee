"""From selected counts to coordinates and clusters: PCA, Harmony, neighbours, Leiden, UMAP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from hiaim_sc.integrate.neighbours import ExactNeighbours
from hiaim_sc.integrate.pca import reduce_dimensions

if TYPE_CHECKING:
    from anndata import AnnData

    from hiaim_sc.config import IntegrateOptions

_MIN_CELLS = 10


class IntegrationError(RuntimeError):
    """A library for integration returned something else than it says."""


def embed(selected: AnnData, options: IntegrateOptions, *, rng: np.random.Generator) -> AnnData:
    """Coordinates and clusters of all cells; no arm, visit or patient is used.

    Parameters
    ----------
    selected
        As `gather_counts` returns it; reads ``obs["batch"]``, ``obs["total_counts"]`` and
        ``var["highly_variable"]``.
    options
        Numbers of components and neighbours, resolution, whether to integrate and to draw a UMAP.
    rng
        Seeds Harmony, Leiden and UMAP.

    Returns
    -------
    AnnData without ``X``, same cells: ``obsm["X_pca"]``, ``obsm["X_pca_harmony"]`` (n_cells, n_pcs)
    and ``obsm["X_umap"]`` (n_cells, 2) float32, ``obs["leiden"]``; ``uns["pca"]`` holds genes,
    loadings, means, standard deviations and variance ratios. A cohort of fewer than 10 cells is
    one cluster at the origin.

    References
    ----------
    Korsunsky et al. 2019, Nat Methods 16:1289, doi:10.1038/s41592-019-0619-0 (Harmony).
    Traag et al. 2019, Sci Rep 9:5233, doi:10.1038/s41598-019-41695-z (Leiden).
    """
    from anndata import AnnData

    seed = int(rng.integers(2**31 - 1))
    result = AnnData(X=None, obs=selected.obs[["library_id", "cell_barcode", "batch"]].copy())
    variable = selected[:, selected.var["highly_variable"].to_numpy()]
    if variable.n_obs < _MIN_CELLS or variable.n_vars < 2:
        return _at_the_origin(result)
    with threadpool_limits(limits=1):  # sums in another order change the last bits
        pca = reduce_dimensions(variable, options.n_pcs)
        result.obsm["X_pca"] = pca.coordinates
        result.uns["pca"] = pca.as_dict(variable)
        corrected = _integrate(pca.coordinates, selected.obs["batch"], options, seed)
        result.obsm["X_pca_harmony"] = corrected
        _cluster(result, options, seed)
    return result


def _at_the_origin(result: AnnData) -> AnnData:
    for name in ("X_pca", "X_pca_harmony", "X_umap"):
        result.obsm[name] = np.zeros((result.n_obs, 2), dtype=np.float32)
    result.obs["leiden"] = pd.Series("0", index=result.obs_names, dtype=object)
    return result


def _integrate(
    coordinates: np.ndarray, batch: pd.Series, options: IntegrateOptions, seed: int
) -> np.ndarray:
    if not options.harmony or batch.nunique() < 2:
        return coordinates
    import harmonypy

    found = harmonypy.run_harmony(
        coordinates.astype(np.float64),
        pd.DataFrame({"batch": batch.astype(str).to_numpy()}),
        "batch",
        random_state=seed,
        verbose=False,
        ncores=1,
    ).Z_corr
    # harmonypy returned components x cells before 0.1, and wrappers still transpose
    if found.shape != coordinates.shape:
        msg = f"harmonypy returned {found.shape}, expected {coordinates.shape}"
        raise IntegrationError(msg)
    return np.ascontiguousarray(found, dtype=np.float32)


def _cluster(result: AnnData, options: IntegrateOptions, seed: int) -> None:
    import scanpy as sc

    n_neighbors = min(options.n_neighbors, result.n_obs - 1)
    sc.pp.neighbors(
        result,
        n_neighbors=n_neighbors,
        use_rep="X_pca_harmony",
        transformer=ExactNeighbours(n_neighbors),
        random_state=seed,
    )
    sc.tl.leiden(
        result,
        resolution=options.resolution,
        flavor="igraph",
        n_iterations=2,
        directed=False,
        random_state=seed,
    )
    result.obs["leiden"] = result.obs["leiden"].astype(str).astype(object)
    if options.umap:
        sc.tl.umap(result, random_state=seed, init_pos="spectral")
        result.obsm["X_umap"] = np.asarray(result.obsm["X_umap"], dtype=np.float32)
    for name in ("neighbors", "leiden", "umap"):
        result.uns.pop(name, None)
    for name in list(result.obsp):
        del result.obsp[name]
