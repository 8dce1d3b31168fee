"""What a rerun computes: read from the manifest, after real runs on a real Prefect server."""

from __future__ import annotations

import json
import shutil

import pytest

from flows._stages import STAGES

LIBRARY_STAGES = {"ingest", "receptors", "qc", "genes", "specificity"}
# of pools, of bulk screens, and what the study asks for
NOT_HERE = {
    "cell_samples",
    "screen_counts",
    "screen_responses",
    "bulk",
    "specificity_agreement",
    "databases",
    "database_matches",
    "similarity_cost",
    "similarity",
    "corrected",
    "selected_corrected",
    "reference_cells",
    "reference",
}
COHORT = set(STAGES) - LIBRARY_STAGES - NOT_HERE

pytestmark = pytest.mark.slow


def recomputed(release):
    tasks = json.loads((release / "manifest.json").read_text())["tasks"]
    return {(t["name"], t["library_id"]) for t in tasks if t["status"] == "recomputed"}


@pytest.fixture
def study(finished, tmp_path):
    """The finished study with its store, in a place of its own."""
    shutil.copytree(finished.study, tmp_path / "study", symlinks=True)
    (tmp_path / "study" / "libraries.tsv").write_text(finished.first_libraries)
    return tmp_path / "study"


def test_the_first_run_computes_everything(finished):
    names = {name for name, _ in recomputed(finished.release)}
    assert names == LIBRARY_STAGES | COHORT


def test_a_rerun_recomputes_nothing(study, hiaim):
    assert recomputed(hiaim.release(study)) == set()


def test_one_more_library_recomputes_itself_and_the_cohort(study, finished, hiaim):
    shutil.copy(finished.study / "libraries.tsv", study / "libraries.tsv")
    planned = hiaim("plan", study)
    assert f"{len(LIBRARY_STAGES) + len(COHORT)} to compute" in planned.out
    found = recomputed(hiaim.release(study))
    assert {library for _, library in found} == {finished.left_out, None}
    assert {name for name, library in found if library} == LIBRARY_STAGES
    assert {name for name, library in found if not library} == COHORT


def test_a_changed_allocation_recomputes_the_comparison_alone(study, hiaim):
    path = study / "allocation.tsv"
    text = path.read_text()
    path.write_text(
        text.replace("control", "X").replace("exercise", "control").replace("X", "exercise")
    )
    assert recomputed(hiaim.release(study)) == {("comparisons", None)}


def test_one_option_recomputes_its_stage_and_what_is_below(study, hiaim):
    config = study / "study.yaml"
    text = config.read_text()
    assert text.count("options: {}") == 1
    config.write_text(text.replace("options: {}", "options: {identity: {min_cells: 60}}"))
    below = {"identity", "located", "endpoints", "repertoires", "variants", "agreement"}
    below |= {"comparisons"}
    assert recomputed(hiaim.release(study)) == {(name, None) for name in below}
