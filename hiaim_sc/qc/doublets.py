"""Doublet scores: four kinds of evidence, weighed on the library's own simulated doublets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize, sparse, special

from hiaim_sc.qc.evidence import (
    MULTICHAIN,
    LineageModel,
    Signs,
    count_markers,
    count_receptors,
)
from hiaim_sc.qc.neighbours import score_neighbours

if TYPE_CHECKING:
    import pandas as pd

    from hiaim_sc.config import QcOptions
    from hiaim_sc.storage import Counts

FEATURES = ("neighbours", "receptor", "lineage", "foreign_receptor")
_SIMULATED_PER_CELL = 2.0
# few say too little; more say nothing new, and neighbours cost the square of their number
_MIN_SIMULATED, _MAX_SIMULATED, _MAX_JUDGED = 4000, 20_000, 5000
_RIDGE = 0.1
_N_ROUNDS = 10
_WEIGHT_OF_EXPECTED = 0.5
# three chains of a kind, or receptors of two kinds: a doublet until shown otherwise
_P_MULTICHAIN = 0.9
_MIN_RATE, _MAX_RATE = 1e-4, 0.5


@dataclass(frozen=True)
class DoubletScores:
    """Scores by cell, all (n_cells,).

    Attributes
    ----------
    scrublet
        Scrublet's score; NaN where the library is too small for it.
    receptor, lineage
        Evidence in [0, 1] from receptor chains, and from markers of a second compartment.
    score
        Probability of being a doublet, at the expected rate.
    strongest
        Which of `FEATURES` adds most log-odds beyond a usual cell's, or the receptor by rule.
    weights
        Log-odds per unit of each of `FEATURES`; empty where the library is too small.
    rate
        Share of doublets.
    """

    scrublet: np.ndarray
    receptor: np.ndarray
    lineage: np.ndarray
    score: np.ndarray
    strongest: np.ndarray
    weights: dict[str, float]
    rate: float


def score_doublets(
    counts: Counts,
    receptors: pd.DataFrame | None,
    options: QcOptions,
    *,
    reference: np.ndarray,
    ambient: float,
    rng: np.random.Generator,
) -> DoubletScores:
    r"""Probability that each cell is a doublet.

    Two reference cells drawn at random are summed (counts, marker counts, receptor chains) to a
    simulated doublet, twice as many as cells, but at least 4,000 (or all pairs) and at most 20,000.
    A logistic regression of simulated against observed cells, both halves of equal weight, turns
    four features into a log likelihood ratio

    .. math:: \ell = w_0 + w_1\,\mathrm{logit}(q) + w_2 e_{receptor} + w_3 e_{lineage}
       + w_4 e_{foreign},\quad w_1, \dots, w_4 \ge 0

    with :math:`q` the share of simulated doublets among the neighbours, and the others as
    `hiaim_sc.qc.evidence` says: too many chains, markers of two compartments beyond ambient RNA, a
    receptor on a cell of another compartment than T. The score is
    :math:`1 - (1 - \mathrm{expit}(\ell + \mathrm{logit}\,\rho))(1 - m)`, :math:`\rho` the rate and
    :math:`m = 0.9` for multichain or two-kind receptors, else 0. With fewer than
    `min_cells_doublets` reference cells the log likelihood ratio is 0. The observed cells hold
    doublets themselves: the regression is fitted ten times, each cell weighing as much as it is no
    doublet by the fit before, and the rate is taken as the mean of the expected one and of the mean
    probability then: a library may hold several times the doublets that its size lets expect.

    Parameters
    ----------
    counts
        Cells x genes, raw counts; `var["symbol"]` is read.
    receptors
        `cell_barcode`, `n_VJ`, `n_VDJ`, `receptor_type`, `chain_pairing`; None without receptors.
    options
        Expected rate, and the least number of cells.
    reference
        (n_cells,) bool: cells of fair quality, which doublets are simulated from.
    ambient
        Share of ambient RNA in the cells' counts.
    rng
        Draws the parents.

    References
    ----------
    Wolock et al. 2019, Cell Systems 8:281 (neighbours of simulated doublets).
    DOI 10.1016/j.cels.2018.11.005
    """
    n_cells = counts.n_obs
    matrix = sparse.csr_matrix(counts.X)
    total = np.asarray(matrix.sum(axis=1)).ravel()
    signs = Signs(count_receptors(receptors, counts.obs_names), count_markers(counts), total)
    lineages = LineageModel.fit(signs.markers[reference], total[reference], ambient)
    evidence = signs.evidence(lineages)
    rate = float(np.clip(options.doublets_per_1000 * n_cells / 1000, _MIN_RATE, _MAX_RATE))
    scrublet, log_odds = np.full(n_cells, np.nan), np.full(n_cells, special.logit(rate))
    spoken, weights = np.zeros((n_cells, len(FEATURES))), {}
    pool = np.flatnonzero(reference)
    if len(pool) >= options.min_cells_doublets:
        wanted = np.clip(round(_SIMULATED_PER_CELL * n_cells), _MIN_SIMULATED, _MAX_SIMULATED)
        n_simulated = min(int(wanted), len(pool) * (len(pool) - 1) // 2)
        parents = _draw_parents(pool, n_simulated, rng)
        neighbours = score_neighbours(matrix, parents, reference, n_judged=_MAX_JUDGED)
        judged = parents[:_MAX_JUDGED]
        observed = np.column_stack([special.logit(neighbours.observed), evidence])
        simulated = np.column_stack(
            [special.logit(neighbours.simulated), signs.pair(*judged.T).evidence(lineages)]
        )
        fitted, found_rate = _fit_log_ratio(observed[reference], simulated, rate)
        log_odds = fitted[0] + observed @ fitted[1:] + special.logit(found_rate)
        spoken = (observed - np.median(observed[reference], axis=0)) * fitted[1:]
        scrublet = neighbours.scrublet_score(rate)
        weights = dict(zip(FEATURES, fitted[1:].tolist(), strict=True))
        rate = found_rate
    posterior = special.expit(log_odds)
    receptor, lineage = evidence[:, 0], evidence[:, 1]
    rule = np.where(receptor >= MULTICHAIN, _P_MULTICHAIN, 0.0)
    score = 1 - (1 - posterior) * (1 - rule)
    strongest = np.where(rule > posterior, "receptor", np.array(FEATURES)[spoken.argmax(axis=1)])
    return DoubletScores(scrublet, receptor, lineage, score, strongest, weights, rate)


def _draw_parents(pool: np.ndarray, n_simulated: int, rng: np.random.Generator) -> np.ndarray:
    """Pairs of two different cells. (n_simulated, 2)."""
    first = rng.integers(len(pool), size=n_simulated)
    second = (first + rng.integers(1, len(pool), size=n_simulated)) % len(pool)
    return pool[np.column_stack([first, second])]


def _fit_log_ratio(
    observed: np.ndarray, simulated: np.ndarray, expected_rate: float
) -> tuple[np.ndarray, float]:
    """Intercept and weights >= 0 of the log likelihood ratio of simulated against single cells.

    And the rate of doublets.
    """
    p_single = np.ones(len(observed))
    fitted, rate = np.zeros(observed.shape[1] + 1), expected_rate
    for _ in range(_N_ROUNDS):
        fitted = _fit_logistic(observed, simulated, p_single)
        p_single = special.expit(-(fitted[0] + observed @ fitted[1:] + special.logit(rate)))
        found = 1 - float(p_single.mean())
        rate = _WEIGHT_OF_EXPECTED * expected_rate + (1 - _WEIGHT_OF_EXPECTED) * found
    return fitted, rate


def _fit_logistic(
    observed: np.ndarray, simulated: np.ndarray, observed_weights: np.ndarray
) -> np.ndarray:
    """Intercept and weights of a ridge logistic regression, both classes of equal total weight.

    Evidence may only speak for a doublet: no weight can turn on an accident of the library.
    """
    design = np.vstack([observed, simulated])
    design = np.column_stack([np.ones(len(design)), design])
    is_simulated = np.arange(len(design)) >= len(observed)
    case_weights = np.concatenate(
        [observed_weights / observed_weights.sum(), np.full(len(simulated), 1 / len(simulated))]
    )
    case_weights *= 0.5 * len(design)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        linear = design @ weights
        penalised = np.concatenate([[0.0], weights[1:]])
        value = case_weights @ (np.logaddexp(0, linear) - is_simulated * linear)
        slope = design.T @ (case_weights * (special.expit(linear) - is_simulated))
        return value + _RIDGE / 2 * (penalised @ penalised), slope + _RIDGE * penalised

    bounds = [(None, None)] + [(0, None)] * observed.shape[1]
    start = np.zeros(design.shape[1])
    return optimize.minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
