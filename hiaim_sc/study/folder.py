"""From a study folder to a `Study`: every fault of its config and tables at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from hiaim_sc.errors import Fault, UserInputError
from hiaim_sc.study.config_file import CONFIG, read_config
from hiaim_sc.study.cross_checks import cross_check
from hiaim_sc.study.path_checks import check_paths
from hiaim_sc.study.paths import PathRoots
from hiaim_sc.study.plan_checks import check_plan
from hiaim_sc.study.reading import read_table
from hiaim_sc.study.study import Study
from hiaim_sc.study.table_checks import CheckedTable, check_table, convert_table
from hiaim_sc.study.tables import (
    BULK_SCREENS,
    LIBRARIES,
    MEASUREMENTS,
    PARTICIPANTS,
    SAMPLES,
    TableSchema,
    table_schemas,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_ALWAYS = (PARTICIPANTS, SAMPLES, LIBRARIES)


def read_study(folder: Path | str, *, may_be_gone: Collection[str] | Literal["all"] = ()) -> Study:
    """The study in a folder, checked; ``allocation.tsv`` is not opened, nor any library's file.

    Parameters
    ----------
    may_be_gone
        Libraries whose files were there once, so that it is no fault of the table if they are not.

    Raises
    ------
    UserInputError
        With every fault of study.yaml and of all tables.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserInputError([Fault(str(folder), 0, "", "", "a study folder; it is not there")])
    folder = folder.resolve()
    config, design, faults = read_config(folder / CONFIG)
    schemas = table_schemas(design)
    checked = {
        name: check_table(read_table(folder / name), schema)
        for name, schema in schemas.items()
        if (folder / name).exists()
    }
    for table in checked.values():
        faults += sorted(table.faults)
    frames = {name: table.frame for name, table in checked.items() if table.is_complete}
    crossing = [*_check_presence(checked), *cross_check(frames, design)]
    if config is not None:  # without it the data roots are not known
        roots = PathRoots.of(folder, config.data_roots)
        crossing += check_paths(frames, roots, may_be_gone=may_be_gone)
        crossing += check_plan(config, frames.get(MEASUREMENTS))
    faults += sorted(set(crossing))
    if faults or config is None:
        raise UserInputError(faults)
    tables = {name: convert_table(table) for name, table in checked.items()}
    tables |= {name: _empty(schemas[name]) for name in _ALWAYS if name not in tables}
    return Study(folder, config, **{name.removesuffix(".tsv"): t for name, t in tables.items()})


def _empty(schema: TableSchema) -> pd.DataFrame:
    frame = pd.DataFrame({name: pd.Series(dtype="str") for name in schema.columns})
    return convert_table(CheckedTable(schema, frame, (), is_complete=True))


def _check_presence(tables: Mapping[str, CheckedTable]) -> list[Fault]:
    """participants.tsv with a patient, and at least one table with data."""
    faults = []
    if PARTICIPANTS not in tables:
        faults.append(Fault(PARTICIPANTS, 0, "", "", "this table is required; it is not there"))
    elif tables[PARTICIPANTS].is_complete and tables[PARTICIPANTS].frame.empty:
        faults.append(Fault(PARTICIPANTS, 0, "", "no row", "at least one patient"))
    if LIBRARIES in tables and SAMPLES not in tables:
        faults.append(Fault(SAMPLES, 0, "", "", "this table is required beside libraries.tsv"))
    if not any(_may_hold_data(tables, name) for name in (LIBRARIES, MEASUREMENTS, BULK_SCREENS)):
        found = ", ".join(tables) or "no table"
        allowed = (
            "rows in samples.tsv and libraries.tsv, in measurements.tsv or in bulk_screens.tsv"
        )
        faults.append(Fault("study folder", 0, "", found, allowed))
    return faults


def _may_hold_data(tables: Mapping[str, CheckedTable], name: str) -> bool:
    """Whether the table has a row, or is too damaged to tell."""
    return name in tables and not (tables[name].is_complete and tables[name].frame.empty)
