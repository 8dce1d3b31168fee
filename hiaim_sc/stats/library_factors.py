"""Factors that make the library sizes of count columns comparable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.stats import rankdata

from hiaim_sc.stats._arrays import count_array

if TYPE_CHECKING:
    import numpy.typing as npt

    from hiaim_sc.stats._arrays import FloatArray

_TRIM_RATIO: Final = 0.3
_TRIM_LEVEL: Final = 0.05
_SAME: Final = 1e-6


def tmm_factors(counts: npt.ArrayLike) -> FloatArray:
    r"""Trimmed mean of M values: a factor per column, with geometric mean 1.

    Column :math:`k` is held against the reference column :math:`r`, whose upper quartile over its
    sum is closest to the mean of all columns'. Over the features :math:`g` counted in both,
    :math:`\log_2 f_k = \sum_g w_g M_g / \sum_g w_g` with
    :math:`M_g = \log_2\frac{y_{gk}/N_k}{y_{gr}/N_r}` and weights
    :math:`w_g^{-1} = \frac{N_k - y_{gk}}{N_k y_{gk}} + \frac{N_r - y_{gr}}{N_r y_{gr}}`; the 30 %
    largest and smallest :math:`M_g`, and the 5 % features of largest and smallest level, are left
    out. A few features that are far up in a column do not move its factor.

    Parameters
    ----------
    counts
        Shape (n_features, n_columns); features without any count have no say.

    Raises
    ------
    ValueError
        When a column has no counts.

    Examples
    --------
    >>> tmm_factors([[10, 20], [30, 60], [5, 10]]).tolist()
    [1.0, 1.0]

    References
    ----------
    Robinson and Oshlack 2010, doi:10.1186/gb-2010-11-3-r25.
    """
    values = count_array(counts, "counts").astype(np.float64)
    values = values[values.any(axis=1)]
    totals = values.sum(axis=0)
    if values.ndim != 2 or not (totals > 0).all():
        message = "counts needs two dimensions and a count in every column"
        raise ValueError(message)
    quartiles = np.quantile(values, 0.75, axis=0) / totals
    if np.median(quartiles) > 0:
        reference = int(np.argmin(np.abs(quartiles - quartiles.mean())))
    else:  # most features are absent from most columns: the fullest column compares best
        reference = int(np.argmax(np.sqrt(values).sum(axis=0)))
    log_factors = np.array(
        [_log_factor(column, values[:, reference]) for column in values.T], dtype=np.float64
    )
    return np.exp2(log_factors - log_factors.mean())


def _log_factor(column: FloatArray, reference: FloatArray) -> float:
    """Log2 factor of a column against the reference; 0 where they share no feature."""
    total, total_reference = column.sum(), reference.sum()
    shared = (column > 0) & (reference > 0)
    share, share_reference = column[shared] / total, reference[shared] / total_reference
    ratio = np.log2(share / share_reference)
    if not len(ratio) or np.abs(ratio).max() < _SAME:
        return 0.0
    level = (np.log2(share) + np.log2(share_reference)) / 2
    kept = _within(ratio, _TRIM_RATIO) & _within(level, _TRIM_LEVEL)
    if not kept.any():
        return 0.0
    variance = (1 - share) / column[shared] + (1 - share_reference) / reference[shared]
    if (variance[kept] == 0).any():  # one feature is all of both columns
        return 0.0
    return float(np.average(ratio[kept], weights=1 / variance[kept]))


def _within(values: FloatArray, trimmed: float) -> npt.NDArray[np.bool_]:
    """Values whose rank is in the middle; this share is cut at each end."""
    n_cut = int(np.floor(len(values) * trimmed))
    rank = rankdata(values)
    return (rank >= n_cut + 1) & (rank <= len(values) - n_cut)
