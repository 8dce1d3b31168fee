"""A library's unfiltered matrix: the droplets with cells among those without."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from hiaim_sc.simulate.library import SimulatedLibrary, draw_barcodes
from hiaim_sc.simulate.seeds import generator

if TYPE_CHECKING:
    from hiaim_sc.simulate.settings import SimulationSettings


def with_empty_droplets(
    settings: SimulationSettings, library: SimulatedLibrary
) -> SimulatedLibrary:
    """The library with its empty droplets among its cell barcodes, sorted; they have no tags.

    Parameters
    ----------
    settings
        The cohort's settings, for the seed.
    library
        A library with `empty_counts`.
    """
    if library.empty_counts is None:
        return library
    n_empty = library.empty_counts.shape[0]
    rng = generator(settings.seed, "empty cell barcodes", zlib.crc32(library.library_id.encode()))
    drawn = draw_barcodes(n_empty + len(library.cell_barcodes), rng)
    names = np.setdiff1d(drawn, library.cell_barcodes)
    names = names[np.sort(rng.permutation(len(names))[:n_empty])]
    barcodes = np.concatenate([library.cell_barcodes, names])
    order = np.argsort(barcodes, kind="stable")

    def extend(counts: sparse.csr_matrix, below: sparse.csr_matrix | None) -> sparse.csr_matrix:
        empty = sparse.csr_matrix((n_empty, counts.shape[1]), dtype=np.int32)
        block = empty if below is None else below
        return sparse.vstack([counts, block], format="csr")[order]

    hashtags = library.hashtag_counts
    return replace(
        library,
        cell_barcodes=barcodes[order],
        counts=extend(library.counts, library.empty_counts),
        antigen_counts=extend(library.antigen_counts, None),
        hashtag_counts=None if hashtags is None else extend(hashtags, None),
    )
