"""Clones and what they bind: the cells of one receptor say it together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from scipy.stats import beta

from hiaim_sc.dna_barcodes.tables import empty_table
from hiaim_sc.stats import benjamini_hochberg, shannon_entropy

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from hiaim_sc.config import DnaBarcodeOptions

CLONE_TEST_COLUMNS: Final = (
    "patient_id",
    "clone_key",
    "dna_barcode",
    "n_cells",
    "n_tested",
    "n_held",
    "n_umi",
    "concordance",
    "second",
    "entropy",
    "p_value",
    "q_value",
    "hla_match",
    "label",
)
_CELL: Final = ["library_id", "cell_barcode"]
_PAIR: Final = ["clone_key", "dna_barcode"]
_NO_ANTIGEN: Final = ""


def majority_p_value(rth_p_value: ArrayLike, n_cells: ArrayLike) -> NDArray[np.float64]:
    r"""P-value of a clone from that of its majority's cell, :math:`F(p_{(r)};\ r,\ n - r + 1)`.

    :math:`p_{(r)}` is the r-th smallest of the p-values of its :math:`n` cells,
    :math:`r = \max(2, \lceil n / 2 \rceil)`, and :math:`F` the beta distribution function: the
    probability that so many of :math:`n` uniform p-values are as small. Fewer than half of the
    cells, however many UMIs they hold, cannot make it small: a sticky cell is one cell.

    Parameters
    ----------
    rth_p_value
        :math:`p_{(r)}`.
    n_cells
        :math:`n`, at least 2.

    Examples
    --------
    >>> round(float(majority_p_value(0.01, 2)), 8)
    0.0001

    References
    ----------
    Wilkinson 1951, doi:10.1037/h0059111.
    """
    rank = majority_rank(n_cells)
    return beta.cdf(rth_p_value, rank, np.asarray(n_cells) - rank + 1)


def majority_rank(n_cells: ArrayLike) -> NDArray[np.int64]:
    """Cells that are half of a clone, and at least two."""
    return np.maximum(2, -(-np.asarray(n_cells) // 2))


def label_clones(
    held: pd.DataFrame,
    members: pd.DataFrame,
    hla_match: pd.DataFrame,
    n_antigens: int,
    options: DnaBarcodeOptions,
) -> pd.DataFrame:
    """What each clone binds: a row per clone and antigen that one of its cells holds.

    Sticky cells are not asked. The p-value is `majority_p_value` of the cells' background
    p-values, a cell that does not hold the antigen having 1; Benjamini-Hochberg runs over all
    clones of two or more cells and all antigens, held or not, that the patient's HLA may present.

    Parameters
    ----------
    held
        `library_id` and `HELD_COLUMNS` of all libraries.
    members
        `library_id cell_barcode patient_id clone_key is_sticky`: the stained cells that have a
        clone.
    hla_match
        `patient_id dna_barcode hla_match` (`hiaim_sc.dna_barcodes.panel.match_hla`).
    n_antigens
        Antigens of the panel.
    options
        `max_q_value min_concordance max_second hla_mismatch`.

    Returns
    -------
    pandas.DataFrame
        `CLONE_TEST_COLUMNS`, sorted by clone_key and dna_barcode. `n_cells`: stained cells of the
        clone; `n_tested`: those not sticky; `n_held`: those of them that hold the antigen, and more
        of it than of any other dna_barcode; `concordance`: n_held / n_tested; `second`: the
        clone's next concordance; `entropy`: of what its cells hold, nothing being one of the
        possibilities, in bits. `label`: ``specific``; ``discordant``, where `concordance` or
        `second` forbid it; ``background``, where the rate of false discoveries does;
        ``hla_mismatch``; ``single_cell``.
    """
    cells = members[~members["is_sticky"]]
    found = held.merge(cells[[*_CELL, "patient_id", "clone_key"]], on=_CELL)
    if found.empty:
        return empty_table(CLONE_TEST_COLUMNS)
    rows = _count_cells(found, members)
    rows["p_value"] = _test_majority(found, rows)
    rows = rows.merge(hla_match, on=["patient_id", "dna_barcode"], how="left")
    rows["hla_match"] = rows["hla_match"].astype("boolean")
    is_off = is_excluded(rows["hla_match"], options)
    forbidden = hla_match[is_excluded(hla_match["hla_match"], options)]
    n_tests = _count_tests(cells, forbidden, n_antigens)
    rows["q_value"] = _adjust(rows["p_value"].mask(is_off), n_tests)
    rows["label"] = _label(rows, is_off, options)
    rows = rows.sort_values(_PAIR, ignore_index=True)
    return rows[list(CLONE_TEST_COLUMNS)]


def is_excluded(hla_match: pd.Series, options: DnaBarcodeOptions) -> NDArray[np.bool_]:
    """Whether HLA speaks against: it is known of both sides, and does not match."""
    is_off = hla_match.astype("boolean").eq(other=False).fillna(value=False).to_numpy(dtype=bool)
    return is_off & (options.hla_mismatch == "exclude")


def _count_cells(found: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    """A row per clone and antigen held, with its cells; the clone's concordances and entropy."""
    rows = found.groupby(["patient_id", *_PAIR], as_index=False).agg(n_umi=("n_umi", "sum"))
    sizes = members.groupby("clone_key")["is_sticky"].agg(["size", "sum"])
    rows["n_cells"] = rows["clone_key"].map(sizes["size"])
    rows["n_tested"] = rows["n_cells"] - rows["clone_key"].map(sizes["sum"])
    tops = found[found["dominance"] > 1].groupby(_PAIR).size()
    pairs = pd.MultiIndex.from_frame(rows[_PAIR])
    rows["n_held"] = tops.reindex(pairs, fill_value=0).to_numpy(dtype=np.int64)
    rows["concordance"] = rows["n_held"] / rows["n_tested"]
    rows["second"] = _second_largest(rows)
    rows["entropy"] = rows["clone_key"].map(_entropies(rows))
    return rows


def _second_largest(rows: pd.DataFrame) -> pd.Series:
    """The largest concordance of the clone's other antigens, 0 where there is none."""
    ranked = rows.sort_values(["clone_key", "concordance"], ascending=[True, False])
    place = ranked.groupby("clone_key").cumcount()
    first, second = (
        rows["clone_key"].map(ranked[place == i].set_index("clone_key")["concordance"])
        for i in (0, 1)
    )
    is_first = pd.Series(place == 0, index=ranked.index).reindex(rows.index)
    return second.fillna(0.0).where(is_first, first)


def _entropies(rows: pd.DataFrame) -> dict[str, float]:
    found = {}
    for clone_key, own in rows.groupby("clone_key"):
        n_none = int(own["n_tested"].iloc[0]) - int(own["n_held"].sum())
        found[str(clone_key)] = shannon_entropy([*own["n_held"], n_none], base=2)
    return found


def _test_majority(found: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    ordered = found.sort_values([*_PAIR, "p_value"])
    rank = ordered.groupby(_PAIR).cumcount() + 1
    wanted = rows.set_index(_PAIR)["n_tested"]
    needed = majority_rank(wanted.reindex(pd.MultiIndex.from_frame(ordered[_PAIR])))
    chosen = ordered[rank.to_numpy() == needed].set_index(_PAIR)["p_value"]
    p_value = chosen.reindex(wanted.index).to_numpy()
    tested = np.maximum(wanted.to_numpy(), 2)
    p_value = np.where(np.isnan(p_value), 1.0, majority_p_value(np.nan_to_num(p_value), tested))
    return pd.Series(np.where(wanted < 2, np.nan, p_value), index=rows.index)


def _count_tests(cells: pd.DataFrame, mismatched: pd.DataFrame, n_antigens: int) -> int:
    n_cells = cells.groupby(["patient_id", "clone_key"], as_index=False).size()
    n_clones = n_cells[n_cells["size"] >= 2].groupby("patient_id").size()
    n_off = mismatched.groupby("patient_id").size().reindex(n_clones.index, fill_value=0)
    return int((n_clones * (n_antigens - n_off)).sum())


def _adjust(p_value: pd.Series, n_tests: int) -> NDArray[np.float64]:
    """Benjamini-Hochberg with the tests that have no row: their p-value is 1."""
    silent = np.ones(max(0, n_tests - int(p_value.notna().sum())))
    return benjamini_hochberg(np.concatenate([p_value.to_numpy(), silent]))[: len(p_value)]


def _label(
    rows: pd.DataFrame, is_off: NDArray[np.bool_], options: DnaBarcodeOptions
) -> NDArray[np.str_]:
    is_clear = (rows["concordance"] >= options.min_concordance) & (
        rows["second"] <= options.max_second
    )
    conditions = [
        is_off,
        (rows["n_tested"] < 2).to_numpy(),
        ~(rows["q_value"] <= options.max_q_value).to_numpy(),
        ~(is_clear & (rows["n_held"] >= 2)).to_numpy(),
    ]
    return np.select(
        conditions, ["hla_mismatch", "single_cell", "background", "discordant"], "specific"
    )
