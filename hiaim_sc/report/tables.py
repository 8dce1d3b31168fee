"""The tables of a release as files: .tsv for people, .parquet for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hiaim_sc.errors import HiaimError
from hiaim_sc.names import RELEASE_TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# ten digits: the same text whatever the machine's last bits
FLOAT_FORMAT: Final = "%.10g"


class MissingColumnsError(HiaimError):
    """A table lacks columns that every release has, or is no table of a release."""


def check_tables(tables: Mapping[str, pd.DataFrame]) -> None:
    """Raise with every missing column of every table, and every name that is no release table.

    Parameters
    ----------
    tables
        Name -> table. Tables of ``names.RELEASE_TABLES`` that are absent are no fault: they are
        written with their header only.
    """
    faults = [f"{name}: not a table of a release" for name in tables if name not in RELEASE_TABLES]
    for name, declared in RELEASE_TABLES.items():
        missing = [column for column in declared if name in tables and column not in tables[name]]
        if missing:
            faults.append(f"{name}: without {', '.join(missing)}")
    if faults:
        raise MissingColumnsError("; ".join(faults))


def write_tables(tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    r"""Write every table of ``names.RELEASE_TABLES`` as .tsv and .parquet; header only when empty.

    Rows stay as they are; declared columns come first, others follow in their order. Empty text is
    missing. A .tsv is UTF-8, tab separated, ``\n`` ended, floats with ten significant digits,
    booleans ``True`` and ``False``; a .parquet holds the same values at full precision.

    Parameters
    ----------
    tables
        Name -> table; all are checked before the first is written.
    folder
        Made where absent.
    """
    check_tables(tables)
    folder.mkdir(parents=True, exist_ok=True)
    for name, declared in RELEASE_TABLES.items():
        table = arrange_table(tables.get(name, pd.DataFrame(columns=list(declared))), declared)
        table.to_csv(
            folder / f"{name}.tsv",
            sep="\t",
            index=False,
            na_rep="",
            float_format=FLOAT_FORMAT,
            lineterminator="\n",
            encoding="utf-8",
        )
        content = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
        pq.write_table(content, folder / f"{name}.parquet", compression="zstd")


def arrange_table(table: pd.DataFrame, declared: tuple[str, ...]) -> pd.DataFrame:
    """Declared columns first, no index, no categories, and one way to be missing in text: None.

    Columns of mixed Python objects become numbers or booleans where all their values are; a column
    without any value is left without a type.
    """
    order = [*declared, *(column for column in table.columns if column not in declared)]
    found = table[order].reset_index(drop=True)
    return found.assign(**{str(name): _plain(found[name]) for name in order})


def _plain(column: pd.Series) -> pd.Series:
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    if not (
        pd.api.types.is_object_dtype(column.dtype) or pd.api.types.is_string_dtype(column.dtype)
    ):
        return column
    values = column.astype(object)
    values = values.where(values.notna() & (values != ""), None)
    inferred = pd.api.types.infer_dtype(values, skipna=True)
    if inferred in ("floating", "integer", "mixed-integer-float"):
        return pd.to_numeric(values)
    if inferred == "boolean" and values.notna().all():
        return values.astype(bool)
    return values
