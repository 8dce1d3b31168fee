"""Which pMHC multimer a cell binds: what it holds itself, and what its clone says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hiaim_sc.dna_barcodes.clones import CLONE_TEST_COLUMNS, is_excluded, label_clones
from hiaim_sc.dna_barcodes.itrap import MEASURES, choose_thresholds, expect_antigens
from hiaim_sc.dna_barcodes.panel import describe_panel, match_hla
from hiaim_sc.dna_barcodes.scores import corrected_score, umi_delta
from hiaim_sc.dna_barcodes.staining import can_be_called
from hiaim_sc.dna_barcodes.tables import empty_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hiaim_sc.config import DnaBarcodeOptions

SPECIFICITY_COLUMNS: Final = (
    "library_id",
    "cell_barcode",
    "dna_barcode",
    "n_umi",
    "control_umi",
    "score",
    "p_value",
    "q_value",
    "dominance",
    "corrected_score",
    "n_held",
    "evidence",
    "clone_label",
    "n_clone_cells",
    "n_clone_calls",
    "hla_match",
)
CLONE_SPECIFICITY_COLUMNS: Final = (
    *CLONE_TEST_COLUMNS[:3],
    "peptide",
    "hla",
    *CLONE_TEST_COLUMNS[3:],
    "n_called",
)
_CELL: Final = ["library_id", "cell_barcode"]
_OF_CELL: Final = ["patient_id", "n_held", "is_sticky", "has_pair"]
_FOR_ITRAP: Final = ["top_dna_barcode", "top_umi", "second_umi", *MEASURES[:4]]
_PAIR: Final = ["clone_key", "dna_barcode"]


@dataclass(frozen=True)
class Specificity:
    """What cells and clones are called for.

    Attributes
    ----------
    cells
        `SPECIFICITY_COLUMNS`: a row per cell and antigen called, sorted by library, cell and
        dna_barcode. `evidence`: ``cell``, ``clone``, ``cell;clone`` or ``itrap``; `q_value`: the
        cell's, and that of its clone where the clone alone is the evidence; `clone_label`: of the
        cell's clone for this antigen, missing without a clone; `n_clone_cells`: stained cells of
        the clone, `n_clone_calls`: those of them called for this antigen, 0 without a clone.
    mismatched
        The same of what HLA forbids (`hla_mismatch`): these are no calls.
    clones
        `CLONE_SPECIFICITY_COLUMNS`: a row per clone and antigen with a called cell or two that hold
        it (`label_clones`); `n_called` counts the cells called.
    """

    cells: pd.DataFrame
    mismatched: pd.DataFrame
    clones: pd.DataFrame


def call_specificity(
    held: pd.DataFrame,
    stained: pd.DataFrame,
    clone_cells: pd.DataFrame,
    antigens: pd.DataFrame | None,
    hla: pd.DataFrame,
    options: DnaBarcodeOptions,
) -> Specificity:
    """Cells and clones, and the antigens they are called for.

    A cell is called by itself when all of this holds: it is not sticky and has both chains of a
    receptor; `min_umi` UMIs or more; a false discovery rate of at most `max_q_value` among the
    library's cells; and a BEAM-T score of at least `min_score`, or a positive corrected score
    (ICON; `hiaim_sc.dna_barcodes.scores.corrected_score`) with `min_dominance` times the UMIs of
    the negative control. A cell is called by its clone when the clone is labelled ``specific``
    (`hiaim_sc.dna_barcodes.clones.label_clones`) and the cell holds that antigen above the
    background, most of all that it holds, with `min_umi_clone` UMIs or more.

    With the method ``itrap`` a cell's first antigen is called where it reaches thresholds that the
    data's own clones choose (`hiaim_sc.dna_barcodes.itrap`), both chains are known and another cell
    of the clone has the same.

    Where HLA is known of patient and antigen and does not match, neither is a call
    (`hla_mismatch`). P-values describe cells and clones, and compare no arms.

    Parameters
    ----------
    held, stained
        Of `measure_staining`, all libraries with `library_id`; `stained` with `patient_id`, missing
        where a cell is of no known patient.
    clone_cells
        `library_id cell_barcode clone_key` of the cells that have a clone.
    antigens
        `dna_barcode`, and where known `peptide hla is_control`.
    hla
        `patient_id hla`.
    options
        The thresholds.
    """
    if held.empty:
        nothing = empty_table(SPECIFICITY_COLUMNS)
        return Specificity(nothing, nothing, empty_table(CLONE_SPECIFICITY_COLUMNS))
    members = stained[[*_CELL, *_OF_CELL, *_FOR_ITRAP]].merge(
        clone_cells[[*_CELL, "clone_key"]], on=_CELL, how="left"
    )
    matched = match_hla(antigens, hla)
    with_clone = members.dropna(subset=["clone_key", "patient_id"])
    tests = label_clones(held, with_clone, matched, _count_antigens(held, antigens), options)
    rows = held.merge(members, on=_CELL)
    rows = rows.merge(matched, on=["patient_id", "dna_barcode"], how="left")
    labels = tests[[*_PAIR, "label", "q_value"]].rename(columns={"q_value": "clone_q_value"})
    rows = rows.merge(labels, on=_PAIR, how="left").rename(columns={"label": "clone_label"})
    judge = _judge_by_thresholds if options.method == "itrap" else _judge
    rows = judge(rows.astype({"hla_match": "boolean"}), options)
    is_off = is_excluded(rows["hla_match"], options)
    called = _count_agreement(rows[~is_off], members)
    return Specificity(
        called[list(SPECIFICITY_COLUMNS)],
        _count_agreement(rows[is_off], members)[list(SPECIFICITY_COLUMNS)],
        _describe_clones(tests, called, antigens)[list(CLONE_SPECIFICITY_COLUMNS)],
    )


def _judge(rows: pd.DataFrame, options: DnaBarcodeOptions) -> pd.DataFrame:
    """Rows that are a call by their cell or their clone, HLA aside."""
    rows["corrected_score"] = corrected_score(
        rows["n_umi"],
        rows["excess_share"],
        _clone_shares(rows, options),
        background=options.min_umi,
    )
    by_cell, by_clone = _by_cell(rows, options), _by_clone(rows, options)
    rows["evidence"] = np.select(
        [by_cell & by_clone, by_cell, by_clone], ["cell;clone", "cell", "clone"], ""
    )
    of_cell = rows["q_value"].where(by_cell)
    rows["q_value"] = of_cell.fillna(rows["clone_q_value"].where(by_clone))
    return rows[rows["evidence"] != ""]


def _judge_by_thresholds(rows: pd.DataFrame, options: DnaBarcodeOptions) -> pd.DataFrame:
    """Rows of a cell's first antigen that reach the thresholds which credible clones choose.

    Then ITRAP's further filters: both chains, and another cell of the clone with the same antigen.
    There is no rate of false discoveries: `q_value` is missing.
    """
    cell = rows["library_id"].str.cat(rows["cell_barcode"], sep="\t")
    rows = rows.assign(
        cell=cell,
        umi_antigen=rows["top_umi"],
        delta_antigen=umi_delta(rows["top_umi"], rows["second_umi"]),
        corrected_score=np.nan,
        evidence="itrap",
        q_value=np.nan,
    )
    firsts = rows[rows["dna_barcode"] == rows["top_dna_barcode"]]
    choice = choose_thresholds(firsts, expect_antigens(rows))
    if choice is None:
        return rows.iloc[:0]
    kept = firsts[choice.keep(firsts) & (firsts["has_pair"] | (not options.require_pair))]
    return kept[kept.groupby(_PAIR)["cell"].transform("size").to_numpy() > 1]


def _count_antigens(held: pd.DataFrame, antigens: pd.DataFrame | None) -> int:
    listed = [] if antigens is None else antigens["dna_barcode"]
    panel = describe_panel(sorted({*held["dna_barcode"], *listed}), antigens)
    return int((~panel["is_control"]).sum())


def _clone_shares(rows: pd.DataFrame, options: DnaBarcodeOptions) -> NDArray[np.float64]:
    """Share of each antigen in what the cells of the clone hold above the background of UMIs.

    A cell without a clone is its own.
    """
    cell = rows["library_id"].str.cat(rows["cell_barcode"], sep="\t")
    owner = rows["clone_key"].where(rows["clone_key"].notna(), cell)
    above = rows.assign(owner=owner, is_above=rows["n_umi"] > options.min_umi)
    own = above.groupby(["owner", "dna_barcode"])["is_above"].transform("sum").to_numpy()
    every = above.groupby("owner")["is_above"].transform("sum").to_numpy()
    return own / np.maximum(every, 1)


def _by_cell(rows: pd.DataFrame, options: DnaBarcodeOptions) -> NDArray[np.bool_]:
    control = rows["control_umi"].fillna(0.0)
    is_clear = (rows["score"] >= options.min_score) | (
        (rows["corrected_score"] > 0) & (rows["n_umi"] >= options.min_dominance * control)
    )
    is_called = is_clear & (rows["n_umi"] >= options.min_umi)
    is_called &= rows["q_value"] <= options.max_q_value
    return is_called.to_numpy(dtype=bool) & can_be_called(rows, options)


def _by_clone(rows: pd.DataFrame, options: DnaBarcodeOptions) -> NDArray[np.bool_]:
    is_called = (rows["clone_label"] == "specific") & (rows["dominance"] > 1)
    return (is_called & (rows["n_umi"] >= options.min_umi_clone)).to_numpy(dtype=bool)


def _count_agreement(called: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    n_cells = members.groupby("clone_key").size()
    n_calls = called.groupby(_PAIR)["n_umi"].transform("size")
    counted = called.assign(
        n_clone_cells=called["clone_key"].map(n_cells).fillna(0).astype(np.int64),
        n_clone_calls=n_calls.fillna(0).astype(np.int64),
    )
    return counted.sort_values([*_CELL, "dna_barcode"], ignore_index=True)


def _describe_clones(
    tests: pd.DataFrame, called: pd.DataFrame, antigens: pd.DataFrame | None
) -> pd.DataFrame:
    n_called = called.groupby(_PAIR).size()
    pairs = pd.MultiIndex.from_frame(tests[_PAIR])
    table = tests.assign(n_called=n_called.reindex(pairs, fill_value=0).to_numpy(dtype=np.int64))
    table = table[(table["n_called"] > 0) | (table["n_held"] > 1)]
    texts = describe_panel(sorted(set(table["dna_barcode"])), antigens).reset_index()
    table = table.merge(texts[["dna_barcode", "peptide", "hla"]], on="dna_barcode", how="left")
    return table.sort_values(["patient_id", *_PAIR], ignore_index=True)
