"""Labels of a simulated cohort with the many states, from its files on; how they are measured."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.annotation_truth import (
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
from hiaim_sc.storage import Store
from hiaim_sc.study import read_study


@pytest.fixture(scope="module")
def labelled(simulate):
    """Cells of 4 patients' blood and tumour with what they truly are."""
    folder = simulate(
        n_patients=4, cells_per_library=500, fine_states=True, visits={"baseline": 0}, seed=11
    )
    settings = folder / "study" / "study.yaml"
    settings.write_text(
        settings.read_text().replace("options: {}", "options: {integrate: {umap: false}}")
    )
    run = StudyRun(
        read_study(folder / "study"), Store(folder / "store"), NoProgress(), compute_here
    )
    keys = build_cohort(run, process_libraries(run))
    cells = run.store.get(keys["cells"]).read("cells")
    return join_truth(cells, *read_truth(folder / "study", folder / "truth"))


@pytest.mark.slow
def test_compartments_lineages_and_states_are_right(labelled):
    found = measure(labelled)
    assert found["compartments"] >= 0.98
    assert found["lineages"] >= 0.93
    assert found["states"] >= 0.70  # 1,900 T and NK cells of 26 states
    assert min(found["NK recall"], found["NK precision"]) >= 0.95
    assert min(found["CD4 recall"], found["CD8 recall"]) >= 0.85
    assert found["Treg recall"] >= 0.7


@pytest.mark.slow
def test_confidence_is_higher_where_the_label_is_right(labelled):
    lymphoid = labelled[labelled["cell_type_coarse"].isin(["T", "NK"])]
    right = lymphoid["cell_type_lineage"] == lymphoid["cell_type_lineage_true"]
    mean = lymphoid.groupby(right)["cell_lineage_confidence"].mean()
    assert mean[True] > mean[False] + 0.1


def make_labelled():
    """Two patients of each arm, ten blood cells each at week 6; the second cell types are said."""
    truth = ["NK"] * 4 + ["T"] * 6
    rows = []
    for arm, patient, n_missed, n_false in (
        ("control", "P1", 1, 0), ("control", "P2", 0, 0),
        ("exercise", "P3", 2, 1), ("exercise", "P4", 1, 0),
    ):  # fmt: skip
        said = ["T"] * n_missed + ["NK"] * (4 - n_missed + n_false) + ["T"] * (6 - n_false)
        rows += [(arm, patient, "week6", t, s) for t, s in zip(truth, said, strict=True)]
    table = pd.DataFrame(
        rows, columns=["arm", "patient_id", "visit", "cell_type_coarse_true", "cell_type_coarse"]
    )
    return table.assign(
        tissue="blood",
        cell_type_lineage_true=table["cell_type_coarse_true"],
        cell_type_lineage=table["cell_type_coarse"],
        cell_state_true="a",
        cell_state=np.where(np.arange(len(table)) % 4 == 0, "unassigned", "a"),
        flags="",
        cell_flags="",
    )


def test_shares_of_right_labels_are_counted():
    found = measure(make_labelled())
    assert found["compartments"] == pytest.approx(35 / 40)
    assert found["states"] == pytest.approx(0.75)
    assert found["unassigned states"] == pytest.approx(0.25)
    assert found["NK recall"] == pytest.approx(12 / 16)
    assert found["NK precision"] == pytest.approx(12 / 13)


def test_errors_with_nk_are_compared_between_arms_over_patients():
    errors = count_nk_errors(make_labelled())
    assert errors.set_index("patient_id")["missed"].tolist() == [0.25, 0.0, 0.5, 0.25]
    assert errors.set_index("patient_id")["bias"].tolist() == pytest.approx([-0.1, 0, -0.1, -0.1])
    arms = compare_arms(errors, ("control", "exercise"))
    assert arms.loc["missed", "difference"] == pytest.approx(0.25)
    assert arms.loc["missed", "standard_error"] == pytest.approx(0.125 * 2**0.5)
    assert arms.loc["false", "difference"] == pytest.approx(0.125)
