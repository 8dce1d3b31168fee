from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import beta as beta_function

from hiaim_sc.dna_barcodes import beam_score, corrected_score, excess_share, umi_delta
from hiaim_sc.dna_barcodes.scores import measure_dominance


@pytest.mark.parametrize(
    ("antigen", "control", "score"),
    [
        (0, 0, 0.0422),
        (10, 0, 6.8376),
        (30, 0, 45.4506),
        (40, 0, 63.5175),
        (100, 0, 98.5714),
        (100, 5, 56.6850),
        (100, 10, 8.1215),
        (1000, 50, 99.9456),
        (5, 5, 0.0001),
    ],
)
def test_beam_score_of_known_pairs(antigen, control, score):
    assert float(beam_score(antigen, control)) == pytest.approx(score, abs=5e-5)


def test_beam_score_is_the_tail_of_the_density():
    tail = quad(lambda x: x**20 * (1 - x) ** 3 / beta_function(21, 4), 0.925, 1)[0]
    assert float(beam_score(20, 1)) == pytest.approx(100 * tail, rel=1e-8)


def test_umi_delta_of_known_cells():
    assert float(umi_delta(12, 3)) == pytest.approx(3.6923, abs=5e-5)
    assert float(umi_delta(5, 0)) == 20


def test_dominance_is_the_delta_of_each_against_the_best_of_the_others():
    found = measure_dominance(np.array([[1.0, 3.0, 12.0], [0.0, 5.0, 0.0], [4.0, 4.0, 1.0]]))
    expected = [[1 / 12.25, 3 / 12.25, 12 / 3.25], [0, 20, 0], [4 / 4.25, 4 / 4.25, 1 / 4.25]]
    np.testing.assert_allclose(found, expected)


def test_corrected_scores_of_known_cells():
    share = excess_share(np.array([[60.0, 14.0, 3.0]]), 10)
    np.testing.assert_allclose(share, [[0.909091, 0.072727, 0.0]], atol=5e-7)
    found = corrected_score([60, 14], share[0, :2], [0.8, 0.2], background=10)
    assert found[0] == pytest.approx(2.586594, abs=5e-7)
    assert found[1] == 0
    assert np.log(4.01) * share[0, 1] ** 2 * 0.2 == pytest.approx(0.00147, abs=5e-6)
