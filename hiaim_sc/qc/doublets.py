"""Doublet scores: neighbours, receptors and mixed lineages, weighed on the library's own simulated doublets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize, special

from hiaim_sc.qc.evidence import (
    count_markers,
    lineage_evidence,
    receptor_counts,
    receptor_evidence,
    typical_markers,
)
from hiaim_sc.qc.neighbours import score_neighbours

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from hiaim_sc.config import QcOptions

_SIMULATED_PER_CELL = 2.0
_RIDGE = 1.0
DOUBLET_THRESHOLD = 0.5


@dataclass(frozen=True)
class DoubletScores:
    scrublet: np.ndarray
    receptor: np.ndarray
    lineage: np.ndarray
    score: np.ndarray


def score_doublets(counts, receptors, options, *, reference, rng):
    n = counts.n_obs
    nvj, nvdj, mixed = receptor_counts(receptors, counts.obs_names)
    markers = count_markers(counts)
    typical = typical_markers(markers[reference])
    rate = min(max(options.doublets_per_1000 * n / 1000, 1e-4), 0.5)
    rec = receptor_evidence(nvj, nvdj, mixed)
    lin = lineage_evidence(markers, typical, (nvj + nvdj) > 0)
    pool = np.flatnonzero(reference)
    parents = rng.choice(pool, size=(round(_SIMULATED_PER_CELL * n), 2))
    nb = score_neighbours(counts.X, parents, reference)
    a, b = parents.T
    srec = receptor_evidence(nvj[a] + nvj[b], nvdj[a] + nvdj[b], mixed[a] | mixed[b])
    slin = lineage_evidence(markers[a] + markers[b], typical, (nvj + nvdj)[a] + (nvj + nvdj)[b] > 0)
    F = np.column_stack([special.logit(nb.observed), rec, lin])
    S = np.column_stack([special.logit(nb.simulated), srec, slin])
    w = fit(F[reference], S)
    lr = np.column_stack([np.ones(n), F]) @ w
    return DoubletScores(nb.scrublet_score(rate), rec, lin, special.expit(lr + special.logit(rate))), w, lr

def fit(F, S):
    X = np.column_stack([np.ones(len(F) + len(S)), np.vstack([F, S])])
    y = np.r_[np.zeros(len(F)), np.ones(len(S))]
    sw = np.r_[np.full(len(F), 0.5 / len(F)), np.full(len(S), 0.5 / len(S))] * (len(F) + len(S))
    def loss(w):
        z = X @ w
        p = special.expit(z)
        return (sw * (np.logaddexp(0, z) - y * z)).sum() + _RIDGE / 2 * (w[1:] ** 2).sum(), X.T @ (sw * (p - y)) + _RIDGE * np.r_[0, w[1:]]
    return optimize.minimize(loss, np.zeros(X.shape[1]), jac=True, method="L-BFGS-B", bounds=[(None, None)] + [(0, None)] * F.shape[1]).x
