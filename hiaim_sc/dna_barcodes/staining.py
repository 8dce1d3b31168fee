"""What each cell of a library holds of each pMHC multimer, against the multimer's background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hiaim_sc.dna_barcodes.background import fit_background
from hiaim_sc.dna_barcodes.panel import describe_panel, match_controls
from hiaim_sc.dna_barcodes.scores import (
    beam_score,
    excess_share,
    measure_dominance,
    umi_delta,
)
from hiaim_sc.names import PAIRED_CHAINS
from hiaim_sc.stats import benjamini_hochberg

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from hiaim_sc.config import DnaBarcodeOptions

HELD_COLUMNS: Final = (
    "cell_barcode",
    "dna_barcode",
    "n_umi",
    "control_umi",
    "score",
    "p_value",
    "q_value",
    "dominance",
    "excess_share",
)
STAINED_COLUMNS: Final = (
    "cell_barcode",
    "n_umi",
    "n_held",
    "is_sticky",
    "has_pair",
    "top_dna_barcode",
    "top_umi",
    "second_umi",
    "umi_vj",
    "delta_vj",
    "umi_vdj",
    "delta_vdj",
)
BACKGROUND_COLUMNS: Final = ("dna_barcode", "is_control", "n_cells", "mean", "size", "n_held")
# A cell may bind one antigen, a doublet two, and chance adds one: more is needed to be sticky.
_MAY_HOLD: Final = 3


@dataclass(frozen=True)
class Staining:
    """What the cells of a library hold.

    Attributes
    ----------
    held
        `HELD_COLUMNS`: a row per cell and antigen that the cell holds above the background
        (`max_p_held`), sorted by both. `q_value`: Benjamini-Hochberg over the library's cells that
        `can_be_called`, for each dna_barcode by itself, so that the rate holds for each antigen;
        missing for the other cells. `control_umi` and `score` are missing without a negative
        control. `dominance`: UMIs over the most of any other dna_barcode + 0.25.
    stained
        `STAINED_COLUMNS`: a row per cell. `n_held`: dna_barcodes held, controls among them;
        `is_sticky`: more than `max_frac_held` of the panel, and more than three. `has_pair`: both
        chains of a receptor are known; true for all where the library has no V(D)J. `umi_vj`,
        `delta_vj`, `umi_vdj`, `delta_vdj`: UMIs of the first chain, and its lead over the second.
    background
        `BACKGROUND_COLUMNS`: a row per dna_barcode, its negative binomial and the cells that hold
        it.
    """

    held: pd.DataFrame
    stained: pd.DataFrame
    background: pd.DataFrame


def measure_staining(
    antigen_counts: AnnData,
    antigens: pd.DataFrame | None,
    receptors: pd.DataFrame | None,
    options: DnaBarcodeOptions,
) -> Staining:
    """What each cell of one library holds; which of it is binding, `call_specificity` says.

    Parameters
    ----------
    antigen_counts
        Cells x dna_barcodes, controls among them.
    antigens
        `dna_barcode`, and where known `hla` and `is_control` (`describe_panel`).
    receptors
        Receptors of the library, or None.
    options
        `max_p_held`, `max_frac_held`, and `min_umi` as the background of the shares.
    """
    found = antigen_counts.to_df().sort_index(axis=0).sort_index(axis=1)
    counts = found.to_numpy(dtype=np.float64)
    panel = describe_panel(found.columns, antigens)
    background = fit_background(counts)
    p_value = background.upper_tail(counts)
    is_held = (p_value <= options.max_p_held) & (counts > 0)
    cells = found.index.to_numpy().astype(str)
    stained = _describe_cells(counts, is_held, cells, panel, options)
    chains = _measure_chains(cells, receptors)
    stained = stained.assign(has_pair=_have_pair(cells, receptors), **chains)
    stained = stained[list(STAINED_COLUMNS)]
    described = panel.reset_index()[["dna_barcode", "is_control"]].assign(
        n_cells=len(cells), mean=background.mean, size=background.size, n_held=is_held.sum(axis=0)
    )
    values = {
        "n_umi": counts.astype(np.int64),
        "control_umi": match_controls(counts, panel),
        "score": beam_score(counts, match_controls(counts, panel)),
        "p_value": p_value,
        "q_value": _adjust(p_value, can_be_called(stained, options)),
        "dominance": measure_dominance(counts),
        "excess_share": excess_share(counts, options.min_umi),
    }
    shown = is_held & ~panel["is_control"].to_numpy()
    cell, antigen = np.nonzero(shown)
    held = pd.DataFrame(
        {
            "cell_barcode": pd.Series(cells[cell], dtype="str"),
            "dna_barcode": pd.Series(panel.index.to_numpy()[antigen], dtype="str"),
            **{name: value[shown] for name, value in values.items()},
        }
    )
    return Staining(held[list(HELD_COLUMNS)], stained, described[list(BACKGROUND_COLUMNS)])


def can_be_called(stained: pd.DataFrame, options: DnaBarcodeOptions) -> NDArray[np.bool_]:
    """Which stained cells can be called by what they hold themselves."""
    has_receptor = stained["has_pair"] | (not options.require_pair)
    return (has_receptor & ~stained["is_sticky"]).to_numpy(dtype=bool)


def _adjust(p_value: NDArray[np.float64], is_tested: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Benjamini-Hochberg down each column, over the cells that are tested; NaN for the others.

    Sticky cells hold everything: among the tests they would lower the bar for the rest.
    """
    tested = np.where(is_tested[:, None], p_value, np.nan)
    return np.column_stack([np.empty((len(tested), 0)), *map(benjamini_hochberg, tested.T)])


def _describe_cells(
    counts: NDArray[np.float64],
    is_held: NDArray[np.bool_],
    cells: NDArray[np.str_],
    panel: pd.DataFrame,
    options: DnaBarcodeOptions,
) -> pd.DataFrame:
    n_held = is_held.sum(axis=1)
    is_antigen = ~panel["is_control"].to_numpy()
    # two columns of nothing: the first and second of a cell that holds no antigen
    padded = np.hstack([counts[:, is_antigen], np.zeros((len(counts), 2))])
    names = np.append(panel.index.to_numpy()[is_antigen], ["", ""])
    ordered = np.sort(padded, axis=1)
    top = np.where(ordered[:, -1] > 0, names[padded.argmax(axis=1)], "")
    return pd.DataFrame(
        {
            "cell_barcode": pd.Series(cells, dtype="str"),
            "n_umi": counts.sum(axis=1).astype(np.int64),
            "n_held": n_held,
            "is_sticky": n_held > max(_MAY_HOLD, options.max_frac_held * len(panel)),
            "top_dna_barcode": pd.Series(top, dtype="str"),
            "top_umi": ordered[:, -1].astype(np.int64),
            "second_umi": ordered[:, -2].astype(np.int64),
        }
    )


def _have_pair(cells: NDArray[np.str_], receptors: pd.DataFrame | None) -> NDArray[np.bool_]:
    if receptors is None:
        return np.ones(len(cells), dtype=bool)
    paired = receptors.loc[receptors["chain_pairing"].isin(PAIRED_CHAINS), "cell_barcode"]
    return np.isin(cells, paired.to_numpy(dtype=str))


def _measure_chains(
    cells: NDArray[np.str_], receptors: pd.DataFrame | None
) -> dict[str, NDArray[np.float64]]:
    """UMIs and lead of the first chain of each arm; 0 where there is none."""
    known = pd.DataFrame({"cell_barcode": []}) if receptors is None else receptors
    known = known.set_index("cell_barcode").reindex(cells)
    found: dict[str, NDArray[np.float64]] = {}
    for arm in ("VJ", "VDJ"):
        names = [f"{arm}_{i}_umi_count" for i in (1, 2)]
        umis = known.reindex(columns=names).to_numpy(dtype=np.float64)
        first, second = np.nan_to_num(umis).T
        found |= {f"umi_{arm.lower()}": first, f"delta_{arm.lower()}": umi_delta(first, second)}
    return found
