"""Tags of a bulk screen: FASTA files of sample tags, and of epitope tags A and B."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from hiaim_sc.errors import Fault, LibraryFaultError, UserInputError, can_recover
from hiaim_sc.study.file_kinds import name_kind, read_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

type TagKind = Literal["sample", "A", "B"]

# Two bits a base in one machine word.
_LONGEST: Final = 32
_LONGEST_SAMPLE_TAG: Final = 24
_SHORTEST: Final = 4
_ORDINARY: Final = "ACGT"


@dataclass(frozen=True)
class TagSet:
    """Tags of one kind, in the order of their file.

    Attributes
    ----------
    names
        Sample tags keep their whole name, epitope tags become ``A<n>`` or ``B<n>``.
    sequences
        Bases, all of one length.
    """

    names: tuple[str, ...]
    sequences: tuple[str, ...]

    @property
    def length(self) -> int:
        """Bases of each tag."""
        return len(self.sequences[0])

    def close_pairs(self) -> list[tuple[str, str]]:
        """Names of tags that one wrong base turns into each other."""
        return [
            (self.names[i], self.names[j]) for i, j in _find_close_pairs(self.sequences) if i < j
        ]


@dataclass(frozen=True)
class ScreenTags:
    """The tags of a screen.

    Attributes
    ----------
    sample, a, b
        Sample tags, and epitope tags A and B as their oligonucleotides have them.
    """

    sample: TagSet
    a: TagSet
    b: TagSet


@dataclass(frozen=True)
class _Record:
    line: int
    title: str
    sequence: str


def read_tags(path: Path, kind: TagKind) -> TagSet:
    """The tags in a FASTA file, plain or gzipped.

    An epitope tag is named by the end of its title: ``A`` or ``B`` and a number, as in
    ``Oligo_A12``; where it ends in ``_12`` only, the letter is put before it. Sample tags keep
    their whole title, so that ``A-Key12`` and ``B_12`` stay two.

    Parameters
    ----------
    path
        FASTA file.
    kind
        Which tags they are to be. Epitope tags of which one wrong base makes another are refused;
        of sample tags, which are short, `TagSet.close_pairs` tells.

    Raises
    ------
    UserInputError
        With every fault of the file: form, bases, lengths, tags or names that stand twice.
    """
    records, faults = _read_records(path)
    if not faults:
        faults = _find_faults(path.name, records, kind)
    if faults:
        raise UserInputError(sorted(faults))
    names = tuple(_name_tag(record.title, kind) for record in records)
    return TagSet(names, tuple(record.sequence for record in records))


def _read_records(path: Path) -> tuple[list[_Record], list[Fault]]:
    try:
        content = read_all(path)
        kind = name_kind(content[:1000])
        text = content.decode("utf-8-sig") if not kind else ""
    except (LibraryFaultError, UnicodeDecodeError) as error:
        if can_recover(error):
            raise
        return [], [Fault(path.name, 0, "", "", f"a FASTA file ({error})")]
    records = list(_split_records(text))
    if kind or not records or not text.lstrip().startswith(">"):
        return [], [Fault(path.name, 1, "", kind or text[:20], "a FASTA file: > and a name first")]
    return records, []


def _split_records(text: str) -> Iterator[_Record]:
    """Records of FASTA text; text before the first title is a record without one."""
    at, title, bases = 0, "", ""
    for line, words in enumerate(map(str.strip, text.splitlines()), start=1):
        if words.startswith(">"):
            if at:
                yield _Record(at, title, bases)
            at, title, bases = line, words[1:].split()[0] if words[1:].split() else "", ""
        elif words:
            at, bases = at or line, bases + words.upper()
    if at:
        yield _Record(at, title, bases)


def _find_faults(source: str, records: Sequence[_Record], kind: TagKind) -> list[Fault]:
    def fault(record: _Record, value: str, allowed: str) -> Fault:
        return Fault(source, record.line, "", value, allowed)

    longest = _LONGEST_SAMPLE_TAG if kind == "sample" else _LONGEST
    usual = Counter(len(record.sequence) for record in records).most_common(1)[0][0]
    names = Counter(_name_tag(record.title, kind) for record in records)
    form = (
        "a name" if kind == "sample" else f"a name that ends in _{kind} and a number, as x_{kind}1"
    )
    faults = []
    for record in records:
        name, length = _name_tag(record.title, kind), len(record.sequence)
        if not name:
            faults.append(fault(record, record.title, form))
        elif names[name] > 1:
            allowed = f"names that differ: {name} stands twice (a name ends at its first blank)"
            faults.append(fault(record, record.title, allowed))
        if set(record.sequence) - set(_ORDINARY) or not _SHORTEST <= length <= longest:
            allowed = f"{_SHORTEST} to {longest} bases, of A, C, G and T only"
            faults.append(fault(record, record.sequence[:40], allowed))
        elif length != usual:
            allowed = f"tags of one length; most have {usual} bases, this one {length}"
            faults.append(fault(record, record.sequence, allowed))
    return faults or _find_alike(source, records, kind)


def _find_alike(source: str, records: Sequence[_Record], kind: TagKind) -> list[Fault]:
    faults = []
    for i, j in _find_close_pairs([record.sequence for record in records]):
        one, other = records[j], records[i]
        if i > j or (one.sequence != other.sequence and kind == "sample"):
            continue
        words = f"a tag of its own; {other.title} of line {other.line} has "
        words += "the same bases" if one.sequence == other.sequence else "all but one of its bases"
        faults.append(Fault(source, one.line, "", f"{one.title} {one.sequence}", words))
    return faults


def _find_close_pairs(sequences: Sequence[str]) -> list[tuple[int, int]]:
    """Positions of tags that differ in one base or none, each pair both ways round."""
    bases = np.array([list(sequence.encode()) for sequence in sequences], dtype=np.uint8)
    pairs = []
    for i, row in enumerate(bases):
        near = np.flatnonzero((bases != row).sum(axis=1) <= 1)
        pairs += [(i, int(j)) for j in near if j != i]
    return pairs


def _name_tag(title: str, kind: TagKind) -> str:
    """Name of a tag by the title of its record; empty where the title is not of that kind."""
    if kind == "sample":
        return title
    found = re.search(rf"(?:^|[^A-Za-z0-9]){kind}[_-]?([0-9]+)$", title)
    found = found or re.search(r"[_-]([0-9]+)$", title)
    return f"{kind}{found[1]}" if found else ""
