"""States beside the lineage: proliferating, CD56bright and CD56dim."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hiaim_sc.annotate.lineages import TcellEvidence, call_states

N_CELLS = 4
COARSE = np.array(["T", "T", "NK", "B"], dtype=object)
FINE = np.array(["T", "T", "NK", "B"], dtype=object)
LINEAGE = np.array(["CD8", "gd", "NK", "B"], dtype=object)


def call(*, detected, proliferating, bright=0.1, dim=0.4):
    scores = pd.DataFrame(
        {"proliferating": proliferating, "NK CD56bright": bright, "NK CD56dim": dim},
        index=range(N_CELLS),
    )
    shares = pd.DataFrame(detected, index=range(N_CELLS))
    none = np.full(N_CELLS, "", dtype=object)
    evidence = TcellEvidence(shares, shares, scores, np.full(N_CELLS, -1), none, none)
    return list(call_states(COARSE, FINE, LINEAGE, evidence))


@pytest.mark.parametrize("gene", ["MKI67", "TOP2A"])
def test_cycling_t_and_nk_cells_are_proliferating_and_others_are_not(gene):
    found = call(detected={gene: 0.6, "STMN1": 0.9}, proliferating=0.5)
    assert found == ["proliferating T", "proliferating T", "proliferating NK", "B"]


@pytest.mark.parametrize("detected", [{"STMN1": 0.9, "PCNA": 0.9}, {"MKI67": 0.05, "STMN1": 0.9}])
def test_genes_of_resting_cells_alone_are_no_proliferation(detected):
    assert call(detected=detected, proliferating=0.6) == ["CD8 T", "gd T", "NK CD56dim", "B"]


def test_a_cycle_gene_without_the_score_is_no_proliferation():
    assert call(detected={"MKI67": 0.6}, proliferating=0.1)[0] == "CD8 T"


def test_the_higher_score_tells_bright_from_dim():
    assert call(detected={"MKI67": 0.0}, proliferating=0.0, bright=0.5)[2] == "NK CD56bright"
