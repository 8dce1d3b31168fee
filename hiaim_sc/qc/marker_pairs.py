"""Markers in cells that cannot express them: counts, their ratio to the ambient RNA, its error."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from hiaim_sc.qc.chance import chance_of_at_least

type Method = Literal["empty_droplets", "mean_profile", ""]

_MIN_CELLS = 20  # cells that the estimate rests on
_MIN_EXPECTED = 100.0  # marker counts they would have if all of their RNA were ambient
_MAX_FOLD, _P_OUTLIER = 3.0, 0.001
_Z = 1.96


@dataclass(frozen=True)
class AmbientEstimate:
    """Share of ambient counts in a library's cells.

    Attributes
    ----------
    fraction, se, low, high
        Estimate, standard error and 95 % interval; None where it cannot be had.
    method
        Where the profile of the ambient RNA is from: ``empty_droplets`` or ``mean_profile``.
    n_cells, n_genes, n_expected
        Cells and genes it rests on, and the counts expected of them at a fraction of 1.
    reason
        Why there is no estimate; empty where there is one.
    """

    fraction: float | None
    se: float | None
    low: float | None
    high: float | None
    method: Method
    n_cells: int
    n_genes: int
    n_expected: float
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class MarkerPairs:
    """Counts of markers in cells that cannot express them.

    Attributes
    ----------
    observed, expected
        (n_genes,) counts, and those expected if all of the cells' RNA were ambient.
    n_cells
        Cells that they are of.
    """

    observed: np.ndarray
    expected: np.ndarray
    n_cells: int

    def estimate(self, method: Method) -> AmbientEstimate:
        """The ambient share with its interval, or the reason why it cannot be had."""
        n_expected = float(self.expected.sum())
        reason = ""
        if self.n_cells < _MIN_CELLS:
            reason = (
                f"{self.n_cells} cells are surely of a compartment that lacks markers of another"
                f" one in the library; {_MIN_CELLS} are needed"
            )
        elif n_expected < _MIN_EXPECTED:
            reason = (
                "markers that cannot be of these cells make up too little of the ambient RNA:"
                f" {n_expected:.0f} counts if all were ambient, {_MIN_EXPECTED:.0f} are needed"
            )
        if reason:
            return no_estimate(reason, method, self)
        used = self.without_outliers()
        fraction = min(used.fraction, 1.0)
        se = used.standard_error()
        return AmbientEstimate(
            fraction=fraction,
            se=se,
            low=max(fraction - _Z * se, 0.0),
            high=min(fraction + _Z * se, 1.0),
            method=method,
            n_cells=used.n_cells,
            n_genes=len(used.observed),
            n_expected=float(used.expected.sum()),
            reason="",
        )

    @property
    def fraction(self) -> float:
        """Observed over expected counts."""
        return float(self.observed.sum() / self.expected.sum())

    def standard_error(self) -> float:
        """Jackknife over genes, or of a Poisson count where that is larger."""
        n_genes = len(self.observed)
        without = _ratio(self.observed.sum() - self.observed, self.expected.sum() - self.expected)
        spread = (n_genes - 1) / n_genes * ((without - without.mean()) ** 2).sum()
        of_counts = np.sqrt(max(self.observed.sum(), 1.0)) / self.expected.sum()
        return float(max(np.sqrt(spread), of_counts))

    def without_outliers(self) -> MarkerPairs:
        """Without genes of far more counts than the others let expect, the worst first."""
        observed, expected = self.observed, self.expected
        while len(observed) > 1:
            # one count more: where the others have none, a single one is no outlier
            others = _ratio(observed.sum() - observed + 1, expected.sum() - expected)
            mean = expected * others
            is_outlier = (observed > _MAX_FOLD * mean) & (
                chance_of_at_least(observed, mean) < _P_OUTLIER
            )
            if not is_outlier.any():
                break
            worst = np.where(is_outlier, _ratio(observed, mean), -1.0).argmax()
            observed, expected = np.delete(observed, worst), np.delete(expected, worst)
        return MarkerPairs(observed, expected, self.n_cells)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return above / np.maximum(below, 1e-12)


def no_estimate(reason: str, method: Method, pairs: MarkerPairs | None = None) -> AmbientEstimate:
    """An estimate that cannot be had, and why."""
    return AmbientEstimate(
        fraction=None,
        se=None,
        low=None,
        high=None,
        method=method,
        n_cells=0 if pairs is None else pairs.n_cells,
        n_genes=0 if pairs is None else len(pairs.observed),
        n_expected=0.0 if pairs is None else float(pairs.expected.sum()),
        reason=reason,
    )
