"""Metrics against scanpy, limits against arithmetic done by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import median_abs_deviation

from hiaim_sc.config import QcOptions
from hiaim_sc.qc.limits import _absolute_deviation, find_failures, set_limits
from hiaim_sc.qc.metrics import measure_cells


def metrics_of(total, genes=500, pct_mt=2.0):
    return pd.DataFrame(
        {"total_counts": total, "n_genes_by_counts": genes, "pct_counts_mt": pct_mt}
    ).astype(float)


def spread_around(centre, n_cells=41):
    """Log counts centre - 20 d ... centre + 20 d: median centre, MAD 10 d."""
    return np.expm1(centre + 0.01 * np.arange(-(n_cells // 2), n_cells // 2 + 1))


def test_metrics_equal_scanpy(make_counts):
    rng = np.random.default_rng(3)
    counts = make_counts(rng.poisson(0.7, (30, 12)), ["MT-CO1", "mt-Nd1", *"ABCDEFGHIJ"])
    expected = counts.copy()
    expected.var["mt"] = [True, True] + [False] * 10
    sc.pp.calculate_qc_metrics(expected, qc_vars=["mt"], percent_top=None, inplace=True)
    found = measure_cells(counts)
    for name in ("total_counts", "n_genes_by_counts", "pct_counts_mt"):
        np.testing.assert_allclose(found[name], expected.obs[name], rtol=1e-6)


def test_cell_without_counts_has_no_mitochondrial_share(make_counts):
    found = measure_cells(make_counts([[0, 0], [1, 3]], ["MT-CO1", "A"]))
    assert found["pct_counts_mt"].tolist() == [0.0, 25.0]


def test_lower_limit_is_median_minus_mads_of_the_logs():
    metrics = metrics_of(spread_around(8.0))
    limits = set_limits(metrics, QcOptions(n_mads=5, min_counts=10), has_mt=True)
    assert limits["total_counts"]["lower"] == pytest.approx(np.expm1(8.0 - 5 * 0.10))
    assert limits["total_counts"]["upper"] is None
    assert limits["total_counts"]["rule"] == "mad"


def test_limits_are_those_of_the_cells_beyond_the_fixed_ones():
    debris = metrics_of(np.full(100, 20.0), genes=10)
    cells = metrics_of(spread_around(8.0))
    options = QcOptions(min_counts=100)
    with_debris = set_limits(pd.concat([debris, cells], ignore_index=True), options, has_mt=True)
    alone = set_limits(cells, options, has_mt=True)
    assert with_debris["total_counts"]["lower"] == alone["total_counts"]["lower"]
    assert with_debris["total_counts"]["n_failed"] == alone["total_counts"]["n_failed"] + 100


def test_fixed_minimum_holds_where_it_is_stricter():
    limits = set_limits(metrics_of(spread_around(8.0)), QcOptions(min_counts=2500), has_mt=True)
    assert limits["total_counts"]["lower"] == 2500
    assert limits["total_counts"]["rule"] == "fixed"
    assert limits["total_counts"]["n_failed"] == int((spread_around(8.0) < 2500).sum())


def test_few_cells_have_fixed_limits_only():
    metrics = metrics_of(spread_around(8.0, n_cells=29), pct_mt=np.arange(29) / 2)
    limits = set_limits(metrics, QcOptions(), has_mt=True)
    assert [limit["rule"] for limit in limits.values()] == ["fixed"] * 3
    assert limits["pct_counts_mt"]["upper"] == 25.0


def test_cells_all_alike_are_kept():
    metrics = metrics_of([*[1000.0] * 60, 999.0])
    failed = find_failures(metrics, set_limits(metrics, QcOptions(), has_mt=True))
    assert not failed.any(axis=None)


@pytest.mark.parametrize(
    ("centre", "step", "upper", "rule"),
    [
        (12.0, 0.1, 12.0 + 5 * 1.0, "mad"),
        (3.0, 0.1, 10.0, "fixed"),
        (22.0, 0.1, 25.0, "fixed"),
        (23.5, 0.1, 25.0, "fixed"),
    ],
)
def test_mitochondrial_limit_stays_between_its_bounds(centre, step, upper, rule):
    share = np.minimum(centre + step * np.arange(-20, 21), 25.0)
    limits = set_limits(metrics_of(spread_around(8.0), pct_mt=share), QcOptions(), has_mt=True)
    assert limits["pct_counts_mt"]["upper"] == pytest.approx(upper)
    assert limits["pct_counts_mt"]["rule"] == rule


def test_without_mitochondrial_genes_there_is_no_limit():
    limits = set_limits(metrics_of(spread_around(8.0)), QcOptions(), has_mt=False)
    assert limits["pct_counts_mt"] == {
        "lower": None,
        "upper": None,
        "rule": "fixed",
        "n_failed": 0,
    }


def kept_cells(metrics, minimum):
    limits = set_limits(metrics, QcOptions(min_counts=minimum), has_mt=False)
    return set(np.flatnonzero(~find_failures(metrics, limits).any(axis=1)))


@given(
    st.lists(st.integers(1, 5000), min_size=1, max_size=29),
    st.integers(0, 3000),
    st.integers(1, 2000),
)
def test_a_stricter_minimum_keeps_a_subset(total, minimum, more):
    metrics = metrics_of(total)
    kept = kept_cells(metrics, minimum)
    assert kept == {i for i, value in enumerate(total) if value >= minimum}
    assert kept_cells(metrics, minimum + more) <= kept


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=80), st.randoms())
def test_order_of_cells_does_not_matter(total, random):
    shuffled = random.sample(total, len(total))
    first, second = (
        set_limits(metrics_of(values), QcOptions(), has_mt=True) for values in (total, shuffled)
    )
    assert first == second


def test_the_median_absolute_deviation_is_scipys():
    for n in (1, 2, 9, 10):
        values = np.random.default_rng(n).normal(size=n)
        assert _absolute_deviation(values) == median_abs_deviation(values)
