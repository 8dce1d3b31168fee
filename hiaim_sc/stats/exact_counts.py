"""Two groups of overdispersed counts: exact test, and fold change of fitted means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import betaln, gammainc, gammaincc, gammainccinv, gammaincinv, gammaln
from scipy.stats import beta

from hiaim_sc.stats._arrays import count_array, real_vector

if TYPE_CHECKING:
    import numpy.typing as npt

    from hiaim_sc.stats._arrays import FloatArray

_PRIOR: Final = 0.125
# Above this in both groups the beta limit of the beta-binomial takes over.
_LARGE: Final = 900
_MOST_STEPS: Final = 100
_LEAST_MEAN: Final = 1e-14


@dataclass(frozen=True)
class CountComparison:
    """Two groups compared feature by feature.

    Attributes
    ----------
    log2_fc
        Log2 of the second group's mean over the first's, each with a small prior count.
    p_value
        Two-sided.
    """

    log2_fc: FloatArray
    p_value: FloatArray


def exact_count_test(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    library_size: npt.ArrayLike,
    *,
    dispersion: float,
) -> CountComparison:
    r"""Exact test of equal means of two groups of negative binomial counts, feature by feature.

    Counts are first moved to the size :math:`\exp(\overline{\ln N})` of an average library,
    quantile to quantile under the common mean. Given their total :math:`s`, the sum :math:`S_1` of
    the first group's :math:`n_1` columns is then beta-binomial with :math:`\alpha = n_1/\phi` and
    :math:`\beta = n_2/\phi`, and :math:`p = 2 P(S_1 \le s_1 \mid s)` where :math:`s_1` is below
    its expectation, :math:`2 P(S_1 \ge s_1 \mid s)` where it is above, 1 at most and where it is
    there. Above 900 in both groups the beta distribution of the same moments stands in.

    `log2_fc` compares the groups' means as maximum likelihood fits them at this dispersion, a prior
    count of 0.125 in an average library added to each column. As ``exactTest`` of edgeR with its
    double tail.

    Parameters
    ----------
    first, second
        Counts of the groups, (n_features, n_columns); the first is the reference.
    library_size
        Effective size of each column, the first group's first.
    dispersion
        :math:`\phi > 0`: the variance is :math:`\mu + \phi\mu^2`.

    Examples
    --------
    >>> found = exact_count_test([[10]], [[50]], [1000, 1000], dispersion=0.1)
    >>> round(float(found.p_value[0]), 7)
    0.0062019

    References
    ----------
    Robinson and Smyth 2008, doi:10.1093/biostatistics/kxm030. edgeR: Robinson, McCarthy and Smyth
    2010, doi:10.1093/bioinformatics/btp616.
    """
    groups = [count_array(first, "first"), count_array(second, "second")]
    counts = np.hstack(groups).astype(np.float64)
    size = real_vector(library_size, "library_size", length=counts.shape[1])
    if not (size > 0).all() or not dispersion > 0:
        message = "library_size and dispersion must be above 0"
        raise ValueError(message)
    n_first, n_second = (group.shape[1] for group in groups)
    mean = np.exp(_fit_log_mean(counts, size, dispersion))[:, None]
    moved = _move_quantiles(counts, mean * size, mean * _geometric_mean(size), dispersion)
    sums = moved[:, :n_first].sum(axis=1), moved[:, n_first:].sum(axis=1)
    p_value = _double_tail(*sums, n_first, n_second, dispersion)
    prior = _PRIOR * size / size.mean()
    padded, padded_size = counts + prior, size + 2 * prior
    fitted = [
        _fit_log_mean(padded[:, columns], padded_size[columns], dispersion)
        for columns in (slice(n_first), slice(n_first, None))
    ]
    return CountComparison((fitted[1] - fitted[0]) / np.log(2), p_value)


def _geometric_mean(values: FloatArray) -> float:
    return float(np.exp(np.log(values).mean()))


def _fit_log_mean(counts: FloatArray, size: FloatArray, dispersion: float) -> FloatArray:
    """Log of each feature's mean per unit of library size, by maximum likelihood (scoring)."""
    with np.errstate(divide="ignore"):
        found = np.log((counts / size).mean(axis=1))
    present = np.isfinite(found)
    beta_now, y = found[present], counts[present]
    for _ in range(_MOST_STEPS):
        mean = np.exp(beta_now)[:, None] * size
        weight = 1 / (1 + dispersion * mean)
        step = ((y - mean) * weight).sum(axis=1) / (mean * weight).sum(axis=1)
        beta_now = beta_now + step
        if not len(step) or np.abs(step).max() < 1e-12:
            break
    found[present] = beta_now
    return found


def _move_quantiles(
    counts: FloatArray, mean: FloatArray, target: FloatArray, dispersion: float
) -> FloatArray:
    """Counts at the same quantile of another mean: average of a normal and a gamma match."""
    mean, target = np.broadcast_arrays(mean, target)
    is_empty = (mean < _LEAST_MEAN) | (target < _LEAST_MEAN)
    mean, target = mean + 0.25 * is_empty, target + 0.25 * is_empty
    spread, target_spread = 1 + dispersion * mean, 1 + dispersion * target
    normal = target + (counts - mean) * np.sqrt(target * target_spread / (mean * spread))
    shape, target_shape = mean / spread, target / target_spread
    upper = gammaincc(shape, counts / spread)
    lower = gammainc(shape, counts / spread)
    is_above = counts >= mean
    gamma = target_spread * np.where(
        is_above, gammainccinv(target_shape, upper), gammaincinv(target_shape, lower)
    )
    # A tail below the smallest double has no quantile: there the normal match stands alone.
    is_lost = (np.where(is_above, upper, lower) == 0) & (counts > 0)
    return np.where(is_lost, normal, (normal + gamma) / 2)


def _double_tail(
    first: FloatArray, second: FloatArray, n_first: int, n_second: int, dispersion: float
) -> FloatArray:
    whole, whole_second = np.round(first), np.round(second)
    is_large = (whole > _LARGE) & (whole_second > _LARGE)
    p_value = np.ones(len(first))
    for i in np.flatnonzero(~is_large & (whole * n_second != whole_second * n_first)):
        p_value[i] = _exact_tail(whole[i], whole_second[i], n_first, n_second, dispersion)
    if is_large.any():
        p_value[is_large] = _beta_tail(
            first[is_large], second[is_large], n_first, n_second, dispersion
        )
    return np.minimum(p_value, 1.0)


def _exact_tail(
    first: float, second: float, n_first: int, n_second: int, dispersion: float
) -> float:
    """Twice the tail of the beta-binomial; the group that is short is summed from 0."""
    short, sizes = first, (n_first / dispersion, n_second / dispersion)
    total = first + second
    if first * n_second > second * n_first:
        short, sizes = second, sizes[::-1]
    x = np.arange(short + 1)
    log_p = (
        gammaln(total + 1)
        - gammaln(x + 1)
        - gammaln(total - x + 1)
        + betaln(x + sizes[0], total - x + sizes[1])
        - betaln(*sizes)
    )
    return float(2 * np.exp(log_p).sum())


def _beta_tail(
    first: FloatArray, second: FloatArray, n_first: int, n_second: int, dispersion: float
) -> FloatArray:
    total = first + second
    mean = total / (n_first + n_second)
    alpha = n_first * mean / (1 + dispersion * mean)
    law = beta(alpha, alpha * n_second / n_first)
    below, above = (first + 0.5) / total, (first - 0.5) / total
    tail = np.where(below < law.median(), law.cdf(below), 0.5)
    return 2 * np.where(above > law.median(), law.sf(above), tail)
