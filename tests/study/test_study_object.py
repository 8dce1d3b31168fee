"""What the stages are told of a study that has no fault."""

from __future__ import annotations

import math
import os
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hiaim_sc.study import check_files

TABLES = (
    *("participants", "samples", "libraries", "hashtags"),
    *("antigens", "measurements", "bulk_screens", "bulk_samples", "cell_type_overrides"),
)
LAYOUT = ["library_id", "sample_id", "patient_id", "visit", "tissue", "session_phase", "batch"]


def test_the_small_study_has_no_fault(small_study):
    assert check_files(small_study.read()) == []


def test_defaults_are_filled_in(small_study):
    study = small_study.read()
    samples = study.samples.set_index("sample_id")
    assert samples.loc["S1", "session_phase"] == "rest"
    assert samples.loc["S2", "status"] == "collected"
    assert study.libraries.set_index("library_id").loc["L1", "state"] == "delivered"
    assert study.measurements["session_phase"].tolist() == ["rest", "rest", "post_bout"]


def test_text_becomes_values(small_study):
    study = small_study.read()
    assert study.samples["lymphocyte_pct"].iloc[:3].tolist() == pytest.approx(
        [31.5, math.nan, 28], nan_ok=True
    )
    assert study.measurements["value"].tolist() == [8.25, 12.5, 3.0]
    assert study.measurements["minutes_from_bout"].iloc[2] == -15
    assert study.antigens["is_control"].tolist() == [False, False, True]
    assert study.antigens["is_control"].dtype == np.bool_
    participants = study.participants.set_index("patient_id")
    assert participants["sex"].to_dict() == {"P1": "female", "P2": "male", "P3": "female"}
    assert participants.loc["P1", "hla"] == "A*02:01,B*07:02"
    assert pd.isna(participants.loc["P2", "hla"])


def test_unknown_columns_are_carried_along(small_study):
    participants = small_study.read().participants.set_index("patient_id")
    assert participants["site"].dropna().to_dict() == {"P2": "north", "P3": "south"}


def test_layout_has_delivered_libraries_by_sample_and_no_arm(small_study):
    study = small_study.read()
    expected = pd.DataFrame(
        [
            ["L1", "S1", "P1", "baseline", "blood", "rest", "run1"],
            ["L2", "S2", "P1", "week6", "blood", "rest", "run2"],
            ["L3", "S3", "P2", "baseline", "blood", "rest", "run2"],
            ["L4", "S4", "P2", "week6", "blood", "rest", "run1"],
            ["L6", "S4", "P2", "week6", "blood", "rest", "run1"],
            ["L6", "S6", "P2", "week6", "blood", "post_bout", "run1"],
        ],
        columns=LAYOUT,
    )
    pd.testing.assert_frame_equal(study.layout(), expected)
    assert study.layout(["L3", "L6", "L7"])["library_id"].tolist() == ["L3", "L6", "L6"]


def test_libraries_that_cannot_be_processed_have_a_reason(small_study):
    small_study.replace(
        "samples.tsv",
        "S4\tP2\tweek6\tblood\trest\tcollected",
        "S4\tP2\tweek6\tblood\trest\twithdrew",
    )
    study = small_study.read()
    assert study.delivered_libraries() == ("L1", "L2", "L3", "L4", "L6")
    assert {name: words.split()[-1] for name, words in study.not_processable().items()} == {
        "L4": "withdrew",
    }
    # of a pooled library what was collected counts
    rows = study.layout().set_index("library_id")["sample_id"]
    assert rows.drop(["L1", "L2", "L3"]).to_dict() == {"L6": "S6"}


def test_pool_of_one_sample_cannot_be_split(small_study):
    small_study.replace("hashtags.tsv", "S6", "S4")
    assert small_study.read().not_processable() == {
        "L6": "pooled, but its hashtags are all of one sample"
    }


def test_library_states(small_study):
    states = small_study.read().library_states({"L2": "0 cells"}).set_index("library_id")
    assert states.loc["L6", "sample_id"].tolist() == ["S4", "S6"]
    assert states["state"].to_dict() == {
        "L1": "delivered", "L2": "quarantined", "L3": "delivered", "L4": "delivered",
        "L6": "delivered", "L7": "expected",
    }  # fmt: skip
    assert states["reason"].dropna().to_dict() == {"L2": "0 cells"}


def test_library_files(small_study):
    study = small_study.read()
    folder = small_study.path.resolve() / "lib"
    files = study.library_files("L1")
    assert (files.gex, files.vdj) == (folder / "L1.h5", folder / "L1.csv")
    assert (files.dna_barcodes, files.gex_raw) == (files.gex, None)
    with pytest.raises(KeyError, match="L99"):
        study.library_files("L99")


@pytest.mark.parametrize("is_relative", [True, False])
def test_data_roots_are_looked_into(small_study, tmp_path, is_relative):
    root = tmp_path / "core"
    root.mkdir()
    (small_study / "lib/L4.h5").rename(root / "L4.h5")
    text = "L4.h5" if is_relative else str(root / "L4.h5")
    small_study.replace("libraries.tsv", "lib/L4.h5", text)
    assert "data_roots" in small_study.faults()[0].allowed or is_relative
    small_study.append("study.yaml", "data_roots: [../core]")
    assert small_study.read().library_files("L4").gex == root.resolve() / "L4.h5"


def test_link_out_of_the_study_is_refused(small_study, tmp_path):
    (small_study / "lib/L4.h5").rename(tmp_path / "L4.h5")
    (small_study / "lib/L4.h5").symlink_to(tmp_path / "L4.h5")
    (fault,) = small_study.faults()
    assert "data_roots" in fault.allowed


def test_every_planned_sample_is_expected_once(small_study):
    samples = small_study.read().expected_samples()
    planned = samples[samples["session_phase"] == "rest"]
    assert len(planned) == 3 * 2 * 2
    assert not planned.duplicated(["patient_id", "visit", "tissue"]).any()
    assert samples["visit"].iloc[:4].tolist() == ["baseline", "baseline", "week6", "week6"]
    (extra,) = samples[samples["session_phase"] == "post_bout"].itertuples()
    assert extra.sample_id == "S6"


def test_expected_samples_without_a_row_are_not_collected(small_study):
    samples = small_study.read().expected_samples()
    without = samples[samples["sample_id"].isna()]
    assert len(samples) - len(without) == 6
    assert set(without["status"]) == {"not_collected"}
    assert set(without["reason"]) == {"no row in samples.tsv"}
    unsafe = samples.set_index("sample_id").loc["S5"]
    assert (unsafe["status"], unsafe["reason"]) == ("lesion_unsafe", "bleeding")


def test_days_from_the_plan_and_since_the_infusion(small_study):
    study = small_study.read()
    participants = study.participants.assign(enrolled_on="2026-03-01")
    samples = study.samples.assign(collected_on="2026-03-03", last_infusion_on=None)
    samples.loc[0, "last_infusion_on"] = "2026-02-20"
    dated = replace(study, participants=participants, samples=samples).expected_samples()
    found = dated[dated["sample_id"].notna()].set_index("sample_id")
    days = study.config.design.visits
    planned = found["visit"].map(days)
    assert (found["days_from_plan"] == 2 - planned).all()
    first = samples.loc[0, "sample_id"]
    assert found.loc[first, "days_since_infusion"] == 11
    assert found["days_since_infusion"].notna().sum() == 1
    assert dated.loc[dated["sample_id"].isna(), "days_from_plan"].isna().all()


def test_a_study_without_samples_expects_those_that_are_planned(small_study):
    study = small_study.read()
    samples = replace(study, samples=study.samples.iloc[:0]).expected_samples()
    assert set(samples["status"]) == {"not_collected"}
    assert samples["days_from_plan"].isna().all()


def test_strata_and_identity_columns(small_study):
    study = small_study.read()
    assert list(study.strata()) == ["patient_id", "treatment"]
    assert list(study.identity_participants()) == ["patient_id", "sex"]


def test_panel_of_the_study(small_study):
    assert small_study.read().panel_file() is None
    (small_study / "panel.tsv").write_text("x\n")
    small_study.append("study.yaml", "options: {annotate: {panel: panel.tsv}}")
    assert small_study.read().panel_file() == small_study.path.resolve() / "panel.tsv"


def test_study_travels_to_a_worker(small_study):
    study = small_study.read()
    copy = pickle.loads(pickle.dumps(study))
    pd.testing.assert_frame_equal(copy.layout(), study.layout())


@settings(
    max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(data=st.data())
def test_order_of_rows_does_not_matter(small_study, data):
    before = small_study.read()
    for table in TABLES:
        path = small_study / f"{table}.tsv"
        header, *rows = path.read_text().splitlines()
        path.write_text("\n".join([header, *data.draw(st.permutations(rows))]) + "\n")
    after = small_study.read()
    for table in TABLES:
        pd.testing.assert_frame_equal(getattr(after, table), getattr(before, table))


def test_reading_writes_nothing(small_study):
    def snapshot():
        return sorted((path, path.stat().st_mtime_ns) for path in small_study.path.rglob("*"))

    before = snapshot()
    for path in (small_study.path, small_study.path / "lib"):
        path.chmod(0o555)
    try:
        check_files(small_study.read())
    finally:
        for path in (small_study.path, small_study.path / "lib"):
            os.chmod(path, 0o755)  # noqa: PTH101
    assert snapshot() == before
