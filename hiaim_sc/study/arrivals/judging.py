"""Files held against what was taken in before."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hiaim_sc.study.arrivals.entries import Entry

_SHOWN = 12


def describe_change(entry: Entry, files: Mapping[str, str]) -> str:
    """How the files differ from those that were taken in; empty where they do not.

    Parameters
    ----------
    files
        Column of libraries.tsv: digest of the file as it is now.
    """
    if not entry.files or entry.files == files:
        return ""
    parts = []
    for column in sorted({*entry.files, *files}):
        old, new = entry.files.get(column), files.get(column)
        if old != new:
            parts.append(f"{column}: {_show('old', old)}, {_show('new', new)}")
    return f"changed after it was registered on {entry.since[:10]}: {'; '.join(parts)}"


def find_twin(others: Iterable[Entry], library_id: str, files: Mapping[str, str]) -> str:
    """The library that was taken in with the same bytes, in words; empty where there is none.

    Parameters
    ----------
    others
        What is known of the study's libraries, this one among them or not.
    files
        Column of libraries.tsv: digest of the file.
    """
    for other in sorted(others, key=lambda entry: entry.library_id):
        if other.library_id == library_id or other.quarantine is not None:
            continue
        column_of = {digest: column for column, digest in other.files.items()}
        same = [(column, digest) for column, digest in files.items() if digest in column_of]
        if same:
            column, digest = same[0]
            return (
                f"its {column} has the same bytes as {column_of[digest]} of library"
                f" {other.library_id} ({digest[:_SHOWN]}): one of the two is a copy of the wrong"
                " file"
            )
    return ""


def _show(age: str, digest: str | None) -> str:
    return f"{age} digest {digest[:_SHOWN]}" if digest else f"no {age} file"
