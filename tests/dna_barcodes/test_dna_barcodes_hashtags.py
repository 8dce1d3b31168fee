from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from hiaim_sc.config import HashtagOptions
from hiaim_sc.dna_barcodes import CELL_SAMPLE_COLUMNS, assign_samples, hashsolo_probabilities

N_CELLS = 1500
HASHTAGS = pd.DataFrame(
    {"hashtag": ["HT1", "HT2", "HT3", "HT4"], "sample_id": ["S1", "S2", "S3", "S4"]}
)


def draw_pool(
    seed: int, n_samples: int = 4, *, signal: float = 150, noise: float = 6
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hashtag counts, sample and second sample (-1: none) of each cell; 8 % doublets."""
    rng = np.random.default_rng(seed)
    first = rng.integers(0, n_samples, N_CELLS)
    second = np.where(rng.random(N_CELLS) < 0.08, rng.integers(0, n_samples, N_CELLS), -1)
    shape = (N_CELLS, n_samples)
    counts = rng.poisson(noise * rng.gamma(2, 1 / 2, shape))
    counts[np.arange(N_CELLS), first] += rng.poisson(signal * rng.gamma(4, 1 / 4, N_CELLS))
    doublets = np.flatnonzero(second >= 0)
    extra = rng.poisson(signal * rng.gamma(4, 1 / 4, len(doublets)))
    counts[doublets, second[doublets]] += extra
    return counts, first, second


def to_anndata(counts: np.ndarray, names: list[str] | None = None) -> AnnData:
    names = names or HASHTAGS["hashtag"].tolist()[: counts.shape[1]]
    obs = pd.DataFrame(index=[f"cell{i:04}" for i in range(len(counts))])
    return AnnData(counts.astype(np.int32), obs=obs, var=pd.DataFrame(index=names))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("n_samples", [3, 4, 6])
def test_same_verdicts_as_scanpy(n_samples):
    from scanpy.external.pp import hashsolo

    counts = draw_pool(1, n_samples)[0]
    names = [f"h{i}" for i in range(n_samples)]
    adata = AnnData(np.zeros((N_CELLS, 1)), obs=pd.DataFrame(counts, columns=names).rename(str))
    hashsolo(adata, names)
    found = hashsolo_probabilities(counts.astype(float))
    assert (found.argmax(axis=1) == adata.obs["most_likely_hypothesis"]).mean() >= 0.999
    # which of two equal counts is the smaller is open: it moves the moments of the noise
    expected = adata.obs[
        [f"{n}_hypothesis_probability" for n in ("negative", "singlet", "doublet")]
    ]
    np.testing.assert_allclose(found, expected.to_numpy(), atol=0.03)


@pytest.mark.parametrize("seed", [2, 3])
@pytest.mark.parametrize("n_samples", [2, 4])
def test_pooled_cells_go_to_their_samples(seed, n_samples):
    counts, first, second = draw_pool(seed, n_samples)
    found = assign_samples(to_anndata(counts), HASHTAGS[:n_samples], None, HashtagOptions())
    truth = np.array(["S1", "S2", "S3", "S4"])[first]
    is_singlet, is_cross = second < 0, (second >= 0) & (second != first)
    assert list(found.columns) == list(CELL_SAMPLE_COLUMNS)
    assert (found["sample_id"][is_singlet] == truth[is_singlet]).mean() >= 0.98
    assert (found["verdict"][is_cross] == "doublet").mean() >= 0.85
    assert found["sample_id"].isna().equals(found["verdict"] != "singlet")


def test_cells_without_hashtags_are_of_no_sample():
    counts = draw_pool(4)[0]
    counts[:50] = np.random.default_rng(0).poisson(0.5, (50, 4))
    found = assign_samples(to_anndata(counts), HASHTAGS, None, HashtagOptions())
    assert (found["verdict"][:50] == "negative").all()
    assert found["sample_id"][:50].isna().all()


def test_two_hashtags_of_one_sample_are_added_up():
    counts = draw_pool(5)[0]
    of_three = HASHTAGS.assign(sample_id=["S1", "S1", "S3", "S4"])
    found = assign_samples(to_anndata(counts), of_three, None, HashtagOptions())
    summed = np.column_stack([counts[:, 0] + counts[:, 1], counts[:, 2], counts[:, 3]])
    expected = hashsolo_probabilities(summed.astype(float))
    np.testing.assert_allclose(found["p_singlet"], expected[:, 1])


def test_order_of_cells_and_hashtags_does_not_matter():
    counts = draw_pool(6)[0]
    adata, rng = to_anndata(counts), np.random.default_rng(1)
    expected = assign_samples(adata, HASHTAGS, None, HashtagOptions())
    shuffled = adata[rng.permutation(N_CELLS), rng.permutation(4)]
    found = assign_samples(shuffled, HASHTAGS[::-1], None, HashtagOptions())
    pd.testing.assert_frame_equal(found, expected)


def test_receptors_stand_beside_and_move_no_cell():
    counts, first, second = draw_pool(7)
    firm = np.flatnonzero((first == 0) & (second < 0))[:4]
    other = np.flatnonzero((first == 1) & (second < 0))[:1]
    counts[firm[3]] = 0  # no hashtag, but its receptor is that of three cells of S1
    cells = [f"cell{i:04}" for i in (*firm, *other)] + ["only_vdj"]
    receptors = pd.DataFrame(
        {
            "cell_barcode": cells,
            "chain_pairing": [*["single pair"] * 4, "multichain", "single pair"],
            "VJ_1_junction": ["a"] * 4 + ["x", "a"],
            "VDJ_1_junction": ["b"] * 4 + ["y", "b"],
        }
    )
    found = assign_samples(to_anndata(counts), HASHTAGS, receptors, HashtagOptions())
    found = found.set_index("cell_barcode")
    assert found.loc[cells[0], ["verdict", "sample_id"]].tolist() == ["singlet", "S1"]
    for name in (cells[3], "only_vdj"):
        row = found.loc[name]
        assert (row["verdict"], row["receptor_sample_id"]) == ("negative", "S1")
        assert pd.isna(row["sample_id"])
    assert found.loc[cells[4], "verdict"] == "doublet"
    assert found.loc[cells[4], "is_receptor_doublet"]
    assert found["receptor_sample_id"].notna().sum() == 5
