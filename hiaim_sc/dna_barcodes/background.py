"""What a cell would show of a dna_barcode that no receptor of it binds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.stats import nbinom

if TYPE_CHECKING:
    from numpy.typing import NDArray

_N_SDS: Final = 3.0
_N_SDS_START: Final = 10.0
_SD_PER_MAD: Final = 1.4826
_MAX_ROUNDS: Final = 100
# A negative binomial of this size is a Poisson; the smallest mean keeps it defined.
_POISSON_SIZE: Final = 1e6
_LEAST_MEAN: Final = 1e-3


@dataclass(frozen=True)
class Background:
    """Negative binomial of each dna_barcode in cells that do not bind it.

    Attributes
    ----------
    mean, size
        (n_dna_barcodes,) mean in UMIs, and size: the variance is ``mean + mean^2 / size``.
    """

    mean: NDArray[np.float64]
    size: NDArray[np.float64]

    def upper_tail(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probability of at least so many UMIs; `counts` is (n_cells, n_dna_barcodes)."""
        return nbinom.sf(counts - 1, self.size, self.size / (self.size + self.mean))


def fit_background(counts: NDArray[np.float64]) -> Background:
    """Background of each dna_barcode, fitted over the cells without those that stand out.

    Cells more than three standard deviations (of at least one UMI) above the mean are left out,
    and mean and deviation taken again, until no cell changes. The start leaves out what is ten
    robust deviations (from the median absolute one) above the median, so that cells that bind have
    no say while they are fewer than half. The negative binomial has the mean :math:`m` and, by
    moments, the size :math:`m^2 / (v - m)` of what is left; as the background loses its own largest
    values too, tails are somewhat too light.

    Parameters
    ----------
    counts
        (n_cells, n_dna_barcodes) UMIs.
    """
    median = np.median(counts, axis=0)
    deviation = _SD_PER_MAD * np.median(np.abs(counts - median), axis=0)
    kept = counts <= median + _N_SDS_START * np.maximum(deviation, 1.0)
    for _ in range(_MAX_ROUNDS):
        mean, variance = _moments(counts, kept)
        within = counts <= mean + _N_SDS * np.sqrt(np.maximum(variance, 1.0))
        if (within == kept).all():
            break
        kept = within
    mean, variance = _moments(counts, kept)
    mean = np.maximum(mean, _LEAST_MEAN)
    excess = variance - mean
    size = np.full(len(mean), _POISSON_SIZE)
    np.divide(mean**2, excess, out=size, where=excess > mean**2 / _POISSON_SIZE)
    return Background(mean, size)


def _moments(
    counts: NDArray[np.float64], kept: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    n_kept = np.maximum(kept.sum(axis=0), 1)
    mean = np.where(kept, counts, 0).sum(axis=0) / n_kept
    variance = np.where(kept, (counts - mean) ** 2, 0).sum(axis=0) / n_kept
    return mean, variance
