"""Kinds of cells from marker evidence and from where cells of a kind lie, each in turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# The weight of each kind of evidence: genes of a programme are not independent of each other, nor
# is where a cell lies independent of them.
TEMPER = 0.5
_N_ROUNDS = 6
_PRIOR_CELLS = 5.0
# Cells that the mean of a lineage counts for beside those of a kind, and the mean of all, and their
# covariance, beside those of a lineage: a kind of few cells lies where its lineage lies, and with
# few cells in many dimensions a place says little.
_MEAN_CELLS = 20.0
_COVARIANCE_CELLS = 20.0  # per dimension
_CELLS_PER_DIMENSION, _FEWEST_DIMENSIONS = 20, 2
_RIDGE = 1e-3


@dataclass(frozen=True)
class KindEvidence:
    """What speaks for each kind, rows in the order of the cells.

    Attributes
    ----------
    pooled, own
        (n_cells, kinds) log likelihood ratios of each kind, from the counts of the cell and its
        neighbours, and from its own alone.
    allowed
        (n_cells, kinds) log weight: 0, or strongly negative where the receptor forbids the kind.
    """

    pooled: np.ndarray
    own: np.ndarray
    allowed: np.ndarray


def fit_kinds(
    evidence: KindEvidence,
    coordinates: np.ndarray,
    lineage: np.ndarray,
    together: np.ndarray,
    clone: np.ndarray,
) -> np.ndarray:
    r"""(n_cells, kinds) probability of each kind.

    Begun from the pooled evidence, :math:`P_{ik} \propto e^{S_{ik}/2} a_{ik}`. Then in six rounds
    the mean :math:`\mu_k` of each kind and one covariance :math:`\Sigma` of all are found from the
    cells weighted by P (`locate_kinds`), and :math:`\ln P_{ik} = (s_{ik} + S_{ik} / 2 + \ln N(z_i;
    \mu_k, \Sigma) + \ln \pi_k) / 2 + \ln a_{ik} + c_{ik}`: s is the cell's own evidence, z its
    coordinates, :math:`\pi_k` the kind's share, and c, for cells of a clone, half of what the other
    cells of the clone say of the kind's group, as 15 cells at most. Halves, because genes of a
    programme, and neighbours, do not speak independently.

    Markers decide what a kind is, so one whose genes are nowhere on finds no cells to learn from;
    its place decides which cells with few counts belong to it. No sample, batch, visit or arm is
    used.

    Parameters
    ----------
    evidence
        Of markers and receptors.
    coordinates
        (n_cells, n_dims), batches integrated.
    lineage
        (kinds,) lineage of each kind.
    together
        (kinds,) group of each kind that a clone does not cross; -1: clones say nothing of it.
    clone
        (n_cells,) number, -1 for none.
    """
    weight = softmax(TEMPER * evidence.pooled + evidence.allowed)
    for _ in range(_N_ROUNDS):
        size = weight.sum(axis=0)
        prior = np.log((size + _PRIOR_CELLS) / (size + _PRIOR_CELLS).sum())
        place = TEMPER * locate_kinds(weight, coordinates, lineage)
        alone = TEMPER * evidence.own + TEMPER**2 * evidence.pooled + evidence.allowed
        alone += place + TEMPER * prior
        weight = softmax(alone + _hear_clones(softmax(alone), together, clone))
    return weight


def locate_kinds(weight: np.ndarray, coordinates: np.ndarray, lineage: np.ndarray) -> np.ndarray:
    """(n_cells, kinds) log density of each kind's place, up to what is the same for all kinds.

    Means of kinds are shrunk towards that of their lineage by 20 cells, those of lineages towards
    that of all by 20, and the covariance towards that of all by 20 cells per dimension; the first
    dimensions are used, one for 20 cells.
    """
    n_cells = len(coordinates)
    if not n_cells:
        return np.zeros((0, len(lineage)))
    n_dims = min(coordinates.shape[1], max(n_cells // _CELLS_PER_DIMENSION, _FEWEST_DIMENSIONS))
    points = np.asarray(coordinates, dtype=float)[:, :n_dims]
    points = points - points.mean(axis=0)
    size, sums = weight.sum(axis=0), weight.T @ points
    member = lineage[:, None] == lineage
    of_lineage = (member @ sums) / (member @ size + _MEAN_CELLS)[:, None]
    means = (sums + _MEAN_CELLS * of_lineage) / (size + _MEAN_CELLS)[:, None]
    total = points.T @ points
    cross = means.T @ sums
    within = total - cross - cross.T + (means.T * size) @ means
    prior = _COVARIANCE_CELLS * n_dims
    covariance = (within + prior * total / n_cells) / (n_cells + prior)
    covariance += _RIDGE * np.eye(n_dims)
    scaled = np.linalg.solve(covariance, means.T)
    return np.asarray(points @ scaled - 0.5 * np.einsum("kd,dk->k", means, scaled))


def softmax(values: np.ndarray) -> np.ndarray:
    """Rows of values as probabilities."""
    weight = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


_CLONE_TEMPER = 0.5
_MOST_OF_CLONE = 15.0
_LEAST_CHANCE = 1e-3


def _hear_clones(weight: np.ndarray, together: np.ndarray, clone: np.ndarray) -> np.ndarray:
    """What the other cells of each cell's clone say of each kind, 0 for cells without a clone."""
    said = np.zeros_like(weight)
    rows = np.flatnonzero(clone >= 0)
    code = np.unique(clone[rows], return_inverse=True)[1]
    others = np.maximum(np.bincount(code)[code] - 1, 1) if len(rows) else np.zeros(0)
    for group in np.unique(together[together >= 0]):
        kinds = np.flatnonzero(together == group)
        log_chance = np.log(weight[np.ix_(rows, kinds)].sum(axis=1) + _LEAST_CHANCE)
        rest = np.bincount(code, log_chance)[code] - log_chance if len(rows) else log_chance
        heard = _CLONE_TEMPER * rest * np.minimum(1.0, _MOST_OF_CLONE / others)
        said[np.ix_(rows, kinds)] = heard[:, None]
    return said
