"""What may differ between arms without being biology."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hiaim_sc.compare import Trial, compare_arms, locate_samples, measure_endpoints
from hiaim_sc.config import CompareOptions, Design

DESIGN = Design(
    arms=("control", "exercise"), visits={"baseline": 0, "week6": 42}, tissues=("blood", "tumor")
)
FIRST, LATER = "P1-baseline-blood-rest", "P1-week6-blood-rest"
OPTIONS = CompareOptions(depth={"blood": 5, "tumor": 5}, min_t_cells=10)


@pytest.fixture
def measure(make_cells, make_expected, make_states, make_identity):
    """Two blood samples: 20 T cells of which 15 have a clone, and as many without V(D)J."""

    def build(change=lambda cells: cells, **days):
        places = [("P1", "baseline", "blood"), ("P1", "week6", "blood")]
        expected = make_expected(places).assign(**days)
        located = locate_samples(expected, make_states([FIRST, LATER]), make_identity())
        cells = pd.concat(
            [
                make_cells("L1", FIRST, {"T": 20, "NK": 5}, [10, 5]),
                make_cells("L2", LATER, {"T": 20, "NK": 5}, [10, 5], vdj=False),
            ],
            ignore_index=True,
        )
        cells.loc[cells["cell_type_lineage"] == "T", "cell_type_lineage"] = "CD4"
        table = measure_endpoints(change(cells), located, design=DESIGN, options=OPTIONS)
        return table.set_index(["endpoint", "sample_id"])

    return build


def test_capture_is_of_alpha_beta_t_cells_that_have_both_chains(measure):
    def one_chain(cells):
        cells.loc[(cells["sample_id"] == FIRST) & (cells.index < 3), "chain_pairing"] = "orphan VDJ"
        cells.loc[3, "cell_type_lineage"] = "gd"
        return cells

    found = measure(one_chain).loc[("tcr_capture", FIRST)]
    # of 20 T cells one is gamma delta; 15 have receptors, of which three one chain, one is gd
    assert (found["value"], found["n_cells"]) == (pytest.approx(11 / 19), 19)
    assert found["value_analysed"] == pytest.approx(np.log(11.5 / 8.5))


def test_capture_needs_receptors_and_t_cells(measure):
    assert measure().loc[("tcr_capture", LATER), "reason_missing"] == "no_vdj"
    few = measure(lambda cells: cells.drop(index=range(11)))
    assert few.loc[("tcr_capture", FIRST), "reason_missing"] == "below_cell_min"


def test_yield_counts_and_depth(measure):
    def halve(cells):
        cells.loc[cells["sample_id"] == FIRST, "total_counts"] = [500] * 13 + [2000] * 12
        cells.loc[0, "qc_pass"] = False
        return cells

    table = measure(halve)
    assert table.loc[("cells_kept", FIRST), "value"] == 24
    assert table.loc[("cells_kept", FIRST), "value_analysed"] == pytest.approx(np.log(24.5))
    assert table.loc[("median_counts", FIRST), "value"] == 1250
    assert table.loc[("clone_depth", FIRST), "value"] == 14
    assert table.loc[("clone_depth", LATER), "reason_missing"] == "no_vdj"


def test_a_sample_without_a_cell_that_passes_has_yield_zero_and_no_median(measure):
    table = measure(lambda cells: cells.assign(qc_pass=cells["sample_id"] != FIRST))
    assert table.loc[("cells_kept", FIRST), "value"] == 0
    assert table.loc[("median_counts", FIRST), "reason_missing"] == "below_cell_min"


def test_days_stand_where_the_tables_have_any(measure):
    table = measure(days_from_plan=[np.nan, 3.0], days_since_infusion=np.nan)
    assert table.loc[("days_from_plan", FIRST), "reason_missing"] == "not_collected"
    assert table.loc[("days_from_plan", LATER), "value"] == 3
    assert "days_since_infusion" not in table.index.get_level_values("endpoint")


def test_an_arm_that_yields_fewer_cells_is_told(
    make_cells, make_expected, make_states, make_identity, make_config
):
    patients = [f"P{i}" for i in range(1, 9)]
    places = [(p, v, "blood") for p in patients for v in ("baseline", "week6")]
    expected = make_expected(places)
    samples = expected["sample_id"].tolist()
    arms = pd.Series(["control", "exercise"] * 4, index=patients)
    n_cells = {
        name: 400 + 7 * i - 300 * (name[3:8] == "week6" and arms[name[:2]] == "exercise")
        for i, name in enumerate(samples)
    }
    cells = pd.concat(
        [make_cells(f"L{name}", name, {"NK": n_cells[name]}) for name in samples],
        ignore_index=True,
    )
    config = make_config(tissues=("blood",))
    located = locate_samples(expected, make_states(samples), make_identity())
    endpoints = measure_endpoints(
        cells, located, design=config.design, options=config.options.compare
    )
    layout = expected.assign(batch="B1")
    trial = Trial(endpoints, arms, pd.DataFrame(index=patients), config, layout)
    table = compare_arms(trial, blinded=False)
    found = table.set_index("endpoint").loc["cells_kept"]
    assert found["family"] == "nuisances"
    assert found["estimate"] < -1
    assert found["p_perm"] <= 0.06
    # all samples stand on the day after the planned one: nothing to compare
    assert not np.isfinite(table.set_index("endpoint").loc["days_from_plan", "p_perm"])
