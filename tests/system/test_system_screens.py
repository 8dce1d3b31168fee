"""Studies with bulk DNA-barcode screens: alone, beside single cells, and with a damaged one."""

from __future__ import annotations

import gzip
import shutil
from datetime import UTC, datetime

import pandas as pd
import pytest

from flows._opening import Opening
from flows._order import plan_stages, run_stages
from flows._progress import NoProgress
from flows._run import StudyRun, compute_here
from flows.process_screens import process_screens
from flows.publish_release import publish_release
from hiaim_sc.storage import Store
from hiaim_sc.study import check_screens, list_screens, read_study, screen_files

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def with_screen(simulate):
    """Four patients: their libraries, and one screen of their blood."""
    return simulate(
        n_patients=4, cells_per_library=60, n_screens=1, n_genes=800, tissues=("blood",), seed=4
    )


def _copy(with_screen, tmp_path, *, libraries: bool):
    study = tmp_path / "study"
    shutil.copytree(with_screen / "study", study)
    if not libraries:
        (study / "libraries.tsv").unlink()
        shutil.rmtree(study / "libraries")
    return study


def _run(study):
    run = StudyRun(read_study(study), Store(study / ".hiaim"), NoProgress(), compute_here)
    libraries, keys = run_stages(run, blinded=False)
    release = publish_release(
        run,
        libraries,
        keys,
        results=study / "results",
        started=datetime.now(UTC),
        opening=Opening(),
    )
    tables = {path.stem: pd.read_csv(path, sep="\t") for path in release.glob("tables/bulk_*.tsv")}
    return run, release, tables


@pytest.mark.parametrize("libraries", [False, True])
def test_a_study_with_a_screen_ends_in_its_responses(with_screen, tmp_path, libraries):
    study = _copy(with_screen, tmp_path, libraries=libraries)
    assert check_screens(read_study(study)) == []
    run, release, tables = _run(study)
    truth = pd.read_csv(with_screen / "truth" / "screens.tsv", sep="\t")
    planted = truth[truth["is_response"]]
    found = tables["bulk_responses"]
    called = found[found["response"]]
    expected = {(row.sample_tag, row.dna_barcode) for row in planted.itertuples()}
    got = {
        (tag, row.dna_barcode) for row in called.itertuples() for tag in row.sample_tag.split(";")
    }
    assert got == expected
    quality = tables["bulk_screens_qc"].iloc[0]
    assert quality["n_reads"] == truth["n_reads"].sum()
    assert quality["pct_counted"] > 99.5
    assert quality["verdict"] == "pass"
    assert (release / "report.html").is_file()
    again = plan_stages(run.study, run.store, blinded=False)
    assert {record.status for record in again.records} == {"reused"}
    specificity = pd.read_csv(release / "tables" / "specificity.tsv", sep="\t")
    assert (len(specificity) > 0) == libraries


def test_a_damaged_screen_is_quarantined_and_the_study_goes_on(with_screen, tmp_path):
    study = _copy(with_screen, tmp_path, libraries=False)
    reads = study / "screens" / "X1" / "reads.fastq.gz"
    reads.write_bytes(reads.read_bytes()[:-100])
    _, _, tables = _run(study)
    assert tables["bulk_screens_qc"]["verdict"].tolist() == ["quarantined"]
    assert "cut short or damaged" in tables["bulk_screens_qc"].loc[0, "reason"]
    assert tables["bulk_responses"].empty


def test_validate_lists_every_fault_of_a_screen(with_screen, tmp_path):
    study = _copy(with_screen, tmp_path, libraries=False)
    folder = study / "screens" / "X1"
    (folder / "reads.fastq.gz").write_bytes(b">r\nACGT\n")
    (folder / "tags_a.fasta").write_text(">A1\nACGTACGTACGT\n>A1\nACGTACGTACGT\n")
    tags = (study / "bulk_samples.tsv").read_text().replace("Key_1\t", "Kay_1\t")
    (study / "bulk_samples.tsv").write_text(tags)
    words = "\n".join(map(str, check_screens(read_study(study))))
    for expected in (
        "bulk_samples.tsv line 2, sample_tag: 'Kay_1': a name of sample_tags.fasta",
        "a FASTQ file; this is none by its first record",
        "tags_a.fasta line 3: 'A1': names that differ",
    ):
        assert expected in words


def add_a_read(path):
    with gzip.open(path, "ab") as reads:
        reads.write(b"@late\nACGT\n+\nFFFF\n")


def lead_in_circles(path):
    path.unlink()
    path.symlink_to(path.name)


@pytest.mark.parametrize(
    ("change", "early", "reason"),
    [
        (add_a_read, False, "changed while they were read"),
        (lead_in_circles, False, "cannot be read"),
        (lead_in_circles, True, "cannot be read"),
    ],
)
def test_a_screen_whose_files_cannot_be_read_as_they_were_is_held(
    with_screen, tmp_path, change, early, reason
):
    study = read_study(_copy(with_screen, tmp_path, libraries=False))
    (reads, *_) = screen_files(study, *list_screens(study)).reads

    def compute(calls):
        if not early and calls[0].recipe.stage == "screen_counts":
            change(reads)
        yield from compute_here(calls)

    if early:
        change(reads)
    run = StudyRun(study, Store(tmp_path / "store"), NoProgress(), compute)
    keys = process_screens(run)
    assert set(keys) == {"bulk"}
    (row,) = run.store.get(keys["bulk"]).read("bulk_screens_qc").itertuples()
    assert row.verdict == "quarantined"
    assert reason in row.reason
