"""Tables against each other: what one says must not contradict another."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from hiaim_sc.errors import Fault
from hiaim_sc.study.tables import (
    ANTIGENS,
    BULK_SAMPLES,
    BULK_SCREENS,
    CELL_TYPE_OVERRIDES,
    HASHTAGS,
    LIBRARIES,
    MEASUREMENTS,
    PARTICIPANTS,
    SAMPLES,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hiaim_sc.config import Design

# A specimen that was never taken cannot have been sequenced; one that was given back or failed can.
NEVER_TAKEN = ("not_collected", "lesion_unsafe", "died")


@dataclass(frozen=True)
class Reference:
    """Values of one column that must stand in a column of another table."""

    table: str
    column: str
    target: str
    target_column: str


_REFERENCES = (
    Reference(SAMPLES, "patient_id", PARTICIPANTS, "patient_id"),
    Reference(LIBRARIES, "sample_id", SAMPLES, "sample_id"),
    Reference(HASHTAGS, "library_id", LIBRARIES, "library_id"),
    Reference(HASHTAGS, "sample_id", SAMPLES, "sample_id"),
    Reference(MEASUREMENTS, "patient_id", PARTICIPANTS, "patient_id"),
    Reference(BULK_SAMPLES, "screen_id", BULK_SCREENS, "screen_id"),
    Reference(BULK_SAMPLES, "sample_id", SAMPLES, "sample_id"),
    Reference(CELL_TYPE_OVERRIDES, "library_id", LIBRARIES, "library_id"),
)


def cross_check(tables: Mapping[str, pd.DataFrame], design: Design | None) -> list[Fault]:
    """Every contradiction between tables, in their text form (`CheckedTable.frame`).

    Parameters
    ----------
    tables
        By file name; a table that is absent or incomplete is not held against the others.
    design
        Gives the arms' and visits' names; None where study.yaml could not be understood.
    """
    faults = [fault for reference in _REFERENCES for fault in check_reference(tables, reference)]
    faults += _check_pooling(tables)
    faults += _check_specimens(tables)
    faults += _check_bulk(tables)
    faults += _check_peptides(tables)
    faults += _check_units(tables)
    faults += _check_overrides(tables)
    if design is not None:
        faults += _check_sealed(tables, design) + _check_batches(tables, design)
    return faults


def row_faults(rows: pd.DataFrame, table: str, column: str, allowed: str) -> list[Fault]:
    """One fault for each of these rows, with the value of one column."""
    return [
        Fault(table, int(line), column, value, allowed)
        for line, value in zip(rows.index, rows[column], strict=True)
    ]


def check_reference(tables: Mapping[str, pd.DataFrame], reference: Reference) -> list[Fault]:
    """A fault for each value that is not in the other table; empty values refer to nothing."""
    table, target = tables.get(reference.table), tables.get(reference.target)
    if table is None or target is None:
        return []
    known = target[reference.target_column]
    values = table[reference.column]
    unknown = table[(values != "") & ~values.isin(known)]
    allowed = {
        value: f"a {reference.target_column} of {reference.target}" + _suggest(value, known)
        for value in unknown[reference.column].unique()
    }
    return [
        Fault(reference.table, int(line), reference.column, value, allowed[value])
        for line, value in unknown[reference.column].items()
    ]


def _suggest(value: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(value, list(known), n=1, cutoff=0.7)
    return f" (did you mean {close[0]}?)" if close else ""


def _check_pooling(tables: Mapping[str, pd.DataFrame]) -> list[Fault]:
    libraries, hashtags = tables.get(LIBRARIES), tables.get(HASHTAGS)
    if libraries is None:
        return []
    is_pooled = libraries["sample_id"] == ""
    tagged = hashtags["library_id"] if hashtags is not None else pd.Series(dtype="str")
    faults = row_faults(
        libraries[is_pooled & ~libraries["library_id"].isin(tagged)],
        LIBRARIES,
        "sample_id",
        "a sample_id; only a pooled library, with its rows in hashtags.tsv, has none",
    )
    if hashtags is not None:
        single = libraries.loc[~is_pooled, "library_id"]
        allowed = "a pooled library: one whose sample_id in libraries.tsv is empty"
        faults += row_faults(hashtags[tagged.isin(single)], HASHTAGS, "library_id", allowed)
    return faults


def _check_specimens(tables: Mapping[str, pd.DataFrame]) -> list[Fault]:
    """No delivered library of a specimen that was never taken."""
    libraries, samples = tables.get(LIBRARIES), tables.get(SAMPLES)
    if libraries is None or samples is None:
        return []
    never = samples.loc[samples["status"].isin(NEVER_TAKEN), ["sample_id", "status"]]
    status = libraries["sample_id"].map(dict(never.itertuples(index=False)))
    rows = libraries[status.notna() & (libraries["state"] == "delivered")]
    return [
        Fault(
            LIBRARIES,
            int(line),
            "sample_id",
            value,
            f"a sample that was taken (its status in samples.tsv is {status.loc[line]}), or state"
            " expected",
        )
        for line, value in rows["sample_id"].items()
    ]


def _check_bulk(tables: Mapping[str, pd.DataFrame]) -> list[Fault]:
    """Each screen has at least one sample and one input, and tags are of a screen."""
    screens, tags = tables.get(BULK_SCREENS), tables.get(BULK_SAMPLES)
    if screens is None:
        allowed = "a row for each screen that bulk_samples.tsv names; the table is not there"
        return [Fault(BULK_SCREENS, 0, "", "", allowed)] if tags is not None and len(tags) else []
    faults = []
    for role in ("sample", "input"):
        having = tags.loc[tags["role"] == role, "screen_id"] if tags is not None else []
        allowed = f"at least one row with role {role} in bulk_samples.tsv"
        rows = screens[~screens["screen_id"].isin(having) & (screens["screen_id"] != "")]
        faults += row_faults(rows, BULK_SCREENS, "screen_id", allowed)
    return faults


def _check_peptides(tables: Mapping[str, pd.DataFrame]) -> list[Fault]:
    antigens = tables.get(ANTIGENS)
    if antigens is None:
        return []
    is_control = antigens["is_control"].str.lower().isin(("true", "1", "yes"))
    rows = antigens[(antigens["peptide"] == "") & ~is_control]
    return row_faults(rows, ANTIGENS, "peptide", "a peptide; only a control may have none")


def _check_units(tables: Mapping[str, pd.DataFrame]) -> list[Fault]:
    """An analyte of an assay has one unit, for its values are compared with each other."""
    table = tables.get(MEASUREMENTS)
    if table is None:
        return []
    first = table.groupby(["assay", "analyte"])["unit"].transform("first")
    rows = table[table["unit"] != first]
    return [
        Fault(
            MEASUREMENTS,
            int(line),
            "unit",
            unit,
            f"{first.loc[line]}, the unit of the first row of this assay and analyte",
        )
        for line, unit in rows["unit"].items()
    ]


def _check_overrides(tables: Mapping[str, pd.DataFrame]) -> list[Fault]:
    """An override is of a cell or of a cluster, named in full; of nothing else and not of both."""
    table = tables.get(CELL_TYPE_OVERRIDES)
    if table is None:
        return []
    places = ["library_id", "cell_barcode", "clustering", "cluster"]
    filled = table[places] != ""
    is_cell = filled["library_id"] & filled["cell_barcode"]
    is_cluster = filled["clustering"] & filled["cluster"]
    n_filled = filled.sum(axis=1)
    rows = table[~((is_cell ^ is_cluster) & (n_filled == 2))]
    allowed = (
        "library_id and cell_barcode for a cell, or clustering and cluster (as in the release's"
        " cluster_labels) for a cluster"
    )
    return [
        Fault(CELL_TYPE_OVERRIDES, int(line), "", " ".join(filter(None, values)), allowed)
        for line, *values in rows[places].itertuples()
    ]


def _check_sealed(tables: Mapping[str, pd.DataFrame], design: Design) -> list[Fault]:
    """No arm outside allocation.tsv, neither by name nor by content."""
    arms = {arm.casefold() for arm in design.arms}
    faults = []
    for name, table in tables.items():
        for column in table.columns:
            values = {value.casefold() for value in table[column].unique()} - {""}
            is_arm = len(values) > 1 and values <= arms and column != "batch"
            if column.casefold() in ("arm", "arms") or is_arm:
                shown = ", ".join(sorted(values)[:4])
                allowed = "no column of arms: they are sealed in allocation.tsv alone"
                faults.append(Fault(name, 1, column, shown, allowed))
    return faults


def _check_batches(tables: Mapping[str, pd.DataFrame], design: Design) -> list[Fault]:
    """A batch is a processing or sequencing run; named as an arm, visit or patient it is none."""
    libraries = tables.get(LIBRARIES)
    if libraries is None:
        return []
    names = {name.casefold() for name in (*design.arms, *design.visits)}
    if (participants := tables.get(PARTICIPANTS)) is not None:
        names |= set(participants["patient_id"].str.casefold())
    folded = libraries["batch"].str.casefold()
    rows = libraries[folded.isin(names) & (folded != "")]
    allowed = "a processing or sequencing run, never an arm, a visit or a patient"
    return row_faults(rows, LIBRARIES, "batch", allowed)
