"""How many antigens are recognised, whatever the number of T cells that were stained."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from hiaim_sc.compare import Screen, locate_samples, measure_endpoints, measure_variants
from hiaim_sc.compare.endpoints.pmhc import count_antigens
from hiaim_sc.config import CompareOptions, Design
from hiaim_sc.stats import empirical_logit

HELD = [(0, "a"), (1, "a"), (1, "b"), (2, "b"), (3, "c")]
# of the antigens screened the first is held by a cell in 50
FREQUENCIES = 0.02 * 10 ** -np.linspace(0, 1.5, 12)


def make_calls(held: list[tuple[int, str]]) -> pd.DataFrame:
    rows = [("L1", f"cell{cell}", antigen) for cell, antigen in held]
    return pd.DataFrame(rows, columns=["library_id", "cell_barcode", "dna_barcode"])


def count(held, n_cells, n_screened, depth, *, draws=20, seed=0):
    rng = np.random.default_rng(seed)
    return count_antigens(make_calls(held), n_cells, n_screened, depth, draws=draws, rng=rng)


def test_two_of_three_cells_show_an_antigen_of_one_cell_in_two_of_three_draws():
    assert count([(0, "a")], 3, 4, 2).value == pytest.approx(2 / 3 / 4)


@pytest.mark.parametrize("depth", [2, 4, 7])
def test_breadth_is_the_mean_over_all_subsamples(depth):
    """Seven cells, of which one holds two antigens; five antigens were screened."""
    seen = [
        len({antigen for cell, antigen in HELD if cell in drawn})
        for drawn in combinations(range(7), depth)
    ]
    found = count(HELD, 7, 5, depth, draws=4000)
    assert found.value == pytest.approx(np.mean(seen) / 5)
    logits = empirical_logit(np.array(seen), 5)
    error = 5 * logits.std() / np.sqrt(4000)
    assert found.analysed == pytest.approx(logits.mean(), abs=error + 1e-12)


def test_the_order_of_the_calls_changes_nothing():
    assert count(HELD, 50, 5, 20) == count(HELD[::-1], 50, 5, 20)


def test_without_a_call_no_antigen_is_recognised():
    found = count([], 50, 3, 20)
    assert found == (0, pytest.approx(np.log(0.5 / 3.5)))


def test_twice_the_cells_of_the_same_antigens_move_neither_scale():
    found = {n: draw_breadths(n, depth=200) for n in (200, 400)}
    difference = found[400].mean(axis=0) - found[200].mean(axis=0)
    error = np.sqrt(sum(values.var(axis=0) / len(values) for values in found.values()))
    assert (np.abs(difference) < 4 * error).all()
    # all cells counted, the second sample would show a third more
    whole = draw_breadths(400, depth=400).mean(axis=0) - found[200].mean(axis=0)
    assert (whole > 6 * error).all()


def draw_breadths(n_cells: int, depth: int, n_samples: int = 250) -> np.ndarray:
    """Value and analysed value of samples of one population."""
    rng = np.random.default_rng(n_cells)
    rows = []
    for _ in range(n_samples):
        sizes = rng.multinomial(n_cells, [*FREQUENCIES, 1 - FREQUENCIES.sum()])[:-1]
        held = list(enumerate(np.repeat([f"a{i:02d}" for i in range(len(sizes))], sizes)))
        rows.append(count(held, n_cells, len(sizes), depth, seed=int(rng.integers(2**31))))
    return np.array(rows)


def test_the_grid_halves_and_doubles_the_depth(
    make_cells, make_expected, make_states, make_identity
):
    design = Design(arms=("control", "exercise"), visits={"baseline": 0}, tissues=("blood",))
    sample = "P1-baseline-blood-rest"
    located = locate_samples(
        make_expected([("P1", "baseline", "blood")]), make_states([sample]), make_identity()
    )
    cells = make_cells(f"L{sample}", sample, {"T": 40}, [20, 20]).assign(clone_source="paired")
    calls = pd.DataFrame(
        [(f"L{sample}", f"L{sample}-00000", "a")],
        columns=["library_id", "cell_barcode", "dna_barcode"],
    )
    antigens = pd.DataFrame({"dna_barcode": ["a", "b"], "hla": None, "is_control": False})
    hla = pd.DataFrame({"patient_id": ["P1"], "hla": ["A*02:01"]})
    screen = Screen(calls, antigens, hla, frozenset({f"L{sample}"}))
    options = CompareOptions(min_depth=20, depth={"blood": 20}, pmhc_depth={"blood": 20})
    known = {"design": design, "options": options}
    planned = measure_endpoints(cells, located, None, screen, **known)
    varied = measure_variants(cells, located, planned, screen, **known)
    found = varied[varied["endpoint"] == "pmhc_breadth"].set_index("level")
    assert found["setting"].unique().tolist() == ["depth"]
    assert found.loc[["m/2", "2m"], "depth"].tolist() == [10, 40]
    assert found.loc[["m/2", "2m"], "value"].tolist() == pytest.approx([1 / 8, 1 / 2])
    alone = measure_variants(cells, located, planned, **known)
    assert "pmhc_breadth" not in set(alone["endpoint"])
