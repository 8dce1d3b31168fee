"""The sealed allocation: which patient is in which arm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hiaim_sc.errors import Fault, UserInputError
from hiaim_sc.study.cross_checks import Reference, check_reference
from hiaim_sc.study.reading import read_table
from hiaim_sc.study.table_checks import CheckedTable, check_table
from hiaim_sc.study.tables import ALLOCATION, PARTICIPANTS, allocation_schema

if TYPE_CHECKING:
    import pandas as pd

    from hiaim_sc.study.study import Study


def read_allocation(study: Study) -> pd.Series | None:
    """Arm of each patient, the index `patient_id`, sorted; None where the study has no allocation.

    Only the comparison of arms and the validation may ask for it.

    Raises
    ------
    UserInputError
        With every fault of the file.
    """
    if study.allocation_file() is None:
        return None
    table, faults = _check(study)
    if faults:
        raise UserInputError(faults)
    arms = table.frame.set_index("patient_id")["arm"]
    return arms.sort_index()


def find_allocation_faults(study: Study) -> list[Fault]:
    """Every fault of allocation.tsv; none where the study has none. Says nothing of the arms."""
    return [] if study.allocation_file() is None else _check(study)[1]


def _check(study: Study) -> tuple[CheckedTable, list[Fault]]:
    table = check_table(
        read_table(study.folder / ALLOCATION), allocation_schema(study.config.design)
    )
    faults = list(table.faults)
    if table.is_complete:
        tables = {ALLOCATION: table.frame, PARTICIPANTS: study.participants}
        reference = Reference(ALLOCATION, "patient_id", PARTICIPANTS, "patient_id")
        faults += check_reference(tables, reference)
        allocated = table.frame["patient_id"]
        without = study.participants.loc[
            ~study.participants["patient_id"].isin(allocated), "patient_id"
        ]
        allowed = "an arm for each patient of participants.tsv"
        faults += [Fault(ALLOCATION, 0, "patient_id", name, allowed) for name in without]
    return table, sorted(faults)
