"""Cells of one library that another has too: planted ones are found, chance is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hiaim_sc.compare import check_contamination
from hiaim_sc.config import IdentityOptions
from hiaim_sc.names import RELEASE_TABLES

N_CELLS = 3000
OPTIONS = IdentityOptions()
LAYOUT = pd.DataFrame(
    {
        "library_id": ["A1", "A2", "B1", "B2"],
        "sample_id": ["SA1", "SA2", "SB1", "SB2"],
        "patient_id": ["A", "A", "B", "B"],
    }
)
NO_CHECKS = pd.DataFrame({name: [] for name in RELEASE_TABLES["identity_checks"]})


def draw_cells(seed: int) -> pd.DataFrame:
    """Cells of four libraries, each patient with one repertoire, from 737,280 cell barcodes."""
    rng = np.random.default_rng(seed)
    rank = np.arange(1, 5001)
    libraries = []
    for row in LAYOUT.itertuples():
        clone = rng.choice(rank, N_CELLS, p=(1 / rank) / (1 / rank).sum()).astype(str)
        chains = [f"{row.patient_id}|TRA:V:{row.patient_id}{c}|TRB:V:{c}" for c in clone]
        numbers = rng.choice(737_280, N_CELLS, replace=False)
        libraries.append(
            pd.DataFrame(
                {
                    "library_id": row.library_id,
                    "cell_barcode": pd.Series(numbers).astype("str"),
                    "patient_id": row.patient_id,
                    "clone_key": pd.Series(chains, dtype="str"),
                }
            )
        )
    return pd.concat(libraries, ignore_index=True)


def move(
    cells: pd.DataFrame, source: str, target: str, n: int, *, keep_barcode: bool
) -> pd.DataFrame:
    """Cells with `n` cells of one library in another one, too."""
    copies = cells[cells["library_id"] == source].sample(n, random_state=1)
    patient = LAYOUT.set_index("library_id").loc[target, "patient_id"]
    receptor = copies["clone_key"].str.partition("|")[2]
    names = copies["cell_barcode"] if keep_barcode else "new" + copies["cell_barcode"]
    copies = copies.assign(
        library_id=target,
        cell_barcode=names,
        patient_id=patient,
        clone_key=patient + "|" + receptor,
    )
    return pd.concat([cells, copies], ignore_index=True)


def check(cells: pd.DataFrame, checks: pd.DataFrame = NO_CHECKS) -> pd.DataFrame:
    table = check_contamination(checks, cells, LAYOUT, OPTIONS)
    return table[table["library_id"] != ""].set_index("library_id")


def warned(cells: pd.DataFrame, checks: pd.DataFrame = NO_CHECKS) -> dict[str, str]:
    found = check(cells, checks)
    return found.loc[found["verdict"] == "warn", "partner"].to_dict()


@pytest.mark.parametrize("seed", range(20))
def test_clean_libraries_pass(seed):
    found = check(draw_cells(seed))
    assert found.index.tolist() == ["A1", "A2", "B1", "B2"]
    assert (found["check"] == "contamination").all()
    assert (found["verdict"] == "pass").all()


@pytest.mark.parametrize(("source", "target"), [("A1", "B2"), ("A1", "A2")])
def test_hopping_of_one_in_a_thousand_is_found(source, target):
    cells = move(draw_cells(1), source, target, N_CELLS // 1000, keep_barcode=True)
    assert {source: target, target: source}.items() <= warned(cells).items()
    # chance adds a cell at most
    share = check(cells)["statistic"]
    assert share[source] == pytest.approx(0.001, abs=1.01 / N_CELLS)
    assert share[target] == pytest.approx(0.001, abs=1.01 / N_CELLS)


def test_contamination_with_another_patients_cells_is_found():
    cells = move(draw_cells(2), "A1", "B2", 15, keep_barcode=False)
    # the patient's other library has many of these receptors, too
    assert warned(cells) == {"A1": "B2", "A2": "B2", "B2": "A1"}
    assert check(cells).loc["B2", "statistic"] == pytest.approx(15 / 3015)


def test_a_single_cell_is_chance():
    assert warned(move(draw_cells(3), "A1", "B2", 1, keep_barcode=False)) == {}


def test_large_clones_of_the_source_do_not_count_as_many():
    """Of a clone that has 200 cells here and 4 there, 4 cells have come over."""
    cells = draw_cells(4)
    big = cells.loc[cells["library_id"] == "A1", "clone_key"].mode()[0]
    is_big = (cells["clone_key"] == big) & (cells["library_id"] == "A1")
    assert is_big.sum() > 200
    few = cells[is_big].head(4).index
    copies = cells.loc[few].assign(library_id="B1", patient_id="B", clone_key="B|" + big[2:])
    found = check(pd.concat([cells, copies.assign(cell_barcode=["w", "x", "y", "z"])]))
    assert found.loc["A1", "statistic"] == pytest.approx(4 / N_CELLS)


def test_swapped_samples_are_not_blamed_for_each_others_receptors():
    cells = draw_cells(5)
    names = {"A2": "B1", "B1": "A2"}
    swapped = cells.assign(library_id=cells["library_id"].replace(names))
    patient = swapped["library_id"].str[0]
    swapped["clone_key"] = patient + "|" + swapped["clone_key"].str.partition("|")[2]
    swapped["patient_id"] = patient
    failed = pd.DataFrame({"sample_id": ["SA2", "SB1"], "check": "swap", "verdict": "fail"})
    checks = NO_CHECKS.merge(failed, how="right")[list(NO_CHECKS.columns)]
    assert set(warned(swapped)) == {"A1", "A2", "B1", "B2"}
    assert warned(swapped, checks) == {}


def test_rows_come_to_those_that_were_there_and_small_libraries_are_not_judged():
    checks = pd.DataFrame(
        [["SB2", "", "swap", 0.0, 0.01, "pass", ""]], columns=RELEASE_TABLES["identity_checks"]
    )
    cells = draw_cells(6)
    few = cells["library_id"].ne("A1") | (cells.index < OPTIONS.min_cells - 1)
    table = check_contamination(checks, cells[few], LAYOUT, OPTIONS)
    assert table["check"].tolist() == ["contamination"] * 3 + ["swap"]
    assert table["library_id"].tolist() == ["A2", "B1", "B2", ""]
    assert list(table.columns) == list(RELEASE_TABLES["identity_checks"])


def test_no_cells_no_rows():
    assert check_contamination(NO_CHECKS, draw_cells(1)[:0], LAYOUT, OPTIONS).empty
