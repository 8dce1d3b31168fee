"""Counts of molecules on a scale where differences and their variances make sense."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hiaim_sc.stats._arrays import count_matrix, real_vector, variance_vector

if TYPE_CHECKING:
    import numpy.typing as npt

    from hiaim_sc.stats._arrays import FloatArray

# Fewer features say nothing of how the variance depends on the level.
_LEAST_FEATURES = 20
_SPAN = 0.5
_STEP = 0.01


def log_cpm(
    counts: npt.ArrayLike, library_size: npt.ArrayLike, *, prior: float = 2.0
) -> FloatArray:
    r"""Log2 counts per million with a prior count in proportion to the library.

    :math:`\log_2\left(10^6\,(y + p_i) / (N_i + 2 p_i)\right)` with :math:`p_i = p N_i / \bar N`: as
    ``cpm(log=TRUE)`` of edgeR. A count of 0 has the same value in every library, so that a deep and
    a shallow sample of one kind differ by chance only.

    Parameters
    ----------
    counts
        Shape (n_samples, n_features).
    library_size
        Total count N of each sample, above 0; may count features that `counts` leaves out.
    prior
        Prior count p at the mean library size.

    Examples
    --------
    >>> log_cpm([[0, 8], [0, 38]], [10, 40]).round(3).tolist()
    [[16.074, 19.533], [16.074, 19.76]]

    References
    ----------
    Robinson, McCarthy and Smyth 2010, doi:10.1093/bioinformatics/btp616.
    """
    values = count_matrix(counts, "counts")
    size = real_vector(library_size, "library_size", length=len(values))
    if (size <= 0).any() or not 0 < prior < np.inf:
        message = "library_size and prior must be above 0 and finite"
        raise ValueError(message)
    if len(values) == 0:
        return values.astype(np.float64)
    added = prior * size / size.mean()
    share = (values + added[:, None]) / (size + 2 * added)[:, None]
    return np.log2(1e6 * share)


def variance_trend(variance: npt.ArrayLike, level: npt.ArrayLike) -> FloatArray:
    """Variance that a feature of this level is expected to have, above 0.

    A local regression (lowess, robust) of the log variance on the level. Few counts vary more than
    many do; without the trend a moderated t borrows too small a variance for features of low level,
    which then reject too often, and too large a one for the others. All 1 with fewer than 20
    features that vary.

    Parameters
    ----------
    variance
        Of each feature; those of 0 do not take part and get the trend at their level.
    level
        Mean of each feature on a log scale.

    References
    ----------
    Law et al. 2014, doi:10.1186/gb-2014-15-2-r29 (limma-trend).
    """
    from statsmodels.nonparametric.smoothers_lowess import lowess

    known = variance_vector(variance, "variance")
    mean = real_vector(level, "level", length=len(known))
    varies = known > 0
    reach = float(np.ptp(mean[varies])) if varies.any() else 0.0
    if varies.sum() < _LEAST_FEATURES or reach == 0.0:
        return np.ones(len(known))
    fitted = lowess(np.log(known[varies]), mean[varies], frac=_SPAN, delta=_STEP * reach)
    return np.exp(np.interp(mean, fitted[:, 0], fitted[:, 1]))
