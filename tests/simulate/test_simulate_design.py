"""Who is randomised to what, and how samples are spread over batches."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hiaim_sc.simulate.cohort import plan_cohort

from .conftest import small_settings


def patients_of(**settings):
    return pd.DataFrame([vars(p) for p in plan_cohort(small_settings(**settings)).patients])


@pytest.mark.parametrize(
    ("n", "sizes"), [(2, (2, 0, 0)), (8, (4, 2, 2)), (16, (8, 6, 2)), (54, (28, 18, 8))]
)
def test_strata_have_their_shares_and_even_sizes(n, sizes):
    counts = patients_of(n_patients=n)["treatment"].value_counts()
    assert tuple(counts.get(s, 0) for s in ("CPI", "CPI+chemo", "surveillance")) == sizes


@pytest.mark.parametrize("n", [2, 5, 8, 17, 54])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_arms_are_balanced_within_strata(n, seed):
    table = patients_of(n_patients=n, seed=seed)
    treated = (table["arm"] == "exercise").groupby(table["treatment"]).agg(["sum", "size"])
    assert ((treated["size"] - 2 * treated["sum"]).abs() <= treated["size"] % 2).all()


def test_arms_depend_on_the_seed():
    allocations = {tuple(patients_of(n_patients=8, seed=seed)["arm"]) for seed in range(6)}
    assert len(allocations) > 3


@pytest.mark.parametrize(("n", "asked", "used"), [(16, 4, 4), (8, 2, 2), (4, 9, 2), (3, 2, 1)])
def test_every_batch_has_both_arms_and_every_visit(n, asked, used):
    cohort = plan_cohort(small_settings(n_patients=n, n_batches=asked))
    table = pd.DataFrame(
        {
            "batch": library.sample.patient.batch,
            "arm": library.sample.patient.arm,
            "visit": library.sample.visit,
        }
        for library in cohort.libraries
    )
    assert table["batch"].nunique() == used
    assert (table.groupby("batch")[["arm", "visit"]].nunique() == 2).all(axis=None)


def test_sexes_are_halved_and_alleles_are_six():
    table = patients_of(n_patients=10)
    assert table["sex"].value_counts().to_dict() == {"F": 5, "M": 5}
    assert table["hla"].map(set).map(len).eq(6).all()
    assert table["hla"].map(lambda alleles: [a[0] for a in alleles]).map("".join).eq("AABBCC").all()


def test_a_missing_sample_leaves_the_others_cells_alone():
    from hiaim_sc.simulate import simulate_library

    complete = small_settings(cells_per_library=30)
    thinned = small_settings(cells_per_library=30, missing=0.3)
    kept = plan_cohort(thinned).libraries[-1]
    same = next(p for p in plan_cohort(complete).libraries if p.sample.key == kept.sample.key)
    assert same.library_id != kept.library_id
    one = simulate_library(thinned, kept.library_id)
    other = simulate_library(complete, same.library_id)
    assert np.array_equal(one.counts.toarray(), other.counts.toarray())
