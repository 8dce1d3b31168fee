"""Which pMHC multimer a cell binds, from the UMIs of its dna_barcodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from scipy.stats import beta

from hiaim_sc.dna_barcodes.background import fit_background
from hiaim_sc.stats import benjamini_hochberg

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from hiaim_sc.config import DnaBarcodeOptions

SPECIFICITY_COLUMNS: Final = (
    "cell_barcode",
    "dna_barcode",
    "n_umi",
    "control_umi",
    "score",
    "p_value",
    "q_value",
    "dominance",
    "n_same_receptor",
    "n_same_call",
)
_SCORE_SHARE: Final = 0.925
_DOMINANCE_PRIOR: Final = 0.25


def call_specificity(
    antigen_counts: AnnData,
    antigens: pd.DataFrame | None,
    receptors: pd.DataFrame | None,
    options: DnaBarcodeOptions,
) -> pd.DataFrame:
    """Cells and the antigens they are called for, sorted by cell and dna_barcode.

    A call needs all of: at least `min_umi` UMIs; a false discovery rate of at most `max_q_value`
    against the background of the dna_barcode (`fit_background`; Benjamini-Hochberg over all cells
    and antigens of the library); and either a BEAM-T score of at least `min_score` against the
    negative control, or a dominance of at least `min_dominance` over everything else in the cell,
    controls included. The last two keep sticky cells out, which hold more of every multimer.
    Negative controls are never called.

    P-values describe single cells and compare no arms. Multimers that cells of many receptors hold
    a little of (in the public dextramer data KLGGALQAK of CMV) pass in some cells: `n_same_call`
    beside `n_same_receptor` shows whether the clone agrees.

    Parameters
    ----------
    antigen_counts
        Cells x dna_barcodes of one library, controls among them.
    antigens
        `dna_barcode`, and where known `hla` and `is_control`. A dna_barcode without a row is an
        antigen of unknown HLA; None when nothing is known of any.
    receptors
        Receptors of the library, or None: they only tell how many cells of the same receptor agree.
    options
        The thresholds.

    Returns
    -------
    pandas.DataFrame
        `SPECIFICITY_COLUMNS`. `control_umi`: UMIs of the negative control of the same HLA, else the
        largest of all controls; missing, like `score`, where the library has none. `dominance`:
        UMIs over those of the runner-up + 0.25. `n_same_receptor`: cells of the library with the
        same primary pair of chains, this one included, 0 where it has none; `n_same_call`: those of
        them called for this dna_barcode.

    References
    ----------
    Score: 10x Genomics, Cell Ranger, antigen specificity score. Dominance: Povlsen et al. 2023,
    doi:10.7554/eLife.81810. Iterative outlier removal: Nos et al. 2025,
    doi:10.64898/2025.12.19.695506.
    """
    counts = np.asarray(antigen_counts.to_df(), dtype=np.float64)
    panel = _describe_panel(antigen_counts, antigens)
    is_control = panel["is_control"].to_numpy()
    umis, controls = counts[:, ~is_control], counts[:, is_control]
    if umis.size == 0:
        return _empty_table()
    p_value = fit_background(umis).upper_tail(umis)
    q_value = benjamini_hochberg(p_value.ravel()).reshape(p_value.shape)
    control_umi = _match_controls(controls, panel)
    score = beam_score(umis, control_umi)
    dominance = _measure_dominance(umis, controls)
    is_clear = (score >= options.min_score) | (dominance >= options.min_dominance)
    is_called = (umis >= options.min_umi) & (q_value <= options.max_q_value) & is_clear
    cell, antigen = np.nonzero(is_called)
    calls = pd.DataFrame(
        {
            "cell_barcode": antigen_counts.obs_names.to_numpy()[cell],
            "dna_barcode": panel.index.to_numpy()[~is_control][antigen],
            "n_umi": umis[is_called].astype(np.int64),
            "control_umi": control_umi[is_called],
            "score": score[is_called],
            "p_value": p_value[is_called],
            "q_value": q_value[is_called],
            "dominance": dominance[is_called],
        }
    ).astype({"cell_barcode": "str", "dna_barcode": "str"})
    calls = calls.sort_values(["cell_barcode", "dna_barcode"], ignore_index=True)
    calls = _count_agreement(calls, receptors, antigen_counts.obs_names)
    return calls[list(SPECIFICITY_COLUMNS)]


def beam_score(
    antigen_umi: NDArray[np.float64], control_umi: NDArray[np.float64]
) -> NDArray[np.float64]:
    r"""BEAM-T's antigen specificity score, 0 to 100.

    :math:`100\,(1 - F(0.925;\ S + 1,\ N + 3))` with the beta distribution function :math:`F`, UMIs
    :math:`S` of the antigen and :math:`N` of the negative control; NaN where :math:`N` is.

    Examples
    --------
    >>> round(float(beam_score(100, 5)), 4)
    56.685
    """
    return 100 * beta.sf(_SCORE_SHARE, np.add(antigen_umi, 1), np.add(control_umi, 3))


def _describe_panel(antigen_counts: AnnData, antigens: pd.DataFrame | None) -> pd.DataFrame:
    """`hla` and `is_control` of each dna_barcode, in the order of the counts."""
    given = pd.DataFrame() if antigens is None else antigens
    given = given.reindex(columns=["dna_barcode", "hla", "is_control"])
    given = given.drop_duplicates("dna_barcode").set_index("dna_barcode")
    given = given.reindex(antigen_counts.var_names)
    is_control = given["is_control"].astype("str").str.lower().isin(("true", "yes", "1"))
    hla = given["hla"].astype("str").fillna("")
    return pd.DataFrame({"hla": hla, "is_control": is_control})


def _match_controls(controls: NDArray[np.float64], panel: pd.DataFrame) -> NDArray[np.float64]:
    """(n_cells, n_antigens) UMIs of the control to compare with; NaN where there is none."""
    is_control = panel["is_control"].to_numpy()
    control_hla, hla = panel["hla"].to_numpy()[is_control], panel["hla"].to_numpy()[~is_control]
    if controls.shape[1] == 0:
        return np.full((len(controls), len(hla)), np.nan)
    matched = np.repeat(controls.max(axis=1)[:, None], len(hla), axis=1)
    for allele in set(control_hla) - {""}:
        matched[:, hla == allele] = controls[:, control_hla == allele].max(axis=1)[:, None]
    return matched


def _measure_dominance(
    umis: NDArray[np.float64], controls: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n_cells, n_antigens) UMIs over the most of any other dna_barcode of the cell + 0.25."""
    everything = np.hstack([umis, controls, np.zeros((len(umis), 1))])
    ordered = np.sort(everything, axis=1)
    first, second = ordered[:, -1:], ordered[:, -2:-1]
    largest_other = np.where(umis == first, second, first)
    return umis / (largest_other + _DOMINANCE_PRIOR)


def _count_agreement(
    calls: pd.DataFrame, receptors: pd.DataFrame | None, cell_barcodes: pd.Index
) -> pd.DataFrame:
    if receptors is None or receptors.empty:
        return calls.assign(n_same_receptor=0, n_same_call=0)
    chains = receptors["VJ_1_junction"] + "|" + receptors["VDJ_1_junction"]
    receptor = pd.Series(chains.to_numpy(), index=receptors["cell_barcode"]).reindex(cell_barcodes)
    own = calls["cell_barcode"].map(receptor)
    same_call = calls.assign(receptor=own).groupby(["receptor", "dna_barcode"])["n_umi"]
    return calls.assign(
        n_same_receptor=own.map(receptor.value_counts()).fillna(0).astype(np.int64),
        n_same_call=same_call.transform("size").fillna(0).astype(np.int64),
    )


def _empty_table() -> pd.DataFrame:
    texts = {"cell_barcode", "dna_barcode"}
    return pd.DataFrame(
        {
            name: pd.Series(
                dtype="str" if name in texts else "int64" if name.startswith("n_") else "float64"
            )
            for name in SPECIFICITY_COLUMNS
        }
    )
