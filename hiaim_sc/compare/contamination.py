"""Do cells of one library stand in another one too? Index hopping and contamination."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.stats import poisson

from hiaim_sc.names import RELEASE_TABLES

if TYPE_CHECKING:
    from hiaim_sc.config import IdentityOptions

# Cell barcodes of the smallest list in use (10x 5' v1 and v2): the most coincidences.
_N_CELL_BARCODES: Final = 737_280
# Upper bound of the probability that cells of two patients have the same nucleotides and V genes
# in both chains: none did of 2.5e8 pairs of cells of four patients (PMID 33622974).
_SAME_BY_CHANCE: Final = 1e-8
_LEVEL: Final = 0.01


def check_contamination(
    checks: pd.DataFrame, clone_cells: pd.DataFrame, layout: pd.DataFrame, options: IdentityOptions
) -> pd.DataFrame:
    r"""``identity_checks`` with a row ``contamination`` for each library.

    Counted are the cells of a library that another one seems to have too: with the same receptor
    under the same cell barcode (index hopping, ambient droplets), expected by chance :math:`\sum_c
    x_c y_c` over the number of cell barcodes; and, in another patient's library, with the same two
    chains whatever the cell barcode, of each receptor the smaller number of cells, expected
    :math:`10^{-8} X Y`. :math:`x_c, y_c` are the cells of receptor c in both, X and Y all cells. A
    warning is a count that chance reaches in fewer than 1 % of such cohorts (Poisson, Bonferroni
    over the pairs of libraries) and a share of the library's cells above `max_foreign_cells`.

    Parameters
    ----------
    checks
        The table so far (`check_identity`). A sample that failed ``swap`` has another patient's
        receptors anyway; its libraries are judged by their cell barcodes only.
    clone_cells
        Clone of each cell (`define_clones`).
    layout
        Sample and patient of each library.
    options
        `max_foreign_cells`; `min_cells`, below which a library is not judged.

    Returns
    -------
    pandas.DataFrame
        The added rows have a `library_id`, as `partner` the library with most of these cells, as
        `statistic` their share of the library's cells, and as `threshold` the largest share that
        is no warning.
    """
    # a pooled library is judged as a whole: its rows have no sample
    samples = layout["sample_id"].mask(layout["library_id"].duplicated(keep=False), "")
    libraries = layout.assign(sample_id=samples).drop_duplicates("library_id")
    names = libraries["library_id"].to_numpy()
    cells = _number_cells(clone_cells, names)
    n_cells = np.bincount(cells["library"], minlength=len(names))
    failed = checks.loc[(checks["check"] == "swap") & (checks["verdict"] == "fail"), "sample_id"]
    swapped = layout.loc[layout["sample_id"].isin(failed), "library_id"]
    is_swapped = np.isin(names, swapped)
    pairs = pd.concat([_same_droplets(cells), _same_receptors(cells, n_cells, is_swapped)])
    found = _judge(pairs, n_cells, options).reindex(np.flatnonzero(n_cells >= options.min_cells))
    partner = found["partner"].fillna(-1).to_numpy(int)
    rows = pd.DataFrame(
        {
            "sample_id": libraries["sample_id"].to_numpy()[found.index],
            "library_id": names[found.index],
            "check": "contamination",
            "statistic": found["share"].fillna(0.0),
            "threshold": found["threshold"].fillna(options.max_foreign_cells),
            "verdict": np.where(found["share"] > found["threshold"], "warn", "pass"),
            "partner": np.where(partner < 0, "", names[partner]),
        }
    )
    table = pd.concat([checks, rows], ignore_index=True)[list(RELEASE_TABLES["identity_checks"])]
    return table.sort_values(["check", "sample_id", "library_id"], ignore_index=True)


def _number_cells(clone_cells: pd.DataFrame, names: np.ndarray) -> pd.DataFrame:
    """A row per cell: numbers of its library, droplet and receptor; whether that has both arms."""
    clone, keys = pd.factorize(clone_cells["clone_key"])
    without_patient = pd.Series(keys, dtype="str").str.replace(r"^[^|]*\|", "", regex=True)
    is_paired = ~(without_patient.str.startswith("|") | without_patient.str.endswith("|"))
    receptor = pd.factorize(without_patient)[0]
    patient = pd.factorize(pd.Series(keys, dtype="str").str.replace(r"\|.*", "", regex=True))[0]
    library = pd.Index(names).get_indexer(clone_cells["library_id"])
    return pd.DataFrame(
        {
            "library": library,
            "patient": patient[clone],
            "droplet": pd.factorize(clone_cells["cell_barcode"])[0],
            "receptor": receptor[clone],
            "is_paired": is_paired.to_numpy(bool)[clone],
        }
    )


def _same_droplets(cells: pd.DataFrame) -> pd.DataFrame:
    """Pairs of libraries with cells of the same receptor under the same cell barcode."""
    keys = ["droplet", "receptor"]
    repeated = cells.loc[cells.duplicated(keys, keep=False), [*keys, "library"]]
    both = repeated.merge(repeated, on=keys, suffixes=("", "_2"))
    pairs = _sum_pairs(both.assign(n=1))
    at = (cells["library"].to_numpy(), cells["receptor"].to_numpy())
    shape = tuple(int(codes.max(initial=0)) + 1 for codes in at)
    counts = coo_array((np.ones(len(cells)), at), shape=shape).tocsr()
    same = (counts @ counts.T).toarray()[pairs["library"], pairs["library_2"]]
    return pairs.assign(expected=np.maximum(same, 1) / _N_CELL_BARCODES)


def _same_receptors(
    cells: pd.DataFrame, n_cells: np.ndarray, is_swapped: np.ndarray
) -> pd.DataFrame:
    """Pairs of libraries of two patients with cells of the same two chains."""
    judged = cells[cells["is_paired"].to_numpy() & ~is_swapped[cells["library"]]]
    counts = judged.groupby(["receptor", "library", "patient"], as_index=False).size()
    n_patients = counts.groupby("receptor")["patient"].transform("nunique")
    counts = counts[n_patients > 1]
    both = counts.merge(counts, on="receptor", suffixes=("", "_2"))
    both = both[both["patient"] != both["patient_2"]]
    pairs = _sum_pairs(both.assign(n=both[["size", "size_2"]].min(axis=1)))
    chances = n_cells[pairs["library"]] * n_cells[pairs["library_2"]]
    return pairs.assign(expected=chances * _SAME_BY_CHANCE)


def _sum_pairs(both: pd.DataFrame) -> pd.DataFrame:
    """Sums of `n` over each pair of two libraries, in both orders."""
    both = both[both["library"] != both["library_2"]]
    return both.groupby(["library", "library_2"], as_index=False)["n"].sum()


def _judge(pairs: pd.DataFrame, n_cells: np.ndarray, options: IdentityOptions) -> pd.DataFrame:
    """Per library the pair that is furthest above its threshold: `partner share threshold`."""
    n_libraries = int((n_cells > 0).sum())
    level = _LEVEL / max(n_libraries * (n_libraries - 1) / 2, 1)
    size = n_cells[pairs["library"]]
    by_chance = poisson.isf(level, pairs["expected"].to_numpy()) / size
    judged = pairs.assign(
        partner=pairs["library_2"],
        share=np.minimum(pairs["n"] / size, 1.0),
        threshold=np.maximum(by_chance, options.max_foreign_cells),
    )
    judged["excess"] = judged["share"] / judged["threshold"]
    order = ["library", "excess", "share", "partner"]
    judged = judged.sort_values(order, ascending=[True, False, False, True])
    return judged.drop_duplicates("library").set_index("library")[["partner", "share", "threshold"]]
