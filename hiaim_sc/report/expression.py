"""Genes by arm in words and as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from hiaim_sc.names import CELL_TYPES_COARSE, CONFIRMING_METHOD, T_LINEAGES
from hiaim_sc.report.batches import warn_of_batches
from hiaim_sc.report.contrasts import split_contrast
from hiaim_sc.report.formats import (
    format_amount,
    format_count,
    format_names,
    format_number,
    format_p,
    format_p_cell,
)
from hiaim_sc.report.labels import label_place
from hiaim_sc.report.sentences import describe_patients
from hiaim_sc.report.values import read_flag, read_number
from hiaim_sc.report.views import View

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_Q: Final = 0.05
_MOST_NAMED: Final = 5
_KEYS: Final = ["tissue", "cell_type", "visit", "contrast"]
_OF_ALL: Final = ("n_reference", "n_treated", "blinded", "batch_inflation")
_TYPES: Final = (*T_LINEAGES, *CELL_TYPES_COARSE)


def split_groups(table: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """The genes of each cell type, tissue, visit and contrast, with what all of them share.

    Tissue by tissue, lineages of T first; visits stay in the order of the table. Only genes that
    may be a discovery, and not what confirms them.
    """
    shown = table[[read_flag(value) for value in table["discovery"]]] if len(table) else table
    shown = shown[~_confirms(shown)]
    groups = list(shown.groupby(_KEYS, sort=False))
    place = {name: i for i, name in enumerate(_TYPES)}
    groups.sort(key=lambda group: (group[0][0], place.get(group[0][1], len(_TYPES)), group[0][1]))
    for names, rows in groups:
        first = rows.iloc[0]
        words = dict(zip(_KEYS, map(str, names), strict=True))
        yield words | {name: first[name] for name in _OF_ALL}, rows


def describe_expression(table: pd.DataFrame) -> list[str]:
    """A sentence per cell type, tissue, visit and contrast: how many genes differ, of how many.

    Parameters
    ----------
    table
        Release table `differential_expression`.
    """
    second = dict(list(table[_confirms(table)].groupby(_KEYS)))
    found = []
    for words, rows in split_groups(table):
        said = _describe(words, rows, second.get(tuple(words[key] for key in _KEYS)))
        found.append(f"{said} {warn_of_batches(words)}".rstrip())
    return found


def view_expression(table: pd.DataFrame, *, most: int = 50) -> View:
    """The genes with the smallest q, over all cell types, tissues and visits."""
    ranked = pd.concat([table.iloc[:0], *(rows for _, rows in split_groups(table))])
    ranked = ranked.sort_values(["q_value", "p_value"], kind="stable")
    rows = [
        [
            str(row["gene"]),
            str(row["cell_type"]),
            label_place(str(row["tissue"]), str(row["visit"])),
            str(row["contrast"]).replace(" - ", " \u2212 "),
            format_number(read_number(row["log2_fc"])).replace("-", "\u2212"),
            format_number(read_number(row["se"])),
            format_p_cell(read_number(row["p_value"])),
            format_p_cell(read_number(row["q_value"])),
        ]
        for row in ranked.head(most).to_dict("records")
    ]
    heads = "Gene,Cell type,Where and when,Contrast,Log2 fold change,Standard error,p,q"
    caption = "Genes by arm, those with the smallest q. All stand in differential_expression.tsv."
    return View(caption, heads.split(","), rows, frozenset(range(4, 8)))


def _confirms(table: pd.DataFrame) -> pd.Series:
    return table["method"].astype(str).str.startswith(CONFIRMING_METHOD)


def _describe(words: dict[str, Any], rows: pd.DataFrame, second: pd.DataFrame | None) -> str:
    where = f"{words['cell_type']}, {label_place(words['tissue'], words['visit'])}"
    patients = describe_patients(words)
    q = rows["q_value"].astype(float)
    found = rows[q < MAX_Q]
    share = f"{format_count(len(found))} of {format_amount(len(rows), 'gene')}"
    if read_flag(words["blinded"]):
        verdict = "labels are random, so this says nothing about the arms"
        return f"{where}: {verdict} ({share} with q below {MAX_Q}, {patients})."
    if found.empty:
        smallest = format_p(float(q.min())).replace("p ", "q ") or "no q"
        return (
            f"{where}: no gene gives evidence of a difference between the arms "
            f"(smallest {smallest}, {format_amount(len(rows), 'gene')}, {patients})."
        )
    treated, reference = split_contrast(words["contrast"])
    n_higher = int((found["log2_fc"].astype(float) > 0).sum())
    top = found.sort_values("p_value", kind="stable")["gene"].astype(str).head(_MOST_NAMED)
    named = format_names(list(top))
    return (
        f"{where}: exploratory evidence of a difference in {share} (q below {MAX_Q}): "
        f"{n_higher} higher and {len(found) - n_higher} lower in {treated} than in {reference}, "
        f"first {named}{_count_confirmed(found, second)} ({patients})."
    )


def _count_confirmed(found: pd.DataFrame, second: pd.DataFrame | None) -> str:
    """How many of the genes the other method finds too, on the same side."""
    if second is None:
        return ""
    both = found.merge(second, on="gene_id", suffixes=("", "_second"))
    same_side = both["log2_fc"].astype(float) * both["log2_fc_second"].astype(float) > 0
    n_confirmed = int((same_side & (both["q_value_second"].astype(float) < MAX_Q)).sum())
    return f"; {format_count(n_confirmed)} of them by {CONFIRMING_METHOD} too"
