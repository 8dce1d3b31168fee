"""Power and level of the candidates for the primary clonal endpoint, over simulated cohorts.

Run it with ``python -m benchmarks.clonal_power``; it writes ``docs/clonal-power.tsv`` and the
figure. Patients are drawn once per setting into a pool; cohorts are drawn from the pool without
replacement and compared as in a study: ANCOVA on the baseline and strata, re-randomisation p,
max-T over a pair.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.clonal_figure import draw_power
from benchmarks.clonal_patients import Setting, draw_repertoire, measure_counts, measure_patient
from hiaim_sc.stats import max_t

# candidate: endpoints that are judged together
CANDIDATES = {
    "n_called (K 5)": ("n_called_k5",),
    "n_called (K 8)": ("n_called_k8",),
    "nexp, c 2": ("nexp_c2",),
    "nexp, c 3": ("nexp_c3",),
    "nexp, c max(2, m/400)": ("nexp_cm",),
    "expfrac, c 2": ("expfrac_c2",),
    "expfrac, c max(2, m/400)": ("expfrac_cm",),
    "max-T n_called (K 5), nexp c 2": ("n_called_k5", "nexp_c2"),
    "max-T n_called (K 5), nexp c max(2, m/400)": ("n_called_k5", "nexp_cm"),
    "max-T n_called (K 8), nexp c max(2, m/400)": ("n_called_k8", "nexp_cm"),
    "max-T n_called (K 5), expfrac c 2": ("n_called_k5", "expfrac_c2"),
}
_ENDPOINTS = sorted({name for names in CANDIDATES.values() for name in names})
_STRATA = (0.5, 0.35, 0.15)
_CD8_SHARE, _CD8_RISE = 0.35, 1.2
_LEVEL = 0.05


def simulate_pool(
    setting: Setting, n_patients: int, *, seed: list[int], draws: int
) -> pd.DataFrame:
    """The endpoints of so many patients."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame([measure_patient(setting, rng, draws=draws) for _ in range(n_patients)])


def simulate_share(
    n_cells: int, n_patients: int, *, rise: float, seed: list[int], draws: int
) -> pd.DataFrame:
    """Endpoints within CD8 and over all T cells where only the share of CD8 cells changes."""
    rng = np.random.default_rng(seed)
    odds = _CD8_SHARE * rise
    later = odds / (odds + 1 - _CD8_SHARE)
    depth_cd8, depth_all = int(0.8 * 0.8 * _CD8_SHARE * n_cells), int(0.4 * n_cells)
    rows = []
    for _ in range(n_patients):
        shares = rng.binomial(n_cells, [_CD8_SHARE, later])
        cd8 = draw_repertoire("CD8", Setting(tuple(shares), depth_cd8), rng)
        cd4 = draw_repertoire("CD4", Setting(tuple(n_cells - shares), depth_all), rng)
        together = [np.concatenate(pair) for pair in zip(cd8, cd4, strict=True)]
        within = measure_counts(*cd8, depth_cd8, rng, draws=draws)
        over_all = measure_counts(*together, depth_all, rng, draws=draws)
        rows.append(within | {f"all_{name}": value for name, value in over_all.items()})
    return pd.DataFrame(rows)


def compare_cohorts(
    control: pd.DataFrame,
    treated: pd.DataFrame,
    n_per_arm: int,
    *,
    n_cohorts: int,
    seed: list[int],
    prefix: str = "",
) -> dict[str, float]:
    """Share of cohorts in which each candidate gives a p of at most the level."""
    rng = np.random.default_rng(seed)
    is_null = treated is control
    hits = dict.fromkeys(CANDIDATES, 0)
    arm = np.repeat([0, 1], n_per_arm)
    for _ in range(n_cohorts):
        picked = rng.permutation(len(control))[: 2 * n_per_arm]
        other = picked[n_per_arm:] if is_null else rng.permutation(len(treated))[:n_per_arm]
        cohort = pd.concat([control.iloc[picked[:n_per_arm]], treated.iloc[other]])
        strata = np.tile(np.repeat([0, 1, 2], _sizes(n_per_arm)), 2)
        for candidate, names in CANDIDATES.items():
            hits[candidate] += _smallest_p(cohort, names, arm, strata, rng, prefix) <= _LEVEL
    return {candidate: count / n_cohorts for candidate, count in hits.items()}


def _sizes(n_per_arm: int) -> list[int]:
    sizes = [round(share * n_per_arm) for share in _STRATA]
    return [n_per_arm - sizes[1] - sizes[2], *sizes[1:]]


def _smallest_p(
    cohort: pd.DataFrame,
    names: tuple[str, ...],
    arm: np.ndarray,
    strata: np.ndarray,
    rng: np.random.Generator,
    prefix: str,
) -> float:
    values = cohort[[prefix + name for name in names]].to_numpy()
    before = cohort.reindex(columns=[f"{prefix}{name}_pre" for name in names]).to_numpy()
    found = max_t(values, arm, baseline=before, strata=strata, n_draws=499, rng=rng)
    return float(np.nanmin(found.p_adjusted))


def run_setting(asked: dict[str, Any]) -> list[dict[str, Any]]:
    """One cell of the grid: all numbers of patients per arm."""
    is_null = asked["n_planted"] == 0
    # a pool has its own mean: with more patients it is nearer to that of all
    n_patients = asked["pool"] * (2 if is_null else 1)
    n_cohorts = asked["cohorts"] * (4 if is_null else 1)
    pools = {"n_patients": n_patients, "draws": asked["draws"]}
    number = asked["number"]
    kind = asked["kind"]
    if kind == "share":
        control, treated = (
            simulate_share(asked["depth"], rise=rise, seed=[number, i], **pools)
            for i, rise in enumerate((1.0, _CD8_RISE))
        )
    else:
        n, m = asked["depth"], int(asked["m"] * asked["depth"])
        plain = Setting((n, n), m)
        grown = Setting((n, n * asked["ratio"]), m, asked["n_planted"])
        control = simulate_pool(plain, seed=[number, 0], **pools)
        treated = control
        if grown != plain:
            treated = simulate_pool(grown, seed=[number, 1], **pools)
    rows = []
    for n_per_arm, prefix in product((27, 15, 8), ("", "all_") if kind == "share" else ("",)):
        shares = compare_cohorts(
            control,
            treated,
            n_per_arm,
            n_cohorts=n_cohorts,
            seed=[number, 2, n_per_arm],
            prefix=prefix,
        )
        known = {name: asked[name] for name in ("kind", "depth", "m", "ratio", "n_planted")}
        known |= {"population": "all T" if prefix else "CD8", "n_per_arm": n_per_arm}
        rows += [{**known, "candidate": name, "share": share} for name, share in shares.items()]
    return rows


def list_grid(**size: int) -> list[dict[str, Any]]:
    """Every cell of the grid."""
    plain = [
        {"kind": "growth", "depth": depth, "m": m, "ratio": ratio, "n_planted": planted}
        for depth, m, ratio, planted in product((300, 1000, 3000), (0.4, 0.8), (1, 2), (0, 10, 20))
    ]
    shares = [
        {"kind": "share", "depth": depth, "m": np.nan, "ratio": 1, "n_planted": 0}
        for depth in (1000, 3000)
    ]
    return [{**cell, **size, "number": i} for i, cell in enumerate([*plain, *shares])]


def main() -> None:
    """Simulate the grid; write table and figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pool", type=int, default=700, help="patients per setting and arm")
    parser.add_argument("--cohorts", type=int, default=200, help="4 times where nothing is planted")
    parser.add_argument("--draws", type=int, default=20, help="subsamples of n_called_m")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("docs/clonal-power.tsv"))
    parser.add_argument("--figure", type=Path, default=Path("docs/images/clonal-power.png"))
    asked = parser.parse_args()
    grid = list_grid(pool=asked.pool, cohorts=asked.cohorts, draws=asked.draws)
    rows: list[dict[str, Any]] = []
    with ProcessPoolExecutor(asked.workers) as pool:
        for done, found in enumerate(pool.map(run_setting, grid), start=1):
            rows += found
            pd.DataFrame(rows).to_csv(asked.out, sep="\t", index=False, float_format="%.4g")
            print(f"{done} of {len(grid)} settings", file=sys.stderr, flush=True)
    draw_power(pd.DataFrame(rows), asked.figure)


if __name__ == "__main__":
    main()
