"""What became of a patient's clones since the baseline, in one tissue."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hiaim_sc.compare.endpoints.scales import Measured, as_mean_number, as_mean_share
from hiaim_sc.compare.endpoints.tissues import overlap
from hiaim_sc.stats import clone_change_test, subsample_counts

if TYPE_CHECKING:
    import pandas as pd

    from hiaim_sc.config import CompareOptions


class Growth(NamedTuple):
    """Clones that grew, as means over subsamples of m cells from each visit.

    Attributes
    ----------
    n_called
        Number of clones with at least ``called_min_total`` cells over both visits and a one-sided
        beta-binomial p below ``called_alpha``.
    called_frac
        Share of the later cells that lie in these.
    gain
        Sum over clones with ``called_min_total`` cells of what their share rose by.
    """

    n_called: Measured
    called_frac: Measured
    gain: Measured


def measure_growth(
    before: pd.Series,
    after: pd.Series,
    depth: int,
    options: CompareOptions,
    *,
    rng: np.random.Generator,
) -> Growth:
    """``n_called_m``, ``called_frac_m``, ``gain_m``: clones that grew, both visits at depth m."""
    clones = before.index.union(after.index).sort_values()
    draws = [
        subsample_counts(
            visit.reindex(clones, fill_value=0).to_numpy(),
            depth,
            n_draws=options.called_draws,
            rng=rng,
        )
        for visit in (before, after)
    ]
    k1, k2 = draws
    p_value = clone_change_test(k1, k2, depth, depth, rho=options.called_rho).p_value
    is_tested = k1 + k2 >= options.called_min_total
    called = is_tested & (p_value < options.called_alpha)
    risen = np.maximum(k2 - k1, 0) * is_tested
    return Growth(
        as_mean_number(called.sum(axis=1)),
        as_mean_share((k2 * called).sum(axis=1), depth),
        as_mean_share(risen.sum(axis=1), depth),
    )


def measure_turnover(before: pd.Series, after: pd.Series) -> Measured:
    r"""``turnover``: 1 less the `overlap` of the visits, analysed as :math:`-\ln MH`.

    It is below 0 where chance makes the overlap exceed 1.
    """
    similarity, logarithm = overlap(before, after)
    return Measured(1 - similarity, -logarithm)
