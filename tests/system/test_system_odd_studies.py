"""Studies that are unusual but right end in a complete release."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import mudata
import pandas as pd
import pytest
import yaml

from flows._opening import Opening
from flows._order import run_stages
from flows._progress import NoProgress
from flows._run import StudyRun, compute_here
from flows.publish_release import publish_release
from hiaim_sc.names import REASONS_MISSING, RELEASE_TABLES
from hiaim_sc.storage import Store
from hiaim_sc.study import read_study

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def change(study: Path, name: str, **columns: object) -> None:
    """Rewrite columns of a table of the study."""
    table = pd.read_csv(study / name, sep="\t", dtype=str, keep_default_na=False)
    table.assign(**columns).to_csv(study / name, sep="\t", index=False)


def set_options(study: Path, **options: object) -> None:
    path = study / "study.yaml"
    config = yaml.safe_load(path.read_text())
    config["options"] |= options
    path.write_text(yaml.safe_dump(config, sort_keys=False))


def expression_only(study):
    change(study, "libraries.tsv", vdj="", dna_barcodes="")
    (study / "antigens.tsv").unlink()


def receptors_only(study):
    change(study, "libraries.tsv", gex="", dna_barcodes="")
    set_options(study, tcr={"require_gex": False})


def antigens_not_described(study):
    (study / "antigens.tsv").unlink()


def measurements_only(study):
    for name in ("samples.tsv", "libraries.tsv", "antigens.tsv"):
        (study / name).unlink()
    shutil.rmtree(study / "libraries")


def one_library_delivered(study):
    table = pd.read_csv(study / "libraries.tsv", sep="\t")
    change(study, "libraries.tsv", state=["delivered", *["expected"] * (len(table) - 1)])


def nothing_delivered(study):
    change(study, "libraries.tsv", state="expected")


def every_library_unreadable(study):
    for path in (study / "libraries").glob("*/*.h5"):
        path.write_bytes(b"not HDF5")


def two_libraries_of_a_sample(study):
    samples = list(pd.read_csv(study / "libraries.tsv", sep="\t")["sample_id"])
    change(study, "libraries.tsv", sample_id=[samples[0], samples[0], *samples[2:]])


def blood_after_a_bout(study):
    table = pd.read_csv(study / "samples.tsv", sep="\t")
    is_after = (table["tissue"] == "blood") & (table["visit"] == "week6")
    change(study, "samples.tsv", session_phase=is_after.map({True: "post_bout", False: "rest"}))


def no_stratum(study):
    path = study / "study.yaml"
    config = yaml.safe_load(path.read_text())
    config["design"]["strata"] = []
    path.write_text(yaml.safe_dump(config, sort_keys=False))


def windows_text(study):
    for name in ("samples.tsv", "libraries.tsv", "participants.tsv"):
        path = study / name
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))


def several_at_once(study):
    antigens_not_described(study)
    two_libraries_of_a_sample(study)
    blood_after_a_bout(study)
    no_stratum(study)
    windows_text(study)


ODD_STUDIES = (
    expression_only,
    receptors_only,
    measurements_only,
    one_library_delivered,
    nothing_delivered,
    every_library_unreadable,
    several_at_once,
)


@pytest.fixture(scope="module")
def plain(simulate):
    study = simulate(n_patients=4, cells_per_library=70, seed=5) / "study"
    set_options(study, integrate={"umap": False})
    return study


@pytest.mark.parametrize("make_odd", ODD_STUDIES, ids=lambda odd: odd.__name__)
def test_an_odd_study_ends_in_a_complete_release(make_odd, plain, tmp_path):
    study = tmp_path / "an odd study"
    shutil.copytree(plain, study)
    make_odd(study)
    run = StudyRun(read_study(study), Store(tmp_path / "store"), NoProgress(), compute_here)
    libraries, keys = run_stages(run, blinded=False)
    release = publish_release(
        run,
        libraries,
        keys,
        results=tmp_path / "results",
        started=datetime.now(UTC),
        opening=Opening(),
    )
    assert (release / "report.html").stat().st_size > 10_000
    assert (release / "manifest.json").is_file()
    tables = {
        name: pd.read_csv(release / "tables" / f"{name}.tsv", sep="\t", low_memory=False)
        for name in RELEASE_TABLES
    }
    for name, table in tables.items():
        assert list(table.columns[: len(RELEASE_TABLES[name])]) == list(RELEASE_TABLES[name])
    endpoints, comparisons = tables["endpoints"], tables["comparisons"]
    assert len(endpoints) > 0
    assert (endpoints["value"].isna() == endpoints["reason_missing"].notna()).all()
    assert set(endpoints["reason_missing"].dropna()) <= set(REASONS_MISSING)
    assert (comparisons["estimate"].isna() <= comparisons["reason_empty"].notna()).all()
    gex = mudata.read_h5mu(release / "cohort.h5mu")["gex"]
    has_expression = tables["cells"]["qc_pass"] & tables["cells"]["total_counts"].notna()
    assert gex.n_obs == has_expression.sum()
