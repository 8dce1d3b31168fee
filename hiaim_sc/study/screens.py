"""The bulk DNA-barcode screens of a study: their files, their sample tags, and what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pandas as pd

from hiaim_sc.errors import Fault, LibraryFaultError, UserInputError
from hiaim_sc.study.file_kinds import name_kind, read_start
from hiaim_sc.study.paths import PathRoots
from hiaim_sc.study.read_layouts import locate_layout, read_layout
from hiaim_sc.study.reading import read_table
from hiaim_sc.study.tables import BULK_SAMPLES, BULK_SCREENS
from hiaim_sc.study.tag_files import TagKind, TagSet, read_tags

if TYPE_CHECKING:
    from pathlib import Path

    from hiaim_sc.study.study import Study

_TAGS: Final[dict[str, TagKind]] = {"sample_tags": "sample", "tags_a": "A", "tags_b": "B"}
_TAG_COLUMNS: Final = ["sample_tag", "role", "sample_id", "patient_id", "hla", "percent_pe"]
_N_BYTES: Final = 4000


@dataclass(frozen=True)
class ScreenFiles:
    """Where a bulk screen's files are.

    Attributes
    ----------
    screen_id
        Name of the screen.
    reads
        One file, or two with the mates of the same fragments.
    layout
        The read layout: the study's own file, or a packaged one.
    sample_tags, tags_a, tags_b
        FASTA files.
    """

    screen_id: str
    reads: tuple[Path, ...]
    layout: Path
    sample_tags: Path
    tags_a: Path
    tags_b: Path


def list_screens(study: Study) -> tuple[str, ...]:
    """Ids of the bulk screens, sorted."""
    return () if study.bulk_screens is None else tuple(study.bulk_screens["screen_id"])


def held_screens(study: Study) -> pd.DataFrame:
    """`screen_id reason` of the bulk screens that are kept out of the analysis, sorted."""
    rows = sorted(study.held_screens.items())
    return pd.DataFrame(rows, columns=["screen_id", "reason"], dtype="str")


def screen_files(study: Study, screen_id: str) -> ScreenFiles:
    """Resolved paths of one bulk screen's files."""
    screens = pd.DataFrame() if study.bulk_screens is None else study.bulk_screens
    row = screens.set_index("screen_id").loc[screen_id]
    roots = PathRoots.of(study.folder, study.config.data_roots)
    given = [row[name] for name in ("fastq", "fastq2") if pd.notna(row[name])]
    layout = roots.locate(row["layout"])
    return ScreenFiles(
        screen_id,
        tuple(roots.locate(text) for text in given),
        locate_layout(row["layout"], layout) or layout,
        *(roots.locate(row[name]) for name in _TAGS),
    )


def screen_tags(study: Study) -> pd.DataFrame:
    """What each sample tag of the bulk screens is; no arm.

    Returns
    -------
    `screen_id sample_tag role sample_id patient_id hla percent_pe`, sorted.
    """
    empty = pd.DataFrame({"screen_id": [], "sample_tag": [], "role": [], "sample_id": []})
    tags = (empty if study.bulk_samples is None else study.bulk_samples).astype("str")
    samples = study.samples.reindex(columns=["sample_id", "patient_id", "percent_pe"])
    patients = study.participants.reindex(columns=["patient_id", "hla"])
    found = tags.merge(samples, on="sample_id", how="left").merge(
        patients, on="patient_id", how="left"
    )
    return found[["screen_id", *_TAG_COLUMNS]].sort_values(
        ["screen_id", "sample_tag"], ignore_index=True
    )


def cell_antigens(study: Study) -> pd.DataFrame | None:
    """The antigens that cells were stained with: all but those of bulk screens (``A1B2``)."""
    if study.antigens is None or study.bulk_screens is None:
        return study.antigens
    own = study.antigens[~study.antigens["dna_barcode"].str.fullmatch(r"A\d+B\d+")]
    return own.reset_index(drop=True) if len(own) else None


def check_screens(study: Study) -> list[Fault]:
    """Every fault that the layouts, the tags and the first reads of the bulk screens show."""
    faults: list[Fault] = []
    for screen_id in list_screens(study):
        files = screen_files(study, screen_id)
        try:
            read_layout(files.layout.stem, files.layout)
        except UserInputError as error:
            faults += error.faults
        for path in files.reads:
            if words := _fault_of_reads(path):
                faults.append(Fault(BULK_SCREENS, 0, screen_id, path.name, words))
        for name, kind in _TAGS.items():
            try:
                tags = read_tags(getattr(files, name), kind)
            except UserInputError as error:
                faults += error.faults
                continue
            if kind == "sample":
                faults += _check_sample_tags(study, screen_id, tags, files.sample_tags.name)
    return sorted(set(faults))


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
