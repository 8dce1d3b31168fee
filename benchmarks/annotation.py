"""How right the annotation is on the hardest simulated cohorts; writes docs/annotation.md.

Cohorts of ``configs/hard.yaml`` are simulated, run from their files to labels, and held against
the truth. Seed 1 served while the method was made, and is not used here.

    python -m benchmarks.annotation [--seeds 2 3 4]
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmarks.annotation_report import draw_confusion, write_page
from benchmarks.annotation_truth import (
    choose_lymphoid,
    compare_arms,
    count_nk_errors,
    join_truth,
    measure,
    read_truth,
)
from flows._progress import NoProgress
from flows._run import StudyRun, compute_here
from flows.build_cohort import build_cohort
from flows.process_library import process_libraries
from hiaim_sc.simulate import read_settings, simulate_cohort
from hiaim_sc.storage import Store
from hiaim_sc.study import read_study

if TYPE_CHECKING:
    from anndata import AnnData

ROOT = Path(__file__).parents[1]
HARD = ROOT / "configs" / "hard.yaml"
PAGE, FIGURE = ROOT / "docs" / "annotation.md", ROOT / "docs" / "images" / "annotation.png"
ARMS = ("control", "exercise")


def annotate_cohort(seed: int, folder: Path) -> tuple[pd.DataFrame, dict[str, float]]:
    """One cohort's cells with labels and truth, and what a classifier with true labels reaches."""
    overrides = {"out": folder / "study", "truth": folder / "truth", "seed": seed}
    simulate_cohort(read_settings(HARD, overrides))
    study = read_study(folder / "study")
    run = StudyRun(study, Store(folder / "store"), NoProgress(), compute_here)
    keys = build_cohort(run, process_libraries(run))
    cells = run.store.get(keys["cells"]).read("cells")
    table = join_truth(cells, *read_truth(folder / "study", folder / "truth"))
    embedding = run.store.get(keys["lymphocyte_embedding"]).read("embedding")
    return table, _measure_ceiling(table, embedding)


def _measure_ceiling(table: pd.DataFrame, embedding: AnnData) -> dict[str, float]:
    """Right labels of logistic regression on the second pass's components, in other patients."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_predict

    lymphoid = choose_lymphoid(table)
    names = lymphoid["library_id"] + "_" + lymphoid["cell_barcode"]
    rows = embedding.obs_names.get_indexer(pd.Index(names))
    known = lymphoid[rows >= 0]
    points = embedding.obsm["X_pca_harmony"][rows[rows >= 0]]
    found = {}
    for name, column in (("lineages", "cell_type_lineage_true"), ("states", "cell_state_true")):
        truth = known[column].to_numpy(dtype=str)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # 100 rounds are enough for a yardstick
            said = cross_val_predict(
                LogisticRegression(C=0.1, max_iter=100),
                points,
                truth,
                groups=known["patient_id"],
                cv=GroupKFold(3),
            )
        found[name] = float((said == truth).mean())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[2, 3, 4])
    seeds = parser.parse_args().seeds
    tables, measured, ceilings, errors = [], {}, {}, []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            table, ceilings[seed] = annotate_cohort(seed, Path(folder))
        tables.append(table)
        measured[seed] = measure(table)
        found = count_nk_errors(table)
        errors.append(found.assign(patient_id=f"{seed}_" + found["patient_id"]))
        print(seed, {name: round(value, 3) for name, value in measured[seed].items()}, flush=True)
    together = pd.concat(tables, ignore_index=True)
    arms = compare_arms(pd.concat(errors), ARMS)
    print(arms, ceilings)
    draw_confusion(together, FIGURE)
    n_cells = int(np.round(len(together), -2))
    write_page(PAGE, pd.DataFrame(measured), pd.DataFrame(ceilings), arms, n_cells=n_cells)


if __name__ == "__main__":
    main()
