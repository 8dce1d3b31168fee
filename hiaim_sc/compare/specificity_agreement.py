"""What bulk screens and single cells say of the same antigen in the same patient."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from hiaim_sc.names import RELEASE_TABLES
from hiaim_sc.study import split_alleles

_TEXTS: Final = ["peptide", "hla"]
_ANTIGEN: Final = ["patient_id", "peptide", "hla"]
_CELL: Final = ["library_id", "cell_barcode"]
_CD8: Final = "CD8"


def compare_specificity(
    bulk_responses: pd.DataFrame,
    specificity: pd.DataFrame,
    cells: pd.DataFrame,
    antigens_qc: pd.DataFrame,
    antigens: pd.DataFrame,
) -> pd.DataFrame:
    """The release table ``specificity_agreement``: a row per patient and antigen that either saw.

    An antigen is a peptide and its HLA to two fields: ``A1B2`` of a screen and the dna_barcode of a
    library meet where `antigens` gives both the same. Seen is a response in a screen, or a called
    cell that passes QC; all samples of a patient together. What has no peptide has no partner and
    is left out.

    Parameters
    ----------
    bulk_responses, specificity, cells, antigens_qc
        Release tables; `antigens_qc` says which library was stained with what.
    antigens
        `dna_barcode peptide hla`.

    Returns
    -------
    `bulk_estimated_frequency`, per cent of CD8 T cells, is the highest of the patient's samples;
    `pct_of_cd8` the called CD8 T cells in per cent of those in libraries stained with the antigen.
    `agreement`: `both`, `bulk_only`, `cells_only`, or, where the other side did not look,
    `not_in_cells` (a response) and `not_in_bulk` (called cells).
    """
    names = _name_antigens(antigens)
    known = cells[cells["qc_pass"] & cells["patient_id"].notna()]
    known = known[[*_CELL, "patient_id"]].assign(is_cd8=known["cell_type_lineage"] == _CD8)
    responses = bulk_responses.drop(columns=_TEXTS, errors="ignore")
    bulk = _sum_bulk(responses.merge(names, on="dna_barcode"))
    stained = _sum_stained(
        antigens_qc[["library_id", "dna_barcode"]].merge(names, on="dna_barcode"), known
    )
    called = specificity[[*_CELL, "dna_barcode", "clone_key"]].merge(known, on=_CELL)
    of_cells = _sum_called(called.merge(names, on="dna_barcode"))
    seen = bulk.index[bulk["bulk_response"]].union(of_cells.index)
    if not len(seen):
        return pd.DataFrame(
            {name: pd.Series(dtype="str") for name in RELEASE_TABLES["specificity_agreement"]}
        )
    table = pd.DataFrame(index=seen).join([bulk, stained, of_cells])
    counts = ["n_screens", "n_cells", "n_clones", "n_cd8_called"]
    table[counts] = table[counts].fillna(0).astype("int64")
    table["pct_of_cd8"] = 100 * table["n_cd8_called"] / table["n_cd8"].where(table["n_cd8"] > 0)
    table["agreement"] = _judge(table)
    table["dna_barcode"] = _join_names(table)
    table = table.sort_index().rename_axis(_ANTIGEN).reset_index()
    return table[list(RELEASE_TABLES["specificity_agreement"])]


def _name_antigens(antigens: pd.DataFrame) -> pd.DataFrame:
    """`dna_barcode peptide hla`, of those that have a peptide; no HLA is empty text."""
    known = antigens.reindex(columns=["dna_barcode", "peptide", "hla"])
    known = known[known["peptide"].notna()].drop_duplicates("dna_barcode")
    alleles = [",".join(sorted(split_alleles(text))) for text in known["hla"]]
    return known.assign(hla=pd.array(alleles, dtype="str"))


def _sum_bulk(responses: pd.DataFrame) -> pd.DataFrame:
    own = responses[responses["patient_id"].notna()]
    is_response = own["response"].astype(bool)
    frequency = own["estimated_frequency"].where(is_response)
    own = own.assign(response=is_response, frequency=frequency)
    sums = own.groupby(_ANTIGEN).agg(
        bulk_names=("dna_barcode", _join),
        n_screens=("screen_id", "nunique"),
        bulk_response=("response", "max"),
        bulk_estimated_frequency=("frequency", "max"),
    )
    return sums.astype({"bulk_response": "boolean"})


def _sum_stained(stained: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """CD8 T cells of each patient in the libraries stained with each antigen, and its names."""
    n_cd8 = known.groupby(["library_id", "patient_id"], as_index=False)["is_cd8"].sum()
    rows = stained.merge(n_cd8, on="library_id")
    once = rows.drop_duplicates(["library_id", *_ANTIGEN])
    sums = once.groupby(_ANTIGEN).agg(n_cd8=("is_cd8", "sum"))
    return sums.join(rows.groupby(_ANTIGEN).agg(cell_names=("dna_barcode", _join)))


def _sum_called(called: pd.DataFrame) -> pd.DataFrame:
    of_cell = called.drop_duplicates([*_CELL, *_ANTIGEN])
    return of_cell.groupby(_ANTIGEN).agg(
        n_cells=("cell_barcode", "size"),
        n_clones=("clone_key", "nunique"),
        n_cd8_called=("is_cd8", "sum"),
    )


def _join(names: pd.Series) -> str:
    return ";".join(sorted(set(names)))


def _join_names(table: pd.DataFrame) -> pd.Series:
    """Both sides' dna_barcodes, the screens' first."""
    sides = table[["bulk_names", "cell_names"]].astype("str").fillna("")
    return (sides["bulk_names"] + ";" + sides["cell_names"]).str.strip(";")


def _judge(table: pd.DataFrame) -> np.ndarray:
    in_bulk = table["bulk_response"].fillna(value=False).astype(bool)
    in_cells = table["n_cells"] > 0
    return np.select(
        [
            in_bulk & in_cells,
            in_bulk & table["n_cd8"].notna(),
            in_bulk,
            table["n_screens"] > 0,
        ],
        ["both", "bulk_only", "not_in_cells", "cells_only"],
        "not_in_bulk",
    )
