"""One table against its schema: every value at once, then from text to values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiaim_sc.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from hiaim_sc.study.reading import TextTable
    from hiaim_sc.study.rules import Column, Rule
    from hiaim_sc.study.tables import TableSchema


@dataclass(frozen=True)
class CheckedTable:
    """A table held against its schema.

    Attributes
    ----------
    schema
        What it was held against.
    frame
        Text without blanks around it, defaults filled in, every column of the schema there; the
        index is the line in the file.
    faults
        Every fault of form and value.
    is_complete
        Whether all rows and all required columns are there: only then can other tables be held
        against it.
    """

    schema: TableSchema
    frame: pd.DataFrame
    faults: tuple[Fault, ...]
    is_complete: bool


def check_table(table: TextTable, schema: TableSchema) -> CheckedTable:
    """Every fault of a table's values, and the table ready to be held against the others."""
    if table.frame.columns.empty:
        return CheckedTable(schema, table.frame, table.faults, is_complete=False)
    absent = [
        name
        for name, column in schema.columns.items()
        if column.is_required and name not in table.frame
    ]
    frame = table.frame.apply(lambda values: values.str.strip())
    faults = [
        *table.faults,
        *_blank_faults(table.frame, frame, schema),
        *_value_faults(frame, schema),
    ]
    for name, column in schema.columns.items():
        values = frame.get(name, pd.Series("", index=frame.index, dtype="str"))
        frame[name] = values.where(values != "", column.default)
    faults += _repeated_keys(frame, schema, absent)
    return CheckedTable(schema, frame, tuple(faults), table.is_complete and not absent)


def convert_table(table: CheckedTable) -> pd.DataFrame:
    """Values instead of text, sorted by the key, the schema's columns before the others."""
    known = table.schema.columns
    others = sorted(set(table.frame.columns) - set(known))
    frame = pd.DataFrame(
        {name: column.convert(table.frame[name]) for name, column in known.items()}
        | {name: table.frame[name].where(table.frame[name] != "") for name in others}
    )
    return frame.sort_values(list(table.schema.key), ignore_index=True)


def _blank_faults(typed: pd.DataFrame, stripped: pd.DataFrame, schema: TableSchema) -> list[Fault]:
    known = [name for name in schema.columns if name in typed]
    rows, columns = np.nonzero((typed[known] != stripped[known]).to_numpy())
    return [
        Fault(
            schema.name,
            int(typed.index[row]),
            known[column],
            typed[known[column]].iloc[row],
            "no blanks before or after",
        )
        for row, column in zip(rows, columns, strict=True)
    ]


def _value_faults(frame: pd.DataFrame, schema: TableSchema) -> list[Fault]:
    # pandera takes a third of a second to import
    import pandera.pandas as pa
    from pandera.errors import SchemaErrors

    columns = {
        name: pa.Column(checks=_pandera_checks(column), required=column.is_required)
        for name, column in schema.columns.items()
    }
    try:
        pa.DataFrameSchema(columns).validate(frame, lazy=True)
    except SchemaErrors as errors:
        return [_to_fault(case, frame, schema.name) for _, case in errors.failure_cases.iterrows()]
    return []


def _pandera_checks(column: Column) -> list:
    from pandera.pandas import Check

    checks = [Check(_where_filled(rule), error=rule.allowed) for rule in column.rules]
    if column.is_filled:
        checks.append(Check(lambda values: values != "", error="a value: none may be empty here"))
    return checks


def _where_filled(rule: Rule) -> Callable[[pd.Series], pd.Series]:
    return lambda values: rule.holds(values).fillna(value=False).astype(bool) | (values == "")


def _to_fault(case: pd.Series, frame: pd.DataFrame, table: str) -> Fault:
    """A row of pandera's failure cases in the project's words."""
    if case["check"] == "column_in_dataframe":
        allowed = f"this column is required; there are: {', '.join(frame.columns)}"
        return Fault(table, 1, str(case["failure_case"]), "", allowed)
    name, line = case["column"], int(case["index"])
    return Fault(table, line, name, str(frame.loc[line, name]), case["check"])


def _repeated_keys(frame: pd.DataFrame, schema: TableSchema, absent: list[str]) -> list[Fault]:
    keys = [key for key in (schema.key, *schema.keys) if not set(key) & set(absent)]
    faults = []
    for key in keys:
        must_be_filled = [name for name in key if schema.columns[name].is_filled]
        is_known = (frame[must_be_filled] != "").all(axis=1)
        faults += _repeats(frame.loc[is_known, list(key)], schema.name)
    if len(schema.key) == 1 and not absent:
        faults += _look_alikes(frame[schema.key[0]], schema.name)
    return faults


def _repeats(parts: pd.DataFrame, table: str) -> list[Fault]:
    repeated = parts.duplicated(keep="first")
    first_line = {tuple(row): line for line, *row in parts[~repeated].itertuples()}
    column = " ".join(parts.columns)
    return [
        Fault(
            table,
            line,
            column,
            " ".join(filter(None, row)),
            f"each only once; line {first_line[tuple(row)]} has it too",
        )
        for line, *row in parts[repeated].itertuples()
    ]


def _look_alikes(ids: pd.Series, table: str) -> list[Fault]:
    """Ids that differ only in case or blanks: two names for one thing, or one file name for two."""
    unique = ids[ids != ""].drop_duplicates()
    folded = unique.str.casefold().str.replace(r"\s", "", regex=True)
    first = folded.drop_duplicates()
    line_of = {name: line for line, name in first.items()}
    return [
        Fault(
            table,
            int(line),
            str(ids.name),
            str(unique.loc[line]),
            f"ids that differ in more than case or blanks: line {line_of[name]} has"
            f" {unique.loc[line_of[name]]!r}",
        )
        for line, name in folded[folded.duplicated()].items()
    ]
