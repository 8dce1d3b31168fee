"""The multimers of a library: which are negative controls, of which HLA, and who presents them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiaim_sc.study import group_alleles, presents

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_YES = ("true", "yes", "1")
_TEXTS = ("peptide", "hla")


def describe_panel(dna_barcodes: Iterable[str], antigens: pd.DataFrame | None) -> pd.DataFrame:
    """`peptide hla is_control` of each dna_barcode, in their order; the index is `dna_barcode`.

    Parameters
    ----------
    dna_barcodes
        What was counted.
    antigens
        `dna_barcode`, and where known the others. A dna_barcode without a row is an antigen of
        unknown HLA; None when nothing is known of any.
    """
    names = pd.Index(list(dna_barcodes), dtype="str", name="dna_barcode")
    given = pd.DataFrame() if antigens is None else antigens
    given = given.reindex(columns=["dna_barcode", *_TEXTS, "is_control"])
    given = given.drop_duplicates("dna_barcode").set_index("dna_barcode").reindex(names)
    texts = {name: given[name].astype("str").fillna("") for name in _TEXTS}
    is_control = given["is_control"].astype("str").str.lower().isin(_YES)
    return pd.DataFrame({**texts, "is_control": is_control}, index=names)


def match_controls(counts: NDArray[np.float64], panel: pd.DataFrame) -> NDArray[np.float64]:
    """UMIs of the negative control that each dna_barcode is compared with, shape as `counts`.

    The control of the same HLA, the largest where it has several, else the largest of all; NaN
    without any control.

    Parameters
    ----------
    counts
        (n_cells, n_dna_barcodes) UMIs.
    panel
        Of `describe_panel`, in the order of the columns.
    """
    is_control = panel["is_control"].to_numpy()
    hla = panel["hla"].map(group_alleles).to_numpy()
    if not is_control.any():
        return np.full(counts.shape, np.nan)
    matched = np.repeat(counts[:, is_control].max(axis=1)[:, None], len(hla), axis=1)
    for allele in sorted(set(hla[is_control]) - {""}):
        controls = counts[:, is_control & (hla == allele)]
        matched[:, hla == allele] = controls.max(axis=1)[:, None]
    return matched


def match_hla(antigens: pd.DataFrame | None, hla: pd.DataFrame) -> pd.DataFrame:
    """Whether each patient's HLA presents each antigen: `patient_id dna_barcode hla_match`.

    Rows only where it is known (`hiaim_sc.study.presents`): an antigen of no stated HLA, or of a
    locus that the patient is not typed at, speaks neither for nor against.

    Parameters
    ----------
    antigens
        `dna_barcode hla`.
    hla
        `patient_id hla`, alleles separated by commas.
    """
    rows = []
    known = pd.DataFrame() if antigens is None else antigens
    known = known.reindex(columns=["dna_barcode", "hla"]).drop_duplicates("dna_barcode")
    wanted = dict(zip(known["dna_barcode"].astype(str), known["hla"], strict=True))
    for row in hla.itertuples():
        verdicts = {name: presents(row.hla, alleles) for name, alleles in wanted.items()}
        rows += [
            (str(row.patient_id), name, verdict == "yes")
            for name, verdict in verdicts.items()
            if verdict != "unknown"
        ]
    table = pd.DataFrame(rows, columns=["patient_id", "dna_barcode", "hla_match"])
    return table.astype({"patient_id": "str", "dna_barcode": "str", "hla_match": bool})
