"""Planted and null cohorts through the whole pipeline, beside their truth.

Run it with ``make calibrate``, which pins each process to one thread. Each cohort is simulated,
processed by the same stages as a study, and compared with what was planted. The estimand of a
cohort is the arm difference that the comparison's own model finds in the latent values of that
cohort's patients, so that coverage speaks of measurement and analysis, not of who was sampled.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from benchmarks.calibration_report import write_report
from benchmarks.levels import run_levels
from benchmarks.levels_report import write_levels
from flows._order import run_stages
from flows._progress import NoProgress
from flows._run import StudyRun, compute_here
from hiaim_sc.simulate import SimulationSettings, simulate_cohort
from hiaim_sc.stats import ancova
from hiaim_sc.storage import Store
from hiaim_sc.study import read_allocation, read_study

# Cells per library.
_SMALL = 1000
ENDPOINT, TISSUE, VISIT, BASELINE = "nexp_m", "blood", "week6", "baseline"


@dataclass(frozen=True)
class Cohort:
    """What one simulated cohort showed."""

    seed: int
    planted: bool
    patients: int
    cells: int
    commit: str
    min_depth: int
    estimate: float
    ci_low: float
    ci_high: float
    estimand: float
    p_values: dict[str, float] = field(default_factory=dict)
    clones_right: float = np.nan
    compartments_right: float = np.nan
    nk_recall: float = np.nan
    precision_ours: float = np.nan
    precision_scrublet: float = np.nan
    seconds: float = np.nan
    # gate: smallest adjusted p of its endpoints
    gates: dict[str, float] = field(default_factory=dict)


def measure_cohort(seed: int, *, planted: bool, patients: int, cells: int) -> Cohort:
    """Simulate one cohort, run every stage on it, compare the result with the truth."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hiaim-calibrate-") as folder:
        out, truth = Path(folder, "study"), Path(folder, "truth")
        settings = SimulationSettings(
            out=out,
            truth=truth,
            n_patients=patients,
            cells_per_library=cells,
            seed=seed,
            null=not planted,
        )
        simulate_cohort(settings)
        _configure(out, cells)
        run = StudyRun(read_study(out), Store(Path(folder, "store")), NoProgress(), compute_here)
        _, keys = run_stages(run, blinded=False)
        table = run.store.get(keys["comparisons"]).read("comparisons")
        row = _row(table)
        return Cohort(
            seed=seed,
            planted=planted,
            patients=patients,
            cells=cells,
            commit=_commit(),
            min_depth=_min_depth(cells),
            estimate=float(row["estimate"]),
            ci_low=float(row["ci_low"]),
            ci_high=float(row["ci_high"]),
            estimand=_estimand(run, truth),
            p_values=_p_values(table),
            gates=_gates(table),
            seconds=time.monotonic() - start,
            **_against_truth(run, keys, truth),
        )


def _min_depth(cells: int) -> int:
    return 50 if cells < _SMALL else 100


def _configure(study: Path, cells: int) -> None:
    """Leave out what is not measured here and takes most of the time.

    In small libraries fewer cells than usual must do for a clonal endpoint; else few patients had
    one.
    """
    path = study / "study.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    compare = {"min_depth": _min_depth(cells)}
    config["options"] = {"integrate": {"umap": False}, "compare": compare}
    config["analysis_plan"] = {"sensitivity": [], "missing_data": []}
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def _commit() -> str:
    """Of the code that is measured, where this is a git checkout."""
    commit = _ask_git("describe", "--always")
    # what a calibration writes is not what it measures
    changed = _ask_git("status", "--porcelain", "--", ".", ":!docs")
    return f"{commit}-dirty" if changed else commit


def _ask_git(*words: str) -> str:
    return subprocess.run(
        ["git", *words], capture_output=True, text=True, check=False
    ).stdout.strip()


def _row(comparisons: pd.DataFrame) -> pd.Series:
    chosen = comparisons.query("endpoint == @ENDPOINT and tissue == @TISSUE and visit == @VISIT")
    return chosen.iloc[0]


def _p_values(comparisons: pd.DataFrame) -> dict[str, float]:
    names = comparisons["endpoint"] + " " + comparisons["tissue"].fillna("")
    return dict(zip(names.str.strip(), comparisons["p_perm"].astype(float), strict=True))


def _gates(comparisons: pd.DataFrame) -> dict[str, float]:
    tested = comparisons[(comparisons["gate"] != "") & comparisons["p_adj"].notna()]
    return {str(gate): float(p) for gate, p in tested.groupby("gate")["p_adj"].min().items()}


def _estimand(run: StudyRun, truth: Path) -> float:
    effects = pd.read_csv(truth / "effects.tsv", sep="\t")
    chosen = effects.query("endpoint == @ENDPOINT and tissue == @TISSUE")
    wide = chosen.pivot_table(index="patient_id", columns="visit", values="true_value")
    wide = np.log(wide[[BASELINE, VISIT]].dropna() + 0.5)
    arms = read_allocation(run.study).reindex(wide.index)
    strata = run.study.strata().set_index("patient_id").reindex(wide.index).iloc[:, 0]
    found = ancova(
        wide[VISIT].to_numpy(),
        (arms == run.study.config.design.arms[1]).to_numpy(),
        baseline=wide[BASELINE].to_numpy(),
        strata=strata.to_numpy(),
    )
    return float(found.estimate)


def _against_truth(run: StudyRun, keys: dict[str, str], truth: Path) -> dict[str, float]:
    from sklearn.metrics import average_precision_score

    cells = run.store.get(keys["cells"]).read("cells")
    true = pd.read_csv(truth / "cells.tsv", sep="\t")
    both = cells.merge(true, on=["library_id", "cell_barcode"], suffixes=("", "_true"))
    singlet = ~both["is_doublet"].astype(bool)
    paired = both[singlet & (both["chain_pairing"] == "single pair")]
    known = both[singlet & both["qc_pass"]]
    known = known[known["cell_type_coarse_true"].isin(_COMPARTMENTS)]
    nk = known[known["cell_type_coarse_true"] == "NK"]
    ours, scrublet = _doublet_scores(run, both)
    return {
        "clones_right": float((paired["clone_key"] == paired["clone_key_true"]).mean()),
        "compartments_right": float(
            (known["cell_type_coarse"] == known["cell_type_coarse_true"]).mean()
        ),
        "nk_recall": float((nk["cell_type_coarse"] == "NK").mean()),
        "precision_ours": float(average_precision_score(both["is_doublet"], ours)),
        "precision_scrublet": float(average_precision_score(both["is_doublet"], scrublet)),
    }


_COMPARTMENTS = ("T", "NK", "B", "myeloid", "epithelial", "stroma")


def _doublet_scores(run: StudyRun, cells: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    keys = {r.library_id: r.key for r in run.records if r.name == "qc"}
    tables = [
        run.store.get(key).read("cell_qc").assign(library_id=name) for name, key in keys.items()
    ]
    scores = cells[["library_id", "cell_barcode"]].merge(pd.concat(tables), how="left")
    return scores["doublet_score"].fillna(0.0), scores["scrublet_score"].fillna(0.0)


def run_cohorts(asked: argparse.Namespace) -> None:
    """Measure all cohorts; what is known so far is on disk after each."""
    cohorts = _known_cohorts(asked.data) if asked.resume else []
    known = {_settings(cohort) for cohort in cohorts}
    wanted = [(True, seed, asked.planted_cells) for seed in range(1, asked.planted + 1)]
    wanted += [(False, seed, asked.null_cells) for seed in range(1, asked.null + 1)]
    with ProcessPoolExecutor(asked.workers) as pool:
        futures = [
            pool.submit(measure_cohort, seed, planted=planted, patients=asked.patients, cells=cells)
            for planted, seed, cells in wanted
            if (planted, seed, asked.patients, cells) not in known
        ]
        try:
            for done in as_completed(futures):
                cohorts.append(done.result())
                cohorts.sort(key=lambda cohort: (not cohort.planted, cohort.seed))
                text = json.dumps([asdict(cohort) for cohort in cohorts], indent=0)
                asked.data.write_text(text, encoding="utf-8")
                print(f"{len(cohorts)} of {len(wanted)} cohorts", file=sys.stderr, flush=True)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _known_cohorts(data: Path) -> list[Cohort]:
    if not data.is_file():
        return []
    return [Cohort(**cohort) for cohort in json.loads(data.read_text(encoding="utf-8"))]


def _settings(cohort: Cohort) -> tuple[bool, int, int, int]:
    return cohort.planted, cohort.seed, cohort.patients, cohort.cells


def main() -> None:
    """Measure and write docs/calibration.md; either part can be measured alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("cohorts", "levels"), help="keep the other part's data")
    parser.add_argument("--resume", action="store_true", help="keep the cohorts already measured")
    parser.add_argument("--planted", type=int, default=20, help="cohorts with an effect")
    parser.add_argument("--null", type=int, default=40, help="cohorts without")
    parser.add_argument("--patients", type=int, default=16)
    parser.add_argument("--planted-cells", type=int, default=1500, help="per library")
    parser.add_argument("--null-cells", type=int, default=600, help="per library")
    parser.add_argument("--draws", type=int, default=2000, help="cohorts per scene of the levels")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--data", type=Path, default=Path("docs/calibration-cohorts.json"))
    parser.add_argument("--levels", type=Path, default=Path("docs/calibration-levels.md"))
    parser.add_argument("--out", type=Path, default=Path("docs/calibration.md"))
    asked = parser.parse_args()
    if asked.only != "cohorts":
        found = run_levels(asked.draws, asked.workers)
        lines = write_levels(found, asked.out.parent / "images")
        asked.levels.write_text("\n".join(lines), encoding="utf-8")
    if asked.only != "levels":
        run_cohorts(asked)
    cohorts = _known_cohorts(asked.data)
    if not cohorts:
        print(f"no cohorts yet ({asked.data}): the levels stand in {asked.levels}", file=sys.stderr)
        return
    write_report(cohorts, asked.levels.read_text(encoding="utf-8"), asked.out)


if __name__ == "__main__":
    main()
