"""Faults of the user's input as Prefect's states, logs and events may hold them: no patient."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from hiaim_sc.errors import Fault, UserInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# No patient stands there. A column of a table's first line may be one: of a table without a header.
_OPEN = frozenset(
    {
        *("study.yaml", "sap.lock.json", "study folder", "storage"),
        *("command line", "--profile", "PREFECT_API_URL"),
    }
)
_WHERE_TO_LOOK = "`hiaim-sc validate STUDY` lists them, or the same run on a terminal"


class ClosedInputError(UserInputError):
    """The user's input is wrong; the message says where, and nothing of what stands there.

    Parameters
    ----------
    faults
        All faults found, whole.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        super().__init__(faults)
        n = len(self.faults)
        lines = [f"{n} fault{'s' if n != 1 else ''} in the input:"]
        lines += dict.fromkeys(f"  {_closed(fault)}" for fault in self.faults)
        if any(fault.table not in _OPEN for fault in self.faults):
            lines.append(_WHERE_TO_LOOK)
        self.args = ("\n".join(lines),)


def _closed(fault: Fault) -> str:
    if fault.table in _OPEN:
        return str(fault)
    return f"{fault.table} line 1" if fault.row == 1 else fault.where


@contextmanager
def faults_closed() -> Iterator[None]:
    """Have faults of the user's input leave the block without what stands in the tables."""
    try:
        yield
    except UserInputError as error:
        # without its cause: a traceback in the log would tell it
        raise ClosedInputError(error.faults) from None
