"""Receptors as tables in the AIRR standard."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pandas as pd

from hiaim_sc.errors import HiaimError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_REQUIRED: Final = (
    "sequence_id",
    "sequence",
    "rev_comp",
    "productive",
    "v_call",
    "d_call",
    "j_call",
    "sequence_alignment",
    "germline_alignment",
    "junction",
    "junction_aa",
    "v_cigar",
    "d_cigar",
    "j_cigar",
)
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def write_airr(rearrangements: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Write one AIRR rearrangement table per sample, ``<sample_id>.tsv``.

    Fields that the standard requires come first, empty where not known; booleans are ``T`` and
    ``F``; a sample without rearrangements has a header only. `rev_comp` is ``F`` where not given,
    since assembled contigs are in reading direction.

    Parameters
    ----------
    rearrangements
        sample_id -> rows in AIRR fields.
    folder
        Made where absent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for sample_id, table in rearrangements.items():
        if not _FILE_NAME.fullmatch(sample_id):
            message = f"sample_id {sample_id!r} cannot be a file name"
            raise HiaimError(message)
        rest = [name for name in table.columns if name not in _REQUIRED]
        given = table if "rev_comp" in table else table.assign(rev_comp=False)
        found = given.reindex(columns=[*_REQUIRED, *rest]).apply(_airr_booleans)
        found.to_csv(
            folder / f"{sample_id}.tsv",
            sep="\t",
            index=False,
            na_rep="",
            float_format="%.10g",
            lineterminator="\n",
        )


def _airr_booleans(column: pd.Series) -> pd.Series:
    if pd.api.types.infer_dtype(column, skipna=True) != "boolean":
        return column
    return column.astype(object).map({True: "T", False: "F"})
