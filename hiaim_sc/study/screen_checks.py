"""What is wrong with the files of the bulk screens: layouts, tags, first reads, panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hiaim_sc.errors import Fault, LibraryFaultError, UserInputError
from hiaim_sc.study.file_kinds import name_kind, read_start
from hiaim_sc.study.read_layouts import read_layout
from hiaim_sc.study.reading import read_table
from hiaim_sc.study.screens import are_bulk, list_screens, screen_files
from hiaim_sc.study.tables import ANTIGENS, BULK_SAMPLES, BULK_SCREENS
from hiaim_sc.study.tag_files import TagKind, TagSet, read_tags

if TYPE_CHECKING:
    from pathlib import Path

    from hiaim_sc.study.screens import ScreenFiles
    from hiaim_sc.study.study import Study

_TAGS: Final[dict[str, TagKind]] = {"sample_tags": "sample", "tags_a": "A", "tags_b": "B"}
_N_BYTES: Final = 4000


def check_screens(study: Study) -> list[Fault]:
    """Every fault that the layouts, the tags, the first reads and the panel show."""
    faults: list[Fault] = []
    names: set[str] = set()
    for screen_id in list_screens(study):
        files = screen_files(study, screen_id)
        try:
            read_layout(files.layout.stem, files.layout)
        except UserInputError as error:
            faults += error.faults
        faults += _check_reads(files)
        tags, wrong = _read_tags(files)
        faults += wrong
        if "sample_tags" in tags:
            faults += _check_sample_tags(
                study, screen_id, tags["sample_tags"], files.sample_tags.name
            )
        names |= {
            name for kind in ("tags_a", "tags_b") if kind in tags for name in tags[kind].names
        }
    faults += _check_shared_reads(study)
    if names and not faults:
        faults += _check_panel(study, names)
    return sorted(set(faults))


def _read_tags(files: ScreenFiles) -> tuple[dict[str, TagSet], list[Fault]]:
    """The tags of a screen by kind, as far as they can be read."""
    found: dict[str, TagSet] = {}
    faults: list[Fault] = []
    for name, kind in _TAGS.items():
        try:
            found[name] = read_tags(getattr(files, name), kind)
        except UserInputError as error:
            faults += error.faults
    return found, faults


def _check_reads(files: ScreenFiles) -> list[Fault]:
    faults = [
        Fault(BULK_SCREENS, 0, files.screen_id, path.name, words)
        for path in files.reads
        if (words := _fault_of_reads(path))
    ]
    if len(set(files.reads)) < len(files.reads):
        allowed = "fastq2: a file of its own for the mates; fastq names this one"
        faults.append(Fault(BULK_SCREENS, 0, files.screen_id, files.reads[0].name, allowed))
    return faults


def _check_shared_reads(study: Study) -> list[Fault]:
    """Sample tags that two screens of the same reads both take for a sample of theirs.

    Screens may share a file, each with its own sample tags, and may share inputs.
    """
    reads = {name: frozenset(screen_files(study, name).reads) for name in list_screens(study)}
    if len(set(reads.values())) == len(reads):
        return []
    rows = read_table(study.folder / BULK_SAMPLES).frame.apply(lambda column: column.str.strip())
    own = rows[(rows["role"] == "sample") & rows["screen_id"].isin(reads)]
    first: dict[tuple[frozenset[Path], str], str] = {}
    faults = []
    for line, screen_id, tag in own[["screen_id", "sample_tag"]].itertuples():
        other = first.setdefault((reads[screen_id], tag), screen_id)
        if other != screen_id:
            allowed = f"another tag; screen {other}, of the same reads, has it"
            faults.append(Fault(BULK_SAMPLES, int(line), "sample_tag", tag, allowed))
    return faults


def _check_panel(study: Study, tags: set[str]) -> list[Fault]:
    """Rows of antigens.tsv that mean a pair of epitope tags which no screen has."""
    if study.antigens is None:
        return []
    names = read_table(study.folder / ANTIGENS).frame["dna_barcode"].str.strip()
    meant = names.str.extract(r"(?i)^a[^a-z0-9]*(\d+)[^a-z0-9]*b[^a-z0-9]*(\d+)$").dropna()
    allowed = "A and B with the numbers that tags_a and tags_b have, as A1B2"
    return [
        Fault(ANTIGENS, int(line), "dna_barcode", names[line], allowed)
        for line, a, b in meant.itertuples()
        if not {f"A{a}", f"B{b}"} <= tags or not are_bulk(names[[line]]).all()
    ]


def _check_sample_tags(study: Study, screen_id: str, tags: TagSet, source: str) -> list[Fault]:
    rows = read_table(study.folder / BULK_SAMPLES).frame
    own = rows[rows["screen_id"].str.strip() == screen_id]
    allowed = f"a name of {source}: {', '.join(tags.names[:5])}{' ...' * (len(tags.names) > 5)}"
    return [
        Fault(BULK_SAMPLES, int(line), "sample_tag", name, allowed)
        for line, name in own["sample_tag"].str.strip().items()
        if name not in tags.names
    ]


def _fault_of_reads(path: Path) -> str:
    try:
        start = read_start(path, _N_BYTES)
    except LibraryFaultError as error:
        return error.reason
    lines = start.split(b"\n")
    is_fastq = len(lines) > 3 and lines[0][:1] == b"@" and lines[2][:1] == b"+"
    if is_fastq and len(lines[1].strip()) == len(lines[3].strip()):
        return ""
    return f"a FASTQ file; this is {name_kind(start) or 'none by its first record'}"
