"""The bulk DNA-barcode screens of a study: their files, their sample tags, and what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pandas as pd

from hiaim_sc.study.paths import PathRoots
from hiaim_sc.study.read_layouts import locate_layout

if TYPE_CHECKING:
    from pathlib import Path

    from hiaim_sc.study.study import Study

_TAG_FILES: Final = ("sample_tags", "tags_a", "tags_b")
_TAG_COLUMNS: Final = ["sample_tag", "role", "sample_id", "patient_id", "hla", "percent_pe"]


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

    @property
    def named(self) -> dict[str, Path]:
        """All of them; the reads by their number."""
        others = {name: getattr(self, name) for name in ("layout", *_TAG_FILES)}
        return {**{f"reads_{i}": path for i, path in enumerate(self.reads, start=1)}, **others}


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
        *(roots.locate(row[name]) for name in _TAG_FILES),
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


def are_bulk(dna_barcodes: pd.Series) -> pd.Series:
    """Whether each name is that of a pair of epitope tags: ``A1B2``."""
    return dna_barcodes.str.fullmatch(r"A\d+B\d+")


def cell_antigens(study: Study) -> pd.DataFrame | None:
    """The antigens that cells were stained with: all but those of bulk screens (``A1B2``)."""
    if study.antigens is None or study.bulk_screens is None:
        return study.antigens
    own = study.antigens[~are_bulk(study.antigens["dna_barcode"])]
    return own.reset_index(drop=True) if len(own) else None
