"""Counts of parts of a whole, on scales where differences make sense."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hiaim_sc.stats._arrays import count_array

if TYPE_CHECKING:
    import numpy.typing as npt

    from hiaim_sc.stats._arrays import FloatArray


def clr(counts: npt.ArrayLike, pseudo: float = 0.5) -> FloatArray:
    r"""Centred log-ratio of each part, :math:`\ln(x_k + c) - \frac1K \sum_j \ln(x_j + c)`.

    Parameters
    ----------
    counts
        Cells per part, the parts along the last axis. A sample without cells becomes NaN, and so
        does one with an empty part when `pseudo` is 0. Whole numbers; with `pseudo` 0 the result
        does not depend on the scale and proportions are accepted.
    pseudo
        Added to each count, c.

    References
    ----------
    Aitchison 1982, doi:10.1111/j.2517-6161.1982.tb01195.x
    """
    if not 0 <= pseudo < np.inf:
        message = f"pseudo must be at least 0 and finite, got {pseudo!r}"
        raise ValueError(message)
    values = np.asarray(counts, dtype=np.float64) if pseudo == 0 else count_array(counts, "counts")
    if values.ndim == 0 or not np.isfinite(values).all() or (values < 0).any():
        message = "counts must be numbers of at least 0, the parts along the last axis"
        raise ValueError(message)
    if values.size == 0:
        return values.astype(np.float64)
    shifted = values + pseudo
    defined = (values.sum(axis=-1, keepdims=True) > 0) & (shifted > 0).all(axis=-1, keepdims=True)
    logged = np.log(np.where(defined, shifted, np.nan))
    return logged - logged.mean(axis=-1, keepdims=True)


def empirical_logit(k: npt.ArrayLike, n: npt.ArrayLike) -> FloatArray:
    r"""Logit of a proportion that stays finite at 0 and 1, :math:`\ln\frac{k + 1/2}{n - k + 1/2}`.

    Parameters
    ----------
    k
        Cells of the kind; an expected number need not be whole.
    n
        All cells, in a shape that fits; NaN comes back where there are none.

    References
    ----------
    Anscombe 1956, doi:10.1093/biomet/43.3-4.461
    """
    part, whole = np.asarray(k, dtype=np.float64), np.asarray(n, dtype=np.float64)
    if not (np.isfinite(part).all() and np.isfinite(whole).all()):
        message = "k and n must be numbers: select the complete ones first"
        raise ValueError(message)
    if (part < 0).any() or (part > whole).any():
        message = "k must lie between 0 and n"
        raise ValueError(message)
    logit = np.log((part + 0.5) / (whole - part + 0.5))
    return np.where(whole > 0, logit, np.nan)[()]
