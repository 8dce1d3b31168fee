"""Pooled libraries: which sample each cell is of, by its hashtag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hiaim_sc.dna_barcodes.hashsolo import HYPOTHESES, hashsolo_probabilities

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from hiaim_sc.config import HashtagOptions

CELL_SAMPLE_COLUMNS: Final = (
    "cell_barcode",
    "sample_id",
    "verdict",
    "second_sample_id",
    "n_umi",
    "p_negative",
    "p_singlet",
    "p_doublet",
    "is_receptor_doublet",
    "receptor_sample_id",
)
_DOUBLET_PAIRINGS: Final = ("multichain",)
_FIRM: Final = 2  # cells of one sample that say where a receptor is


def assign_samples(
    hashtag_counts: AnnData,
    hashtags: pd.DataFrame,
    receptors: pd.DataFrame | None,
    options: HashtagOptions,
) -> pd.DataFrame:
    """The sample of each cell of one pooled library, sorted by cell barcode.

    UMIs of a sample's hashtags are added up; HashSolo says whether a cell is of one sample
    (`hiaim_sc.dna_barcodes.hashsolo`). Cells with fewer than `min_umi` hashtag UMIs, or with a
    probability of one sample below `min_probability`, are of none.

    Receptors stand beside, and move no cell: a cell with more chains than a T cell has is a
    doublet, whatever its hashtags say, and `receptor_sample_id` is where the other cells of the
    same receptor are, if these are two or more singlets of one sample.

    Parameters
    ----------
    hashtag_counts
        Cells x hashtags.
    hashtags
        `hashtag sample_id` of the library.
    receptors
        Receptors of the library, or None; their cells without hashtag counts are of no sample.
    options
        `min_umi min_probability expected_doublets`.

    Returns
    -------
    pandas.DataFrame
        `CELL_SAMPLE_COLUMNS`. `verdict`: singlet, doublet or negative; `sample_id` only of
        singlets; `second_sample_id` and, for doublets too, the sample of the second hashtag.
    """
    samples, counts, cells = _sum_samples(hashtag_counts, hashtags)
    doublets = options.expected_doublets
    probability = hashsolo_probabilities(counts, (0.01, 0.99 - doublets, doublets))
    order = np.argsort(counts, axis=1, kind="stable")
    table = pd.DataFrame(
        {
            "cell_barcode": pd.Series(cells, dtype="str"),
            "first": samples[order[:, -1]],
            "second_sample_id": samples[order[:, -2]],
            "n_umi": counts.sum(axis=1).astype(np.int64),
            **{f"p_{name}": probability[:, i] for i, name in enumerate(HYPOTHESES)},
        }
    )
    table["verdict"] = _judge(table, options)
    table = _add_receptors(table, receptors)
    is_singlet = table["verdict"] == "singlet"
    table["sample_id"] = table["first"].where(is_singlet).astype("str")
    table["receptor_sample_id"] = _receptor_samples(table, receptors)
    table["second_sample_id"] = table["second_sample_id"].astype("str")
    table = table.sort_values("cell_barcode", ignore_index=True)
    return table[list(CELL_SAMPLE_COLUMNS)]


def _sum_samples(
    hashtag_counts: AnnData, hashtags: pd.DataFrame
) -> tuple[NDArray[np.object_], NDArray[np.float64], NDArray[np.object_]]:
    """Samples, (n_cells, n_samples) UMIs, cells."""
    sample_of = dict(zip(hashtags["hashtag"], hashtags["sample_id"], strict=True))
    counts = hashtag_counts.to_df().sort_index()
    summed = counts.T.groupby(counts.columns.map(sample_of).to_numpy()).sum().T
    return (
        summed.columns.to_numpy(dtype=object),
        summed.to_numpy(dtype=np.float64),
        summed.index.to_numpy(dtype=object),
    )


def _judge(table: pd.DataFrame, options: HashtagOptions) -> NDArray[np.str_]:
    likely = np.array(HYPOTHESES)[
        table[[f"p_{name}" for name in HYPOTHESES]].to_numpy().argmax(axis=1)
    ]
    is_unclear = (likely == "singlet") & (table["p_singlet"] < options.min_probability)
    is_empty = table["n_umi"] < options.min_umi
    return np.where(is_unclear | is_empty, "negative", likely)


def _add_receptors(table: pd.DataFrame, receptors: pd.DataFrame | None) -> pd.DataFrame:
    """The verdict of the receptors, and rows for cells that have a receptor only."""
    if receptors is None:
        return table.assign(is_receptor_doublet=False)
    pairing = receptors.set_index("cell_barcode")["chain_pairing"]
    alone = sorted(set(pairing.index) - set(table["cell_barcode"]))
    rest = pd.DataFrame({"cell_barcode": alone, "n_umi": 0, "verdict": "negative"})
    table = pd.concat([table, rest], ignore_index=True)
    is_doublet = table["cell_barcode"].map(pairing).isin(_DOUBLET_PAIRINGS)
    table["is_receptor_doublet"] = is_doublet
    table["verdict"] = table["verdict"].mask(is_doublet, "doublet")
    return table


def _receptor_samples(table: pd.DataFrame, receptors: pd.DataFrame | None) -> pd.Series:
    """The one sample of the other singlets with the same primary chains, two of them or more."""
    if receptors is None:
        return pd.Series(np.nan, index=table.index).astype("str")
    chains = receptors["VJ_1_junction"].str.cat(receptors["VDJ_1_junction"], sep="|")
    receptor = table["cell_barcode"].map(
        pd.Series(chains.to_numpy(), index=receptors["cell_barcode"])
    )
    firm = table.assign(receptor=receptor).dropna(subset=["receptor", "sample_id"])
    counts = pd.crosstab(firm["receptor"], firm["sample_id"])
    others = counts.reindex(receptor).fillna(0.0).to_numpy(copy=True)
    if not counts.shape[1]:
        return pd.Series(np.nan, index=table.index).astype("str")
    own = counts.columns.get_indexer(table["sample_id"])
    rows = np.flatnonzero(own >= 0)
    others[rows, own[rows]] -= 1
    is_one = (others.max(axis=1) >= _FIRM) & ((others > 0).sum(axis=1) == 1)
    names = counts.columns.to_numpy()[others.argmax(axis=1)]
    return pd.Series(names, index=table.index).where(is_one).astype("str")
