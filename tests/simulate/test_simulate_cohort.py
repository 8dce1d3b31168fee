"""The study folder as a whole: same bytes, tables that fit together, refusals."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest

from hiaim_sc.errors import UserInputError
from hiaim_sc.simulate import read_settings, simulate_cohort, simulate_library
from hiaim_sc.study import check_design, check_files, read_allocation, read_study

from .conftest import small_settings


def digest(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def read(settings, name):
    return pd.read_csv(settings.truth / name, sep="\t", keep_default_na=False)


def test_same_seed_gives_same_bytes_in_another_folder(small_cohort, tmp_path):
    again = small_settings(tmp_path / "elsewhere", truth=tmp_path / "known")
    simulate_cohort(again)
    assert digest(again.out) == digest(small_cohort.out)
    assert digest(again.truth) == digest(small_cohort.truth)


def test_another_seed_gives_other_cells(small_cohort):
    other = simulate_library(small_settings(seed=2), "L001")
    assert not set(other.cell_barcodes) & set(simulate_library(small_cohort, "L001").cell_barcodes)


def test_study_has_no_fault(small_cohort):
    study = read_study(small_cohort.out)
    assert check_files(study) == []
    assert check_design(study, read_allocation(study)) == []
    assert len(study.libraries) == 4 * 2 * 2
    assert set(study.measurements["assay"]) == {"flow_cytometry", "cpet"}


def test_nothing_of_the_truth_is_in_the_study(small_cohort):
    names = set(digest(small_cohort.out))
    assert not {name for name in names if re.search("truth|cells|effects|clones", name)}
    assert set(digest(small_cohort.truth)) == {
        "cells.tsv",
        "effects.tsv",
        "truth.json",
        "clones.parquet",
    }


def test_truth_names_the_cells_of_every_library(small_cohort):
    cells = read(small_cohort, "cells.tsv")
    libraries = read_study(small_cohort.out).libraries
    assert list(cells["library_id"].unique()) == list(libraries["library_id"])
    assert not cells.duplicated(["library_id", "cell_barcode"]).any()
    assert cells["cell_barcode"].str.fullmatch("[ACGT]{16}-1").all()


def test_clones_in_the_truth_are_of_the_sample_s_patient(small_cohort):
    cells = read(small_cohort, "cells.tsv")
    study = read_study(small_cohort.out)
    patients = study.layout().set_index("library_id")["patient_id"]
    with_clone = cells[cells["clone_key"] != ""]
    owners = with_clone["clone_key"].str.split("|").str[0]
    assert (owners == with_clone["library_id"].map(patients)).all()
    latent = pd.read_parquet(small_cohort.truth / "clones.parquet")
    cd8 = with_clone[with_clone["lineage"] == "CD8"]
    assert cd8["clone_key"].isin(latent["clone_key"]).all()


def test_frequencies_add_up_to_one_for_each_patient(small_cohort):
    latent = pd.read_parquet(small_cohort.truth / "clones.parquet")
    totals = latent.filter(like="frequency_").groupby(latent["patient_id"]).sum()
    assert totals.shape == (4, 4)
    assert totals.to_numpy() == pytest.approx(1.0)


def test_missing_samples_have_a_reason_or_no_row_and_no_library(tmp_path):
    settings = small_settings(tmp_path / "study", missing=0.5, cells_per_library=10, n_patients=6)
    simulate_cohort(settings)
    missing = json.loads((settings.truth / "truth.json").read_text())["missing_samples"]
    study = read_study(settings.out)
    assert 6 <= len(missing) <= 18
    assert set(missing.values()) == {"row absent", "not_collected", "lesion_unsafe", "failed_lab"}
    with_row = study.samples.set_index("sample_id")["status"]
    assert not {name for name, fate in missing.items() if fate == "row absent"} & set(
        with_row.index
    )
    expected = {name: fate for name, fate in missing.items() if fate != "row absent"}
    assert with_row[with_row != "collected"].to_dict() == expected
    assert set(study.libraries["sample_id"]) == set(with_row.index[with_row == "collected"])
    effects = read(settings, "effects.tsv")
    assert len(effects[effects["endpoint"] == "nexp_m"]) == 6 * 2 * 2


def test_swapped_libraries_hold_each_other_s_clones(tmp_path):
    settings = small_settings(tmp_path / "study", swap=True)
    simulate_cohort(settings)
    swapped = json.loads((settings.truth / "truth.json").read_text())["swapped"]
    assert len(swapped) == 2
    first, second = swapped
    assert first["sample_id"] == second["true_sample_id"] != first["true_sample_id"]
    cells = read(settings, "cells.tsv").query("clone_key != ''")
    for entry in swapped:
        owners = cells.loc[cells["library_id"] == entry["library_id"], "clone_key"].str.split("|")
        assert set(owners.str[0]) == {entry["true_sample_id"].split("_")[0]}
    assert cells["library_id"].is_monotonic_increasing


def test_a_folder_in_use_is_refused_and_left_alone(tmp_path):
    out = tmp_path / "study"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    with pytest.raises(UserInputError, match="an empty folder"):
        simulate_cohort(small_settings(out))
    assert [path.name for path in tmp_path.rglob("*")] == ["study", "notes.txt"]


@pytest.mark.parametrize("truth", ["study", "study/truth", "."])
def test_truth_within_the_study_is_refused(tmp_path, truth):
    with pytest.raises(UserInputError, match="apart from the study folder"):
        simulate_cohort(small_settings(tmp_path / "study", truth=tmp_path / truth))
    assert not list(tmp_path.iterdir())


def test_an_error_leaves_no_folder_behind(tmp_path):
    def stop(done, total):
        if done == 2:
            raise RuntimeError(total)

    with pytest.raises(RuntimeError, match="16"):
        simulate_cohort(small_settings(tmp_path / "study", cells_per_library=20), progress=stop)
    assert not list(tmp_path.iterdir())


def test_settings_come_from_a_file_and_the_options_over_it(tmp_path):
    file = tmp_path / "demo.yaml"
    file.write_text("n_patients: 8\nseed: 7\nambient_mean: {blood: 0.1, tumor: 0.2}\n")
    settings = read_settings(file, {"out": tmp_path / "study", "seed": 9})
    assert (settings.n_patients, settings.seed, settings.ambient_mean["tumor"]) == (8, 9, 0.2)
    assert settings.truth == tmp_path / "study_truth"


@pytest.mark.parametrize(
    ("given", "column"),
    [
        ({}, "out"),
        ({"out": "study", "n_patient": 3}, "n_patient"),
        ({"out": "study", "n_patients": 1}, "n_patients"),
        ({"out": "study", "tissues": ["blood", "lung"]}, "tissues.1"),
        ({"out": "study", "planted_ranks": [50, 20]}, ""),
        ({"out": "study", "planted_ranks": [50, 60]}, ""),
        ({"out": "study", "capture": [0.6, 0.4, 0.1]}, ""),
        ({"out": "study", "visits": {"baseline": 5, "week6": 5}}, ""),
        ({"out": "study", "ambient_mean": {"blood": 0.1}}, ""),
    ],
)
def test_wrong_settings_are_named(given, column):
    with pytest.raises(UserInputError) as found:
        read_settings(None, given)
    assert [fault.column for fault in found.value.faults] == [column]


@pytest.mark.parametrize("content", ["- 1", "a: [", "\tx"])
def test_a_file_that_holds_no_settings_is_refused(tmp_path, content):
    file = tmp_path / "demo.yaml"
    file.write_text(content)
    with pytest.raises(UserInputError, match=r"demo\.yaml"):
        read_settings(file, {"out": "study"})
