"""The many states of T, NK and innate lymphoid cells, and cells between two of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hiaim_sc.names import COARSE_OF_CELL_TYPE
from hiaim_sc.simulate import simulate_library
from hiaim_sc.simulate.fine_states import draw_fine_states, draw_overlap
from hiaim_sc.simulate.reference import reference_table
from hiaim_sc.simulate.transcriptome import build_transcriptome, choose_states

from .conftest import small_settings

FINE = {"fine_states": True, "n_genes": 1200, "cells_per_library": 800}
SHARES = ["blood_naive", "blood_experienced", "tumor_naive", "tumor_experienced"]


@pytest.fixture(scope="module")
def tumour():
    return simulate_library(small_settings(**FINE), "L003")


def test_shares_of_the_states_of_a_source_add_up_to_one():
    table = reference_table("fine_states")
    sums = table.groupby("source")[SHARES].sum()
    np.testing.assert_allclose(sums, 1.0)
    assert set(table["cell_type"]) <= set(COARSE_OF_CELL_TYPE)
    groups = {group for of_state in table["groups"].str.split() for group in of_state}
    assert groups <= set(reference_table("markers")["group"])


def test_every_fine_state_is_drawn_and_stands_in_the_truth(tumour):
    cells = tumour.cells[~tumour.cells["is_doublet"]]
    known = reference_table("fine_states").set_index(["cell_state", "flags", "cell_type"])
    lymphoid = cells[cells["cell_type_coarse"].isin(["T", "NK"])]
    found = set(lymphoid[["cell_state", "flags", "cell_type"]].itertuples(index=False, name=None))
    assert len(found) > 20
    assert found <= set(known.index)
    assert (cells.loc[~cells.index.isin(lymphoid.index), "cell_state"] == "").all()


def test_states_are_drawn_by_source_experience_and_tissue():
    states = choose_states(fine=True)
    source = np.array(["CD8 T"] * 4000 + ["B"], dtype=object)
    experienced = np.arange(4001) % 2 == 0
    drawn = draw_fine_states(source, experienced, "blood", states, np.random.default_rng(0))
    assert drawn[-1] == "B"
    share = pd.Series(drawn[:4000:2]).value_counts(normalize=True)
    expected = states.loc[states["source"] == "CD8 T", "blood_experienced"]
    np.testing.assert_allclose(share.reindex(expected.index, fill_value=0), expected, atol=0.04)
    assert "CD8 naive" not in share
    assert set(drawn[1:4000:2]) == {"CD8 naive", "CD8 Tcm"}


def test_cells_on_the_way_go_to_a_state_of_the_same_source_and_not_further_than_half():
    states = choose_states(fine=True)
    code = np.flatnonzero(states["source"] == "Treg").repeat(500)
    settings = small_settings(**FINE, state_overlap=0.3)
    other, toward = draw_overlap(settings, states, code, np.random.default_rng(0))
    assert set(states["source"].iloc[other]) == {"Treg"}
    assert (toward > 0).mean() == pytest.approx(0.3, abs=0.05)
    assert toward.max() < 0.5
    assert draw_overlap(small_settings(**FINE), states, code, np.random.default_rng(0)) == (
        None,
        None,
    )


def test_a_lost_marker_is_silent_in_a_state_and_what_names_a_cell_is_never_lost():
    kept = build_transcriptome(small_settings(**FINE, marker_loss=0.0, marker_spread=0.0))
    lost = build_transcriptome(small_settings(**FINE, marker_loss=1.0, marker_spread=0.0))
    row = kept.states.index.get_loc("CD8 Tex")
    for symbol, ratio in (("LAYN", 0.02), ("CD3E", 1.0), ("CD8A", 1.0)):
        column = kept.column_of(symbol)
        assert lost.levels[row, column] / kept.levels[row, column] == pytest.approx(ratio)
    treg = kept.states.index.get_loc("Treg effector")
    column = kept.column_of("FOXP3")
    assert lost.levels[treg, column] == kept.levels[treg, column]


def test_without_fine_states_their_genes_are_not_among_the_genes():
    few = build_transcriptome(small_settings(n_genes=1200))
    assert "HPGDS" not in set(few.genes["symbol"])
    assert "HPGDS" in set(build_transcriptome(small_settings(**FINE)).genes["symbol"])
