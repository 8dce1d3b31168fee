"""The limits a library sets for its own cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from hiaim_sc.config import QcOptions

# metric -> reason why a cell beyond the limit is not counted
REASON_OF_METRIC = {
    "total_counts": "low_counts",
    "n_genes_by_counts": "low_genes",
    "pct_counts_mt": "high_mt",
}


def set_limits(
    metrics: pd.DataFrame, options: QcOptions, *, has_mt: bool
) -> dict[str, dict[str, Any]]:
    r"""Per metric its `lower`, `upper`, the `rule` that set it (fixed, mad) and `n_failed`.

    Counts and genes have a lower limit only,

    .. math:: \max(m, e^{\mathrm{med}(y) - k\,\mathrm{MAD}(y)} - 1), \quad y = \log(1 + x)

    with the fixed minimum :math:`m` and :math:`k` = `n_mads`. The mitochondrial share has an upper
    one, median + `n_mads_mt` MAD, held between `min_limit_pct_mt` and `max_pct_mt`. MAD is the raw
    median absolute deviation; it and the median are those of the cells that pass the fixed limits.
    With fewer than `min_cells_mad` of them, or a MAD of 0, the fixed limits hold alone.

    Parameters
    ----------
    metrics
        As `measure_cells` returns it.
    options
        The fixed limits and the numbers of MADs.
    has_mt
        Whether the matrix has mitochondrial genes; without them their limit is not applied.
    """
    fixed = {
        "total_counts": _limit(lower=float(options.min_counts)),
        "n_genes_by_counts": _limit(lower=float(options.min_genes)),
        "pct_counts_mt": _limit(upper=options.max_pct_mt if has_mt else None),
    }
    reference = metrics[~find_failures(metrics, fixed).any(axis=1)]
    limits = dict(fixed)
    if len(reference) >= options.min_cells_mad:
        for name in ("total_counts", "n_genes_by_counts"):
            limits[name] = _lower_limit(reference[name], fixed[name]["lower"], options.n_mads)
        if has_mt:
            limits["pct_counts_mt"] = _mt_limit(reference["pct_counts_mt"], options)
    failed = find_failures(metrics, limits)
    return {
        name: {**limit, "n_failed": int(failed[REASON_OF_METRIC[name]].sum())}
        for name, limit in limits.items()
    }


def find_failures(metrics: pd.DataFrame, limits: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """Per cell, whether it is beyond a limit: a bool column per reason."""
    failed = metrics[[]].copy()
    for name, reason in REASON_OF_METRIC.items():
        lower, upper = limits[name]["lower"], limits[name]["upper"]
        values = metrics[name]
        failed[reason] = (values < (-np.inf if lower is None else lower)) | (
            values > (np.inf if upper is None else upper)
        )
    return failed


def _limit(
    *, lower: float | None = None, upper: float | None = None, rule: str = "fixed"
) -> dict[str, Any]:
    return {"lower": lower, "upper": upper, "rule": rule}


def _lower_limit(values: pd.Series, minimum: float, n_mads: float) -> dict[str, Any]:
    logged = np.log1p(values.to_numpy(dtype=float))
    spread = _absolute_deviation(logged)
    bound = float(np.expm1(np.median(logged) - n_mads * spread))
    if spread == 0 or bound <= minimum:
        return _limit(lower=minimum)
    return _limit(lower=bound, rule="mad")


def _mt_limit(values: pd.Series, options: QcOptions) -> dict[str, Any]:
    spread = _absolute_deviation(values.to_numpy())
    bound = float(np.median(values) + options.n_mads_mt * spread)
    least = min(options.min_limit_pct_mt, options.max_pct_mt)
    if spread == 0 or bound >= options.max_pct_mt:
        return _limit(upper=options.max_pct_mt)
    return _limit(upper=max(bound, least), rule="mad" if bound > least else "fixed")


def _absolute_deviation(values: np.ndarray) -> float:
    """Median absolute deviation from the median; scipy.stats is slow to import."""
    return float(np.median(np.abs(values - np.median(values))))
