"""The samples of a bulk screen: which sample tags are replicates of one specimen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd


@dataclass(frozen=True)
class Specimen:
    """The replicates of one sample, and what is known of it; all but the tags may be missing.

    Attributes
    ----------
    tags
        Its sample tags.
    sample_id, patient_id, hla
        As the study's tables have them.
    percent_pe
        Multimer-positive cells in per cent of CD8 T cells.
    """

    tags: tuple[str, ...]
    sample_id: Any
    patient_id: Any
    hla: Any
    percent_pe: float

    @property
    def name(self) -> str:
        """Its sample tags, as the tables write them."""
        return ";".join(self.tags)


def gather_specimens(tags: pd.DataFrame, read: list[str]) -> Iterator[Specimen]:
    """The samples that have counts, sorted by their first tag.

    Parameters
    ----------
    tags
        `sample_tag role sample_id patient_id hla percent_pe`. Tags with one `sample_id` are
        replicates, one without stands for itself.
    read
        Sample tags with counts.
    """
    own = tags[(tags["role"] == "sample") & tags["sample_tag"].isin(read)].sort_values("sample_tag")
    names = own["sample_id"].where(own["sample_id"].notna(), "\0" + own["sample_tag"])
    for _, rows in own.groupby(names, sort=False):
        first = rows.iloc[0]
        yield Specimen(
            tuple(rows["sample_tag"]),
            first["sample_id"],
            first["patient_id"],
            first["hla"],
            float(first["percent_pe"]),
        )
