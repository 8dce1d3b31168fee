r"""What a sample would look like at a smaller depth: expectations in closed form, and draws.

A subsample of m of the n cells, without replacement, holds :math:`P(X_i = j) =
\binom{x_i}{j}\binom{n-x_i}{m-j} / \binom{n}{m}` cells of a clone of :math:`x_i`. Clones of the same
size share their distribution, so the work grows with the number of different sizes. A depth m
beyond n is not defined: NaN.

References
----------
Hurlbert 1971, doi:10.2307/1934145
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln, xlogy

from hiaim_sc.stats._arrays import clone_counts, draw_count, present_counts, whole_number
from hiaim_sc.stats.diversity import coverage

if TYPE_CHECKING:
    import numpy.typing as npt

    from hiaim_sc.stats._arrays import BoolArray, FloatArray, IntArray

# From here on the series of Stirling's formula has all digits.
_STIRLING = 20.0


def rarefied_richness(x: npt.ArrayLike, m: int) -> float:
    """Expected number of clones among m cells drawn without replacement; NaN when m exceeds n.

    Parameters
    ----------
    x
        Cells per clone.
    m
        Depth, in cells.

    Examples
    --------
    >>> round(rarefied_richness([10, 6, 3, 1], 5), 6)
    2.705495
    """
    return rarefied_expanded_clones(x, m, 1)


def rarefied_expanded_clones(x: npt.ArrayLike, m: int, c: int) -> float:
    r"""Expected number of clones with at least c of m cells, :math:`\sum_i P(X_i \ge c)`.

    NaN when m exceeds n.

    Parameters
    ----------
    x
        Cells per clone.
    m
        Depth, in cells.
    c
        Cells from which on a clone counts as expanded.
    """
    depth, least = whole_number(m, "m", at_least=0), whole_number(c, "c", at_least=1)
    sizes, n_clones, n = _sizes(x)
    if depth > n:
        return math.nan
    if least > depth:
        return 0.0
    below = _probabilities(sizes, np.arange(least), n, depth).sum(axis=1)
    return float((n_clones * np.where(_never(sizes, depth, least), 0.0, 1.0 - below)).sum())


def rarefied_expanded_fraction(x: npt.ArrayLike, m: int, c: int) -> float:
    r"""Expected share of m cells that lie in clones with at least c of them.

    :math:`\frac1m \sum_i \sum_{j \ge c} j\,P(X_i = j)`; NaN when m exceeds n or is 0.

    Parameters
    ----------
    x
        Cells per clone.
    m
        Depth, in cells.
    c
        Cells from which on a clone counts as expanded.
    """
    depth, least = whole_number(m, "m", at_least=0), whole_number(c, "c", at_least=1)
    sizes, n_clones, n = _sizes(x)
    if depth > n or depth == 0:
        return math.nan
    if least > depth:
        return 0.0
    below = np.arange(least)
    expected = depth * sizes / n
    unexpanded = (below * _probabilities(sizes, below, n, depth)).sum(axis=1)
    expanded = np.where(_never(sizes, depth, least), 0.0, expected - unexpanded)
    return float(np.clip((n_clones * expanded).sum() / depth, 0.0, 1.0))


def rarefied_shannon(x: npt.ArrayLike, m: int) -> float:
    r"""Expected Shannon entropy of m cells in nats, :math:`-\sum_i E[(X_i/m) \ln (X_i/m)]`.

    NaN when m exceeds n or is 0.

    Parameters
    ----------
    x
        Cells per clone.
    m
        Depth, in cells.
    """
    depth = whole_number(m, "m", at_least=0)
    sizes, n_clones, n = _sizes(x)
    if depth > n or depth == 0:
        return math.nan
    entropy = 0.0
    for size, number in zip(sizes, n_clones, strict=True):
        cells = np.arange(min(size, depth) + 1)
        share = cells / depth
        chances = _probabilities(np.array([size]), cells, n, depth)[0]
        entropy -= number * float((chances * xlogy(share, share)).sum())
    return entropy + 0.0


def rarefied_coverage(x: npt.ArrayLike, m: int) -> float:
    r"""Expected share of the repertoire's cells in the clones that m cells show.

    :math:`1 - \sum_i \frac{x_i}{n} \binom{n-x_i}{m} / \binom{n-1}{m}`: whether one cell more is of
    a clone already seen. At m = n it is `coverage`; NaN when m exceeds n, or below two cells.

    Parameters
    ----------
    x
        Cells per clone.
    m
        Depth, in cells.

    References
    ----------
    Chao and Jost 2012, doi:10.1890/11-1952.1
    """
    depth = whole_number(m, "m", at_least=0)
    sizes, n_clones, n = _sizes(x)
    if depth > n or n < 2:
        return math.nan
    if depth == n:
        return coverage(x)
    unseen = _probabilities(sizes - 1, np.zeros(1, np.int64), n - 1, depth)[:, 0]
    return float(1.0 - (n_clones * sizes * unseen).sum() / n)


def subsample_counts(
    x: npt.ArrayLike, m: int, *, n_draws: int, rng: np.random.Generator
) -> IntArray:
    """Cells per clone in subsamples of m cells without replacement, shape (n_draws, len(x)).

    The draws depend on the order of the clones: give them sorted by their key. A depth beyond the
    sample's own is an error, since there is nothing that could be drawn.

    Parameters
    ----------
    x
        Cells per clone; zeros keep their place, so that two samples of the same clones stay
        aligned.
    m
        Depth, in cells.
    n_draws
        Number of subsamples.
    rng
        Where the chance comes from.
    """
    counts = clone_counts(x)
    depth = whole_number(m, "m", at_least=0)
    draws = draw_count(n_draws, "n_draws", rng, at_least=0)
    if depth > counts.sum():
        message = f"m is {depth}, but x has only {counts.sum()} cells"
        raise ValueError(message)
    return rng.multivariate_hypergeometric(counts, depth, size=draws, method="marginals")


def _never(sizes: IntArray, depth: int, least: int) -> BoolArray:
    """Which clones cannot reach `least` cells: rounding must not leave them a trace of a chance."""
    return np.minimum(sizes, depth) < least


def _sizes(x: npt.ArrayLike) -> tuple[IntArray, IntArray, int]:
    counts = present_counts(x)
    sizes, n_clones = np.unique(counts, return_counts=True)
    return sizes, n_clones, int(counts.sum())


def _probabilities(sizes: IntArray, cells: IntArray, n: int, m: int) -> FloatArray:
    r"""P(X = j) for each size (rows) and each j of `cells` (columns).

    With a the smaller and b the larger of the clone's size and m: :math:`\binom{a}{j}\, b_{(j)}
    (n - b)_{(a - j)} / n_{(a)}`, the falling factorials as sums of few terms even in samples of
    10^8 cells, where differences of logarithms of factorials keep six digits.
    """
    size, j = sizes[:, None].astype(np.float64), cells[None, :].astype(np.float64)
    a, b = np.minimum(size, m), np.maximum(size, m)
    chosen = _log_falling(a, j) - gammaln(j + 1)
    whole = _log_falling(np.full_like(a, n), a)
    return np.exp(chosen + _log_falling(b, j) + _log_falling(n - b, a - j) - whole)


def _log_falling(n: FloatArray, k: FloatArray) -> FloatArray:
    """Logarithm of n (n - 1) ... (n - k + 1); minus infinity where k is larger than n."""
    high, low = n + 1, n - k + 1
    enough = np.maximum(low, _STIRLING)
    far = k * (np.log(high) - 1) + (enough - 0.5) * np.log1p(k / enough)
    far = far + _stirling(np.maximum(high, _STIRLING)) - _stirling(enough)
    return np.where(low >= _STIRLING, far, gammaln(high) - gammaln(np.maximum(low, 0)))


def _stirling(z: FloatArray) -> FloatArray:
    """What Stirling's formula leaves of the logarithm of the gamma function."""
    return 1 / (12 * z) - 1 / (360 * z**3) + 1 / (1260 * z**5)
