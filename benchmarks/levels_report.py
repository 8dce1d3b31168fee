"""Levels, coverage and power as tables and figures of docs/calibration.md."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from benchmarks.levels import (
    EFFECT,
    LEVEL,
    RESIDUAL_SD,
    SCENES,
    Findings,
    analytic_power,
    clone_test_level,
)
from hiaim_sc.report.canvas import new_figure, render_png, styled
from hiaim_sc.report.palette import INK, KEPT, MUTED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from matplotlib.axes import Axes

_MUST_FAIL = "cell-level chi-square (must fail)"
_FAILS_ABOVE = 0.3
_CONFIDENCES = np.arange(0.5, 0.96, 0.05)
_CLONE_DRAWS = 200_000


def write_levels(found: Mapping[str, Findings], images: Path) -> list[str]:
    """Lines of the page; the figures are written beside it.

    Parameters
    ----------
    found
        Scene: what its cohorts gave.
    images
        Folder of the figures.
    """
    images.mkdir(parents=True, exist_ok=True)
    (images / "levels-qq.png").write_bytes(render_png(draw_quantiles(found)))
    (images / "levels-coverage.png").write_bytes(render_png(draw_coverage(found)))
    n = len(next(iter(found.values())).estimates)
    low, high = band(n)
    levels = clone_test_level(_CLONE_DRAWS, 1)
    clones = [f"rho {rho:g}: {share:.3f}" for rho, share in levels.items()]
    return [
        "## One value per patient: level of every reported test",
        "",
        fill(
            f"{n} cohorts per row and 499 draws per test. Under the null the 99 % band of the "
            f"binomial for the share of p <= .05 is {low:.3f} to {high:.3f}: at most {high:.3f} is "
            "wanted, of the ANCOVA a share within the band. Three strata, baselines of correlation "
            ".6, outcomes missing at random given the baseline.",
            width=120,
        ),
        "",
        *_level_table(found),
        "",
        "![p-values against the uniform distribution](images/levels-qq.png)",
        "",
        "Kolmogorov-Smirnov test of the ANCOVA's p against uniform: "
        + ", ".join(f"{name} p = {value:.2f}" for name, value in _uniform(found).items())
        + " (above .001 is wanted).",
        "",
        fill(
            "Unchanged clones of 8 to 59 cells with a one-sided p <= .05, drifting with the rho "
            "that is assumed (at most .05 is wanted; whole cells keep it below): "
            f"{', '.join(clones)}.",
            width=120,
        ),
        "",
        "## Coverage, bias and power of the ANCOVA",
        "",
        *_coverage_table(found),
        "",
        "![nominal against empirical coverage](images/levels-coverage.png)",
        "",
    ]


def band(n: int) -> tuple[float, float]:
    """99 % band of the share of p-values at the level over n cohorts."""
    low, high = stats.binom.interval(0.99, n, LEVEL)
    return low / n, high / n


def _null_scenes(found: Mapping[str, Findings]) -> list[str]:
    return [scene.name for scene in SCENES if scene.effect == 0 and scene.name in found]


def _level_table(found: Mapping[str, Findings]) -> list[str]:
    names = _null_scenes(found)
    rows = [f"| test | {' | '.join(names)} | verdict |", f"|---{'|---' * len(names)}|---|"]
    for test in found[names[0]].p_values:
        shares = [_share(found[name].p_values[test]) for name in names]
        n = len(found[names[0]].estimates)
        low, high = band(n)
        if test == _MUST_FAIL:
            passes = min(shares) > _FAILS_ABOVE
        else:
            passes = max(shares) <= high and (test != "ANCOVA t" or min(shares) >= low)
        cells = " | ".join(f"{share:.3f}" for share in shares)
        rows.append(f"| {test} | {cells} | {'as wanted' if passes else 'NOT as wanted'} |")
    return rows


def _share(p_values: list[float]) -> float:
    # where too few are left to test, nothing is rejected
    return float((np.nan_to_num(np.array(p_values), nan=1.0) <= LEVEL).mean())


def _uniform(found: Mapping[str, Findings]) -> dict[str, float]:
    return {
        name: float(stats.kstest(found[name].p_values["ANCOVA t"], "uniform").pvalue)
        for name in _null_scenes(found)
    }


def _coverage_table(found: Mapping[str, Findings]) -> list[str]:
    rows = [
        "| cohorts | 95 % interval covers (93 to 97 %) | bias, in standard errors of the "
        "simulation (within 3) | power: found, analytic (within 5 points) | with the "
        "re-randomisation p |",
        "|---|---|---|---|---|",
    ]
    for scene in SCENES:
        if scene.name not in found:
            continue
        here = found[scene.name]
        estimates = np.array(here.estimates)
        error = estimates.std(ddof=1) / np.sqrt(len(estimates))
        power, permuted = "", ""
        if scene.effect:
            analytic = analytic_power(scene.n_per_arm, EFFECT, RESIDUAL_SD)
            power = f"{_share(here.p_values['ANCOVA t']):.3f}, {analytic:.3f}"
            permuted = f"{_share(here.p_values['re-randomisation']):.3f}"
        bias = (estimates.mean() - scene.effect) / error
        covered = here.covers(0.95, scene.effect)
        rows.append(f"| {scene.name} | {covered:.3f} | {bias:.1f} | {power} | {permuted} |")
    return rows


@styled
def draw_quantiles(found: Mapping[str, Findings]) -> object:
    """Sorted p-values against uniform quantiles, with a pointwise 99 % band; a row per scene."""
    names = _null_scenes(found)
    tests = [test for test in found[names[0]].p_values if test != _MUST_FAIL]
    figure = new_figure(height=2.1 * len(names) + 0.4, width=2.0 * len(tests) + 0.8)
    grid = figure.subplots(len(names), len(tests), sharex=True, sharey=True, squeeze=False)
    for row, name in enumerate(names):
        for column, test in enumerate(tests):
            _draw_quantiles(grid[row, column], np.array(found[name].p_values[test]))
            if row == 0:
                grid[row, column].set_title(test.replace(" (", "\n("), fontsize=8.5)
        grid[row, 0].set_ylabel(name.replace(", ", ",\n"), fontsize=8)
    figure.supxlabel("uniform quantile", fontsize=8.5)
    return figure


def _draw_quantiles(axes: Axes, p_values: np.ndarray) -> None:
    observed = np.sort(p_values[np.isfinite(p_values)])
    rank = np.arange(1, len(observed) + 1)
    expected = rank / (len(observed) + 1)
    ends = [stats.beta.ppf(q, rank, len(observed) - rank + 1) for q in (0.005, 0.995)]
    axes.fill_between(expected, *ends, color=MUTED, alpha=0.25, lw=0)
    axes.plot([0, 1], [0, 1], color=MUTED, lw=0.8)
    axes.plot(expected, observed, color=KEPT, lw=1.2)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_aspect("equal")


@styled
def draw_coverage(found: Mapping[str, Findings]) -> object:
    """Nominal against empirical coverage of the ANCOVA's intervals, with a 99 % band."""
    figure = new_figure(height=4.0, width=2.4 * len(found) + 0.6)
    grid = figure.subplots(1, len(found), sharex=True, sharey=True, squeeze=False)
    for axes, scene in zip(grid[0], SCENES, strict=False):
        here = found[scene.name]
        n = len(here.estimates)
        shares = [here.covers(level, scene.effect) for level in _CONFIDENCES]
        low, high = (np.array(ends) / n for ends in stats.binom.interval(0.99, n, _CONFIDENCES))
        axes.fill_between(_CONFIDENCES, low, high, color=MUTED, alpha=0.25, lw=0)
        axes.plot(_CONFIDENCES, _CONFIDENCES, color=MUTED, lw=0.8)
        axes.plot(_CONFIDENCES, shares, "o", color=INK, ms=3)
        axes.set_title(scene.name.replace(", ", ",\n"), fontsize=8.5)
        axes.set_aspect("equal")
    grid[0, 0].set_ylabel("covered")
    figure.supxlabel("nominal", fontsize=8.5)
    return figure
