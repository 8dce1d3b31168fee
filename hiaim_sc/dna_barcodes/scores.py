"""How clearly a cell holds one dna_barcode and not others: the published scores, as formulas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.stats import beta

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_SCORE_SHARE: Final = 0.925
_DELTA_PRIOR: Final = 0.25
_LOG_PRIOR: Final = 0.01
# Below this a corrected score is no binding.
LEAST_CORRECTED: Final = 1.0


def beam_score(antigen_umi: ArrayLike, control_umi: ArrayLike) -> NDArray[np.float64]:
    r"""BEAM-T's antigen specificity score, 0 to 100.

    :math:`100\,(1 - F(0.925;\ S + 1,\ N + 3))` with the beta distribution function :math:`F`, UMIs
    :math:`S` of the antigen and :math:`N` of the negative control; NaN where :math:`N` is.

    Examples
    --------
    >>> round(float(beam_score(100, 5)), 4)
    56.685

    References
    ----------
    10x Genomics, Cell Ranger, antigen specificity score.
    """
    return 100 * beta.sf(_SCORE_SHARE, np.add(antigen_umi, 1), np.add(control_umi, 3))


def umi_delta(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Lead of the first over the second: ``first / (second + 0.25)``; no second counts 0.

    Examples
    --------
    >>> round(float(umi_delta(12, 3)), 4)
    3.6923

    References
    ----------
    Povlsen et al. 2023, doi:10.7554/eLife.81810.
    """
    return np.asarray(first, dtype=float) / (np.asarray(second, dtype=float) + _DELTA_PRIOR)


def measure_dominance(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lead of each dna_barcode over the most of any other in the cell; shape as `counts`."""
    ordered = np.sort(np.hstack([counts, np.zeros((len(counts), 1))]), axis=1)
    first, second = ordered[:, -1:], ordered[:, -2:-1]
    return umi_delta(counts, np.where(counts == first, second, first))


def excess_share(counts: NDArray[np.float64], background: float) -> NDArray[np.float64]:
    r"""Share :math:`x'_j / (\sum_k x'_k + 1)` of a cell's UMIs above the background.

    Parameters
    ----------
    counts
        (n_cells, n_dna_barcodes) UMIs :math:`x`; :math:`x' = \max(x - b, 0)`.
    background
        UMIs :math:`b` that are never evidence.

    References
    ----------
    Zhang et al. 2021, doi:10.1126/sciadv.abf5835 (ICON).
    """
    excess = np.maximum(counts - background, 0.0)
    return excess / (excess.sum(axis=1, keepdims=True) + 1.0)


def corrected_score(
    n_umi: ArrayLike, share_of_cell: ArrayLike, share_of_clone: ArrayLike, *, background: float
) -> NDArray[np.float64]:
    r"""ICON's corrected signal :math:`\ln(x' + 0.01)\,r_c^2\,r_t`; what is below 1 is 0.

    Parameters
    ----------
    n_umi
        UMIs :math:`x`; :math:`x' = \max(x - b, 0)`.
    share_of_cell
        :math:`r_c` of `excess_share`.
    share_of_clone
        :math:`r_t`, share of this dna_barcode in the pairs of cell and dna_barcode of the clone
        that are above the background; 1 where nothing else is.
    background
        UMIs :math:`b`.

    References
    ----------
    Zhang et al. 2021, doi:10.1126/sciadv.abf5835 (ICON), without its exception for clones with one
    dna_barcode.
    """
    excess = np.maximum(np.subtract(n_umi, background), 0.0)
    score = np.log(excess + _LOG_PRIOR) * np.square(share_of_cell) * np.asarray(share_of_clone)
    return np.where(score < LEAST_CORRECTED, 0.0, score)
