"""Text of a delivered file, plain or gzipped, and what is wrong when it cannot be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.study.file_kinds import name_kind, read_all

if TYPE_CHECKING:
    from pathlib import Path


def read_text(path: Path) -> str:
    """Text of a table, decompressed where it is gzipped; refuses what is no text table."""
    content = read_all(path)
    kind = name_kind(content[:200]) if content else ""
    if kind:
        reason = f"{path.name} is {kind}; a .csv or .tsv in UTF-8 is expected here"
        raise LibraryFaultError(reason)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = f"{path.name} is no text table ({error})"
        raise LibraryFaultError(reason) from error
