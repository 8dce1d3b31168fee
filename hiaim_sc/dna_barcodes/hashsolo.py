"""HashSolo's model: is a cell of no hashtag, of one, or of two?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.stats import norm

if TYPE_CHECKING:
    from numpy.typing import NDArray

    type FloatArray = NDArray[np.float64]

HYPOTHESES: Final = ("negative", "singlet", "doublet")
# Where a density is nil all hypotheses are equal, and the prior decides.
_LEAST_DENSITY: Final = 1e-15
# log-counts that are all the same still leave room for one more
_LEAST_SD: Final = 1e-3


class _Normals(NamedTuple):
    """Mean and standard deviation of the log-counts, one of each per hashtag."""

    mean: FloatArray
    sd: FloatArray

    def log_density(self, values: FloatArray, hashtag: NDArray[np.int64]) -> FloatArray:
        """Of each cell's value under its hashtag's distribution."""
        density = norm.pdf(values, loc=self.mean[hashtag], scale=self.sd[hashtag])
        return np.log(density + _LEAST_DENSITY)


def hashsolo_probabilities(
    counts: FloatArray, priors: tuple[float, float, float] = (0.01, 0.8, 0.19)
) -> FloatArray:
    r"""(n_cells, 3) posterior probability of `HYPOTHESES`.

    A hashtag's log-counts :math:`\ln(x + 1)` are normal, as signal with the moments of the cells
    where it is the largest, as noise with those of the cells where it is one of the k - 2 smallest
    (of two hashtags: the smaller), both shrunk towards the moments over all hashtags. With the
    largest :math:`a` and the second :math:`b` of a cell: a doublet has signal of both, a singlet
    signal of :math:`a` and noise of :math:`b`, a negative noise of :math:`b` twice.

    Parameters
    ----------
    counts
        (n_cells, n_hashtags) UMIs, two hashtags or more.
    priors
        Of `HYPOTHESES`.

    References
    ----------
    Bernstein et al. 2020, doi:10.1016/j.cels.2020.05.010.
    """
    logs = np.log1p(counts)
    n_hashtags = logs.shape[1]
    order = np.argsort(logs, axis=1, kind="stable")
    n_noise = max(1, n_hashtags - 2)
    signal = _fit([logs[order[:, -1] == i, i] for i in range(n_hashtags)])
    noise = _fit([logs[(order[:, :n_noise] == i).any(axis=1), i] for i in range(n_hashtags)])
    first, second = order[:, -1], order[:, -2]
    largest, next_largest = np.sort(logs, axis=1)[:, [-1, -2]].T
    likelihood = np.column_stack(
        [
            noise.log_density(next_largest, second) + noise.log_density(largest, second),
            noise.log_density(next_largest, second) + signal.log_density(largest, first),
            signal.log_density(next_largest, second) + signal.log_density(largest, first),
        ]
    )
    weighted = np.exp(likelihood) * np.asarray(priors)
    return weighted / weighted.sum(axis=1, keepdims=True)


def _fit(values: list[FloatArray]) -> _Normals:
    r"""Normal of each hashtag with the moments over all as a prior.

    Precisions add up: :math:`\lambda_n = \lambda_0 + n \lambda`; the standard deviation is
    :math:`\sqrt{(n + 1) / \lambda_n}`.
    """
    pooled = np.concatenate(values)
    prior_mean, prior_precision = pooled.mean(), _precision(pooled)
    means, sds = [], []
    for own in values:
        n, precision = len(own), _precision(own) if len(own) > 1 else prior_precision
        posterior = prior_precision + n * precision
        total = own.sum() * precision + prior_mean * prior_precision
        means.append(total / posterior)
        sds.append(np.sqrt((n + 1) / posterior))
    return _Normals(np.array(means), np.array(sds))


def _precision(values: FloatArray) -> float:
    return float(1 / max(values.std(), _LEAST_SD) ** 2)
