"""Swaps: exactly the samples that moved are named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiaim_sc.compare import check_identity
from hiaim_sc.compare.swaps import find_swaps
from hiaim_sc.config import IdentityOptions


def overlap_of(truth: np.ndarray) -> np.ndarray:
    """Samples of one patient overlap by a half or more, others by next to nothing."""
    n = len(truth)
    strength = 0.5 + 0.01 * np.add.outer(np.arange(n), np.arange(n))
    return np.where(truth[:, None] == truth[None, :], strength, 0.001)


def find(owner: list[int], truth: list[int], sex: list[int] | None = None) -> dict[int, int]:
    n_patients = max(owner) + 1
    return find_swaps(
        overlap_of(np.array(truth)),
        np.array(owner),
        np.array(sex or [0] * len(owner)),
        np.array([1, -1] * n_patients)[:n_patients],
        limit=0.01,
    ).partner


@pytest.mark.parametrize(
    ("owner", "truth", "partner"),
    [
        ([0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1], {}),
        ([0, 0, 0, 1, 1, 1], [0, 0, 1, 0, 1, 1], {2: 3, 3: 2}),
        ([0, 0, 1, 1, 1], [0, 1, 1, 1, 0], {1: 4, 4: 1}),
        ([0, 0, 1], [0, 1, 0], {1: 2, 2: 1}),
        # one sample under a wrong name, nothing came back for it
        ([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1], {2: 5}),
        # two samples per patient: which of them moved cannot be told
        ([0, 0, 1, 1], [0, 1, 0, 1], {0: 3, 3: 0, 1: 2, 2: 1}),
        # two swaps at once
        ([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3], [0, 0, 1, 0, 1, 1, 2, 2, 3, 2, 3, 3], None),
    ],
)
def test_samples_that_moved_are_named(owner, truth, partner):
    expected = {2: 3, 3: 2, 8: 9, 9: 8} if partner is None else partner
    assert find(owner, truth) == expected


def test_a_weak_overlap_with_a_third_sample_tells_which_of_two_moved():
    owner, truth = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 0, 0, 1, 1])
    overlap = np.where(truth[:, None] == truth, 0.2, 0.0)
    # the third samples are tumours that share little with the blood of their patients
    overlap[[2, 5]] *= 0.02
    overlap[:, [2, 5]] *= 0.02
    none = np.zeros(6, int)
    found = find_swaps(overlap, owner, none, none[:2], limit=0.01)
    assert found.partner == {1: 3, 3: 1}


def test_sex_tells_which_of_two_samples_moved():
    # patient 0 is female, patient 1 male; samples 1 and 2 changed places
    assert find([0, 0, 1, 1], [0, 1, 0, 1], sex=[1, -1, 1, -1]) == {1: 2, 2: 1}
    assert find([0, 0, 1, 1], [1, 0, 1, 0], sex=[-1, 1, -1, 1]) == {0: 3, 3: 0}


def test_owners_after_the_change_are_the_true_patients():
    truth = np.array([0, 1, 0, 0, 1, 1])
    found = find_swaps(
        overlap_of(truth), np.array([0, 0, 0, 1, 1, 1]), np.zeros(6, int), np.zeros(2, int), limit=0
    )
    assert found.partner == {1: 3, 3: 1}
    np.testing.assert_array_equal(found.owner, truth)


@given(
    st.integers(3, 5).flatmap(
        lambda n: st.tuples(st.just(n), st.integers(0, n - 1), st.integers(n, 2 * n - 1))
    ),
    st.randoms(use_true_random=False),
)
def test_a_swap_is_found_whatever_the_order_of_the_samples(case, random):
    n, first, second = case
    owner = np.repeat([0, 1, 2], n)
    truth = owner.copy()
    truth[[first, second]] = owner[[second, first]]
    order = np.array(random.sample(range(3 * n), 3 * n))
    overlap = overlap_of(truth)[np.ix_(order, order)]
    found = find_swaps(overlap, owner[order], np.zeros(3 * n, int), np.zeros(3, int), limit=0.01)
    assert {int(order[i]): int(order[j]) for i, j in found.partner.items()} == {
        first: second,
        second: first,
    }


SAMPLES = ["A1", "A2", "A3", "B1", "B2", "B3"]


def check(truth: str, sex_counts=None, participants=None, depth=100, overlap=None):
    """Identity checks of six samples whose cells are of the patients in `truth`."""
    codes = np.array([ord(name) for name in truth])
    found = overlap_of(codes) if overlap is None else overlap
    first, second = np.triu_indices(6, k=1)
    sharing = pd.DataFrame(
        {
            "sample_id_1": np.array(SAMPLES)[first],
            "sample_id_2": np.array(SAMPLES)[second],
            "morisita_horn": found[first, second],
        }
    )
    sharing["same_patient"] = sharing["sample_id_1"].str[0] == sharing["sample_id_2"].str[0]
    patients = [name[0] for name in SAMPLES]
    clones = pd.DataFrame({"sample_id": SAMPLES, "patient_id": patients, "n_cells": depth})
    # each patient has three clones of the same size, and its samples have all of them
    clones = clones.merge(pd.DataFrame({"clone": ["a", "b", "c"]}), how="cross")
    clones["n_cells"] = np.ceil(clones["n_cells"] / 3)
    receptor = clones["sample_id"].map(dict(zip(SAMPLES, truth, strict=True))) + clones["clone"]
    clones["clone_key"] = clones["patient_id"] + "|" + receptor
    layout = pd.DataFrame({"library_id": SAMPLES, "sample_id": SAMPLES, "patient_id": patients})
    if sex_counts is None:
        sex_counts = pd.DataFrame({"library_id": SAMPLES, "female": 0, "male": 0})
    if participants is None:
        participants = pd.DataFrame({"patient_id": ["A", "B"], "sex": ["female", "male"]})
    sex_counts = pd.DataFrame({"sample_id": None}, index=sex_counts.index).join(sex_counts)
    reports = {"A1": {"join_rate": 0.5}, "A2": {"join_rate": 0.9}}
    table = check_identity(
        sharing, clones, sex_counts, layout, participants, reports, IdentityOptions()
    )
    return table.set_index(["check", "sample_id"])


def test_a_swap_fails_two_samples_and_spares_their_siblings():
    swap = check("AABABB").loc["swap"]
    assert swap["verdict"].to_dict() == {
        name: "fail" if name in ("A3", "B1") else "pass" for name in SAMPLES
    }
    assert swap.loc[["A3", "B1"], "partner"].tolist() == ["B1", "A3"]
    assert (check("AABABB").loc["contamination", "verdict"] == "pass").all()


def test_contamination_is_a_warning_with_its_partner():
    overlap = overlap_of(np.array([0, 0, 0, 1, 1, 1]))
    overlap[0, 4] = overlap[4, 0] = 0.2
    table = check("AAABBB", overlap=overlap)
    assert (table.loc["swap", "verdict"] == "pass").all()
    found = table.loc["contamination"]
    assert found.loc[found["verdict"] == "warn", "partner"].to_dict() == {"A1": "B2", "B2": "A1"}


def test_contamination_from_all_of_a_patients_samples_is_no_swap():
    overlap = overlap_of(np.array([0, 0, 0, 1, 1, 1]))
    # together the foreign samples overlap more than the own, each of them less
    overlap[0, 1:3] = overlap[1:3, 0] = 0.5
    overlap[0, 3:] = overlap[3:, 0] = 0.45
    table = check("AAABBB", overlap=overlap)
    assert (table.loc["swap", "verdict"] == "pass").all()
    assert table.loc[("contamination", "A1"), "verdict"] == "warn"


def test_an_unclear_sex_does_not_tell_which_of_two_samples_moved():
    # A3 and B3 have too few cells; of the others A2 and B1, or A1 and B2, changed places
    depth = [100, 100, 1, 100, 100, 1]
    counts = {"library_id": SAMPLES, "female": [0, 0, 0, 60, 0, 0], "male": [0, 0, 0, 40, 0, 0]}
    unclear = pd.DataFrame(counts)
    swap = check("AB_AB_", depth=depth, sex_counts=unclear).loc["swap"]
    assert (swap["verdict"] == "fail").all()
    clear = unclear.assign(female=[0, 0, 0, 100, 0, 0], male=0)
    swap = check("AB_AB_", depth=depth, sex_counts=clear).loc["swap"]
    assert swap.index[swap["verdict"] == "fail"].tolist() == ["A2", "B1"]


def test_samples_with_few_receptor_cells_are_not_judged():
    assert "swap" not in check("AABABB", depth=48).index.get_level_values("check")


@pytest.mark.parametrize(
    ("female", "male", "verdict"),
    [(95, 5, "pass"), (50, 50, "warn"), (5, 95, "fail"), (3, 4, None)],
)
def test_sex_is_held_against_the_record(female, male, verdict):
    counts = pd.DataFrame({"library_id": ["A1"], "female": female, "male": male})
    table = check("AAABBB", sex_counts=counts)
    if verdict is None:
        assert "sex" not in table.index.get_level_values("check")
    else:
        assert table.loc[("sex", "A1"), "verdict"] == verdict
        assert table.loc[("sex", "A1"), "statistic"] == female / 100


@pytest.mark.parametrize(
    ("shares", "verdicts"),
    [
        ([1.0], []),
        ([1.0, 1.0], ["pass", "pass"]),
        ([1.0, 1.0, 0.0], ["pass", "pass", "fail"]),
        ([1.0, 0.0], ["fail", "fail"]),
        # a tumour that has lost its Y chromosome says neither
        ([0.0, 0.5], []),
        ([0.0, 0.0, 0.5], ["pass", "pass", "warn"]),
    ],
)
def test_without_a_recorded_sex_the_samples_must_agree(shares, verdicts):
    n_female = [round(100 * share) for share in shares]
    n_male = [100 - n for n in n_female]
    names = SAMPLES[: len(shares)]
    counts = pd.DataFrame({"library_id": names, "female": n_female, "male": n_male})
    unknown = pd.DataFrame({"patient_id": ["A", "B"], "sex": [None, "male"]})
    table = check("AAABBB", sex_counts=counts, participants=unknown).reset_index()
    assert table.loc[table["check"] == "sex", "verdict"].tolist() == verdicts


def test_each_sample_of_a_pool_is_judged_by_its_own_cells():
    layout = pd.DataFrame(
        {"library_id": "pool", "sample_id": ["A1", "B1", "B2"], "patient_id": ["A", "B", "B"]}
    )
    counts = pd.DataFrame(
        {
            "library_id": "pool",
            "sample_id": ["A1", "B1", "B2"],
            "female": [90, 5, 93],
            "male": [10, 95, 7],
        }
    )
    participants = pd.DataFrame({"patient_id": ["A", "B"], "sex": ["female", "male"]})
    clones = pd.DataFrame(
        {"sample_id": ["A1"], "patient_id": ["A"], "clone_key": ["A|a"], "n_cells": [1]}
    )
    sharing = pd.DataFrame({"sample_id_1": [], "sample_id_2": [], "morisita_horn": []})
    table = check_identity(sharing, clones, counts, layout, participants, {}, IdentityOptions())
    found = table[table["check"] == "sex"]
    assert found["library_id"].eq("pool").all()
    assert found.set_index("sample_id")["verdict"].to_dict() == {
        "A1": "pass",
        "B1": "pass",
        "B2": "fail",
    }


def test_a_study_without_libraries_has_nothing_to_judge():
    """Of no library the tables come with columns of text."""
    layout = pd.DataFrame(columns=["library_id", "sample_id", "patient_id"], dtype="str")
    columns = ["sample_id", "patient_id", "clone_key", "n_cells"]
    clones = pd.DataFrame(columns=columns, dtype="str").astype({"n_cells": "int64"})
    counts = pd.DataFrame(columns=["library_id", "sample_id", "female", "male"], dtype="str")
    sharing = pd.DataFrame(columns=["sample_id_1", "sample_id_2", "morisita_horn"], dtype="str")
    participants = pd.DataFrame({"patient_id": ["A"], "sex": ["female"]})
    options = IdentityOptions()
    assert check_identity(sharing, clones, counts, layout, participants, {}, options).empty


def test_join_rate_is_as_ingest_reported_it():
    found = check("AAABBB").loc["join_rate"]
    assert found["verdict"].to_dict() == {"A1": "warn", "A2": "pass"}
    assert found["statistic"].tolist() == [0.5, 0.9]
