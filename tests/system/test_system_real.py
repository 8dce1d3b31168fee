"""Public data sets through every stage: the published counts come out again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

import pandas as pd
import pytest

from flows._opening import Opening
from flows._order import run_stages
from flows._progress import NoProgress
from flows._run import StudyRun, compute_here
from flows.publish_release import publish_release
from hiaim_sc.names import FAMILIES, RELEASE_TABLES
from hiaim_sc.storage import Store
from hiaim_sc.study import read_study

pytestmark = [pytest.mark.slow, pytest.mark.data]

LIBRARIES = ["P17B", "P17L", "P18B", "P18L", "P19B", "P19L", "P20B", "P20L"]


class Release(NamedTuple):
    tables: dict[str, pd.DataFrame]
    input_folder: object


def publish(study_folder, work):
    run = StudyRun(read_study(study_folder), Store(work / "store"), NoProgress(), compute_here)
    libraries, keys = run_stages(run, blinded=False)
    started = datetime.now(UTC)
    folder = publish_release(
        run, libraries, keys, results=work / "results", started=started, opening=Opening()
    )
    assert (work / "results" / "latest").resolve() == folder.resolve()
    read = {
        name: pd.read_csv(folder / "tables" / f"{name}.tsv", sep="\t", low_memory=False)
        for name in RELEASE_TABLES
    }
    return Release(read, study_folder)


@pytest.fixture(scope="module")
def ards(shared_data, tmp_path_factory):
    return publish(shared_data / "real_ards_blood_lung", tmp_path_factory.mktemp("ards"))


@pytest.fixture(scope="module")
def nsclc(shared_data, tmp_path_factory):
    return publish(shared_data / "real_nsclc_wu2020", tmp_path_factory.mktemp("nsclc"))


@pytest.fixture(scope="module")
def dextramer(shared_data, tmp_path_factory):
    return publish(shared_data / "real_dextramer", tmp_path_factory.mktemp("dextramer"))


def test_ards_contigs_and_cells_with_a_receptor(ards):
    libraries = ards.tables["libraries_qc"].set_index("library_id")
    contigs = [5504, 5304, 3005, 2467, 15003, 5011, 18513, 347]
    assert libraries.loc[LIBRARIES, "n_contigs"].tolist() == contigs
    cells = ards.tables["cells"].dropna(subset="chain_pairing")
    counts = [2805, 2893, 1328, 1278, 6943, 2747, 8991, 201]
    assert cells.groupby("library_id").size()[LIBRARIES].tolist() == counts


def test_ards_chain_pairing(ards):
    assert ards.tables["cells"]["chain_pairing"].value_counts().to_dict() == {
        "single pair": 18367,
        "orphan VDJ": 3861,
        "extra VJ": 1855,
        "extra VDJ": 1262,
        "two full chains": 1042,
        "orphan VJ": 798,
        "no IR": 1,
    }


def test_ards_clones_within_and_across_tissues(ards):
    clones = ards.tables["clones"]
    counts = [725, 2076, 1252, 1195, 5387, 1544, 5784, 192]
    assert clones.groupby("library_id")["clone_key"].nunique()[LIBRARIES].tolist() == counts
    keys = clones.groupby(["patient_id", "tissue"])["clone_key"].agg(set)
    shared = [len(keys[p, "blood"] & keys[p, "lung"]) for p in ("P17", "P18", "P19", "P20")]
    assert shared == [92, 30, 274, 27]


def test_ards_joins_the_gex_cells_to_their_receptors(ards):
    with_gex = ards.tables["cells"].dropna(subset="total_counts")
    assert len(with_gex) == 500
    assert with_gex["chain_pairing"].notna().sum() == 365


def test_invented_arms_show_no_effect(ards, nsclc):
    for release in (ards, nsclc):
        p_values = release.tables["comparisons"]["p_perm"].astype(float)
        assert not (p_values <= 0.05).any()


def test_nsclc_receptors(nsclc):
    assert nsclc.tables["libraries_qc"]["n_contigs"].sum() == 322
    assert nsclc.tables["cells"]["chain_pairing"].value_counts().to_dict() == {
        "single pair": 97,
        "orphan VDJ": 74,
        "orphan VJ": 18,
        "extra VJ": 7,
        "extra VDJ": 3,
        "two full chains": 1,
    }


def test_nsclc_has_no_endpoint_but_a_reason_for_each(nsclc):
    endpoints = nsclc.tables["endpoints"]
    # how many cells there are is known of any sample
    endpoints = endpoints[~endpoints["endpoint"].isin(FAMILIES["nuisances"])]
    assert endpoints["value"].isna().all()
    reasons = set(endpoints["reason_missing"])
    assert reasons == {"below_cell_min", "below_depth", "not_collected"}
    blood = endpoints[(endpoints["endpoint"] == "blood_nk_frac")]
    assert (blood["reason_missing"] == "not_collected").sum() == 10


def test_dextramer_finds_the_published_binders(dextramer):
    published = pd.read_csv(dextramer.input_folder / "published_binders.tsv", sep="\t")
    calls = dextramer.tables["specificity"]
    found = published.merge(
        calls, left_on=["cell_barcode", "pMHC"], right_on=["cell_barcode", "dna_barcode"]
    )
    assert len(published) == 166
    assert len(found) >= 0.97 * len(published)
    assert not calls["dna_barcode"].str.endswith("_NC").any()
    # every call outside the list stands in the release with its evidence
    listed = set(zip(published["cell_barcode"], published["pMHC"], strict=True))
    outside = [
        pair not in listed for pair in zip(calls["cell_barcode"], calls["dna_barcode"], strict=True)
    ]
    evidence = ["n_umi", "p_value", "q_value", "dominance", "evidence", "n_clone_calls"]
    assert calls.loc[outside, evidence].notna().all(axis=None)
    assert sum(outside) >= 32


def test_dextramer_cells_are_t_cells(dextramer):
    cells = dextramer.tables["cells"]
    assert len(cells) == 1000
    assert cells["chain_pairing"].notna().sum() == 735
    assert (cells["chain_pairing"] == "single pair").sum() == 556
    kept = cells[cells["qc_pass"]]
    assert (kept["cell_type_coarse"] == "T").mean() >= 0.95


def test_dextramer_has_nothing_to_compare(dextramer):
    comparisons = dextramer.tables["comparisons"]
    assert comparisons["estimate"].isna().all()
    assert comparisons["reason_empty"].notna().all()
    assert comparisons["blinded"].all()
