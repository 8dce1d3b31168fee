"""Swaps in whole cohorts of counts: named exactly, and none where there is none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hiaim_sc.compare import check_identity
from hiaim_sc.config import IdentityOptions
from hiaim_sc.simulate.settings import SimulationSettings
from hiaim_sc.tcr import share_clones

PLACES = tuple((tissue, visit) for tissue in ("blood", "tumor") for visit in ("v1", "v2", "v3"))
N_CELLS = {"blood": 800, "tumor": 150}
_SETTINGS = SimulationSettings(out="unused")
_BLOOD_RANKS, _TUMOUR_RANKS = _SETTINGS.n_clone_ranks, _SETTINGS.n_clone_ranks // 4


def draw_counts(
    n_patients: int, rng: np.random.Generator, places: tuple[tuple[str, str], ...] = PLACES
) -> pd.DataFrame:
    """Cells per clone and sample: ``sample_id patient_id tissue visit clone_key n_cells``."""
    samples = []
    for number in range(n_patients):
        patient = f"P{number + 1}"
        frequency = _draw_frequencies(rng)
        for tissue, visit in places:
            drift = rng.normal(0, _SETTINGS.clone_drift / np.sqrt(2), frequency[tissue].shape)
            weight = frequency[tissue] * np.exp(drift)
            cells = rng.multinomial(N_CELLS[tissue], weight / weight.sum())
            clones = np.flatnonzero(cells)
            table = pd.DataFrame({"clone": clones, "n_cells": cells[clones]})
            sample_id = f"{patient}_{tissue}_{visit}"
            samples.append(
                table.assign(sample_id=sample_id, patient_id=patient, tissue=tissue, visit=visit)
            )
    counts = pd.concat(samples, ignore_index=True)
    chains = counts["patient_id"] + "c" + counts["clone"].astype("str")
    return counts.assign(receptor="TRA:V:" + chains + "|TRB:V:" + chains)


def _draw_frequencies(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Half CD8 and half CD4 clones, powers of their rank; of the tumour's clones some in blood."""
    parts: dict[str, list[np.ndarray]] = {"blood": [], "tumor": []}
    for mean in (_SETTINGS.clone_exponent, _SETTINGS.clone_exponent_cd4):
        exponent = max(rng.normal(mean, _SETTINGS.clone_exponent_spread), 0.0)
        blood = np.arange(1.0, _BLOOD_RANKS + 1) ** -exponent
        tumour = np.arange(1.0, _TUMOUR_RANKS + 1) ** -exponent
        shared = np.flatnonzero(rng.random(_TUMOUR_RANKS) < _SETTINGS.shared_clones)
        place = np.arange(_BLOOD_RANKS, _BLOOD_RANKS + _TUMOUR_RANKS)
        # large clones rather: log-uniform ranks
        weight = 1 / np.arange(1, _BLOOD_RANKS + 1)
        place[shared] = rng.choice(
            _BLOOD_RANKS, len(shared), replace=False, p=weight / weight.sum()
        )
        both = np.zeros((2, _BLOOD_RANKS + _TUMOUR_RANKS))
        both[0, :_BLOOD_RANKS] = blood / blood.sum()
        both[1, place] = tumour / tumour.sum()
        for tissue, row in zip(parts, both, strict=True):
            parts[tissue].append(row)
    return {tissue: np.concatenate(rows) for tissue, rows in parts.items()}


def check(counts: pd.DataFrame, is_recorded_as: dict[str, str] | None = None) -> pd.DataFrame:
    """Swap checks when some samples stand under the names of others."""
    recorded = counts["sample_id"].replace(is_recorded_as or {})
    patient = recorded.str.split("_").str[0]
    clones = counts.assign(
        sample_id=recorded, patient_id=patient, clone_key=patient + "|" + counts["receptor"]
    )
    layout = clones[["sample_id", "patient_id"]].drop_duplicates()
    table = check_identity(
        share_clones(clones),
        clones,
        pd.DataFrame({"library_id": [], "sample_id": [], "female": [], "male": []}),
        layout.assign(library_id=layout["sample_id"]),
        pd.DataFrame({"patient_id": [], "sex": []}),
        {},
        IdentityOptions(),
    )
    return table[table["check"] == "swap"].set_index("sample_id")


def named(counts: pd.DataFrame, is_recorded_as: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Verdict and partner of the samples that do not pass."""
    found = check(counts, is_recorded_as)
    found = found[found["verdict"] != "pass"]
    return dict(zip(found.index, zip(found["verdict"], found["partner"], strict=True), strict=True))


def swap(first: str, second: str) -> dict[str, str]:
    return {first: second, second: first}


def fail(first: str, second: str) -> dict[str, tuple[str, str]]:
    return {first: ("fail", second), second: ("fail", first)}


@pytest.fixture(scope="module")
def cohort():
    return draw_counts(5, np.random.default_rng(7))


def test_twenty_clean_cohorts_give_no_alarm():
    for seed in range(20):
        found = check(draw_counts(4, np.random.default_rng(seed)))
        assert len(found) == 4 * len(PLACES)
        assert (found["verdict"] == "pass").all(), seed


@pytest.mark.parametrize("seed", range(15))
def test_two_samples_of_any_tissue_and_visit_are_named(cohort, seed):
    rng = np.random.default_rng(seed)
    patients = rng.choice(5, 2, replace=False) + 1
    first, second = (
        f"P{patient}_{tissue}_{visit}"
        for patient, (tissue, visit) in zip(patients, rng.choice(PLACES, 2), strict=True)
    )
    assert named(cohort, swap(first, second)) == fail(first, second)


@pytest.mark.parametrize("place", ["blood_v1", "tumor_v2"])
@pytest.mark.parametrize("other", ["P2_blood_v2", "P3_tumor_v3"])
def test_the_one_sample_of_a_patient_is_named(cohort, place, other):
    alone = f"P1_{place}"
    known = cohort[(cohort["patient_id"] != "P1") | (cohort["sample_id"] == alone)]
    assert named(known, swap(alone, other)) == fail(alone, other)


def test_two_patients_with_one_sample_each_cannot_be_told_apart(cohort):
    alone = ["P1_blood_v1", "P2_blood_v1"]
    known = cohort[~cohort["patient_id"].isin(["P1", "P2"]) | cohort["sample_id"].isin(alone)]
    assert named(known, swap(*alone)) == {}


@pytest.mark.parametrize("names", [("P1_blood_v1", "P3_blood_v2", "P5_tumor_v1")])
def test_three_samples_in_a_circle_are_named(cohort, names):
    circle = dict(zip(names, [*names[1:], names[0]], strict=True))
    found = named(cohort, circle)
    assert set(found) == set(names)
    assert {verdict for verdict, _ in found.values()} == {"fail"}
    assert {partner for _, partner in found.values()} <= set(names)


def test_with_two_samples_per_patient_both_pairs_fail(cohort):
    known = cohort[cohort["visit"] == "v1"]
    found = named(known, swap("P1_blood_v1", "P2_blood_v1"))
    # the tumours may as well have changed places; none of the four can be used
    assert found == fail("P1_blood_v1", "P2_blood_v1") | fail("P1_tumor_v1", "P2_tumor_v1")


def test_a_few_foreign_cells_in_a_lone_biopsy_are_no_swap(cohort):
    alone = cohort[cohort["sample_id"] == "P1_tumor_v1"]
    foreign = cohort[cohort["sample_id"] == "P2_blood_v1"].nlargest(4, "n_cells")
    foreign = foreign.assign(n_cells=1, sample_id="P1_tumor_v1", patient_id="P1")
    known = pd.concat([cohort[cohort["patient_id"] != "P1"], alone, foreign])
    found = check(known)
    # it is the highest overlap that this sample has, and no more than a warning
    assert found.loc["P1_tumor_v1", "statistic"] > found.loc["P1_tumor_v1", "threshold"]
    assert (found["verdict"] != "fail").all()
    assert found.loc["P1_tumor_v1", "verdict"] == "warn"
