"""The flow of samples adds up, and its steps come in order."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hiaim_sc.compare import count_flow
from hiaim_sc.names import RELEASE_TABLES
from hiaim_sc.report.figures.sample_flow import tabulate_steps

GROUP = ["level", "step", "arm_blind_group"]
FATES = ["ok", "empty", "died", "not_collected", "expected", "quarantined", "none"]


@pytest.fixture(scope="session")
def inputs(make_cells, make_expected, make_states):
    """Expected samples, libraries, cells and clones of samples with these fates."""

    def build(fates):
        rows = [
            (
                f"P{i}",
                "baseline",
                tissue,
                fate if fate in ("died", "not_collected") else "collected",
            )
            for i, (fate, tissue) in enumerate(fates)
        ]
        expected = make_expected(rows)
        by_fate = dict(zip(expected["sample_id"], [fate for fate, _ in fates], strict=True))
        with_library = [
            n for n, f in by_fate.items() if f in ("ok", "empty", "expected", "quarantined")
        ]
        states = {n: f for n, f in by_fate.items() if f in ("expected", "quarantined")}
        cells = [make_cells("L", "P0", {"T": 1}).iloc[:0].assign(tissue="")]
        for name, fate in by_fate.items():
            if fate in ("ok", "empty"):
                found = make_cells(f"L{name}", name, {"T": 4, "NK": 2, "ambiguous": 1}, [2, 1])
                tissue = name.split("-")[2]
                is_good = (found["cell_type_coarse"] != "NK") & (fate == "ok")
                reason = is_good.map({True: "", False: "low_counts;low_genes"})
                cells.append(found.assign(tissue=tissue, qc_pass=is_good, qc_reason=reason))
        cells = pd.concat(cells, ignore_index=True)
        clones = cells.dropna(subset="clone_key").assign(
            n_cells_qc=lambda t: t["qc_pass"].astype(int)
        )
        return expected, make_states(with_library, states), cells, clones

    return build


def adds_up(flow: pd.DataFrame) -> None:
    for _, rows in flow.groupby(GROUP):
        assert rows["n_in"].nunique() == rows["n_out"].nunique() == 1
        assert rows["n_in"].iloc[0] - rows["n_lost"].sum() == rows["n_out"].iloc[0]
        assert ((rows["n_lost"] > 0) == (rows["reason"] != "")).all()
        assert not rows["reason"].duplicated().any()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(st.sampled_from(FATES), st.sampled_from(["blood", "tumor"])),
        min_size=1,
        max_size=8,
    )
)
def test_every_step_adds_up_and_starts_where_the_last_ended(inputs, fates):
    tables = inputs(fates)
    flow = count_flow(*tables)
    assert list(flow) == list(RELEASE_TABLES["flow_of_samples"])
    adds_up(flow)
    for _, rows in flow.groupby(["level", "arm_blind_group"]):
        steps = rows.drop_duplicates("step")
        assert steps["n_in"].tolist()[1:] == steps["n_out"].tolist()[:-1]
    is_sample = (flow["level"] == "sample") & (flow["step"] == "collected")
    assert flow[is_sample].drop_duplicates("arm_blind_group")["n_in"].sum() == len(fates)
    shuffled = [table.sample(frac=1, random_state=5) for table in tables]
    pd.testing.assert_frame_equal(count_flow(*shuffled), flow)


def test_each_loss_has_its_reason(inputs):
    flow = count_flow(*inputs([(fate, "blood") for fate in FATES]))
    lost = flow[flow["n_lost"] > 0].set_index(["level", "step", "reason"])["n_lost"].to_dict()
    assert lost == {
        ("patient", "with sequenced samples", "no sample with cells"): 6,
        ("sample", "collected", "died"): 1,
        ("sample", "collected", "not_collected"): 1,
        ("sample", "sequenced and read", "failed_qc"): 1,
        ("sample", "sequenced and read", "not_yet_sequenced"): 2,
        ("sample", "with cells that pass QC", "no cell passes QC"): 1,
        ("library", "delivered", "not delivered"): 1,
        ("library", "read", "quarantined: empty file"): 1,
        ("cell", "pass QC", "low_counts;low_genes"): 9,
        ("cell", "have a cell type", "ambiguous"): 1,
        ("clone", "with cells that pass QC", "no cell passes QC"): 2,
    }


def test_cells_without_a_clear_type_are_counted_by_reason(inputs):
    expected, states, cells, clones = inputs([("ok", "blood")])
    cells["cell_type_coarse"] = cells["cell_type_coarse"].replace("NK", "unassigned")
    flow = count_flow(expected, states, cells.assign(qc_pass=True), clones)
    found = flow[flow["step"] == "have a cell type"].set_index("reason")
    assert found["n_lost"].to_dict() == {"ambiguous": 1, "unassigned": 2}
    assert set(found["n_out"]) == {4}


def test_the_figure_draws_the_steps_in_this_order(inputs):
    flow = count_flow(*inputs([(fate, "blood") for fate in FATES]))
    steps = tabulate_steps(flow[flow["level"] == "sample"])
    assert [(name, left) for name, left, _ in steps] == [
        ("expected", 7),
        ("collected", 5),
        ("sequenced and read", 2),
        ("with cells that pass QC", 1),
    ]


def test_a_library_quarantined_without_a_reason_is_still_counted(inputs):
    expected, states, cells, clones = inputs([("ok", "blood"), ("quarantined", "blood")])
    flow = count_flow(expected, states.assign(reason=None), cells, clones)
    adds_up(flow)
    assert "quarantined: no reason given" in set(flow["reason"])


def test_pooled_libraries_are_a_group_of_their_own(inputs):
    expected, states, cells, clones = inputs([("ok", "blood")])
    pooled = states.assign(library_id="pool", sample_id=None)
    flow = count_flow(expected, pd.concat([states, pooled]), cells, clones)
    found = flow[(flow["level"] == "library") & (flow["step"] == "delivered")]
    assert dict(zip(found["arm_blind_group"], found["n_in"], strict=True)) == {
        "blood": 1,
        "pooled": 1,
    }
