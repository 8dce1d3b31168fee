"""A study folder that has been read and checked, and what the stages need to know of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiaim_sc.study.library_files import LibraryFiles
from hiaim_sc.study.paths import PathRoots
from hiaim_sc.study.tables import ALLOCATION, FILE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from hiaim_sc.config import StudyConfig
    from hiaim_sc.study.library_files import LetIn

_PLACE = ["patient_id", "visit", "tissue", "session_phase"]
_DAYS = ["days_from_plan", "days_since_infusion"]
_BLOOD_COUNT = ["wbc_1e9_per_l", "lymphocyte_pct"]
_NO_ROW = "no row in samples.tsv"


@dataclass(frozen=True, eq=False)
class Study:
    """A study folder that has no fault in its config and tables. It knows no arm.

    Tables are sorted by their keys, with a fresh index; text that is missing is NaN, numbers are
    float64, flags bool, dates ISO text.

    Attributes
    ----------
    folder
        Resolved path.
    config
        ``study.yaml``.
    participants, samples, libraries
        Without rows where the study has no such table.
    hashtags, antigens, measurements, bulk_screens, bulk_samples, cell_type_overrides
        None where the study has no such table.
    held
        library_id: why it is kept out of the analysis.
    let_in
        library_id: who let it in, where it had been kept out.
    gone
        Libraries of which files are not there any more; they are in `held`.
    held_screens
        screen_id: why it is kept out of the analysis; it has no row in `bulk_screens`.
    """

    folder: Path
    config: StudyConfig
    participants: pd.DataFrame
    samples: pd.DataFrame
    libraries: pd.DataFrame
    hashtags: pd.DataFrame | None = None
    antigens: pd.DataFrame | None = None
    measurements: pd.DataFrame | None = None
    bulk_screens: pd.DataFrame | None = None
    bulk_samples: pd.DataFrame | None = None
    cell_type_overrides: pd.DataFrame | None = None
    held: Mapping[str, str] = field(default_factory=dict)
    let_in: Mapping[str, LetIn] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()
    held_screens: Mapping[str, str] = field(default_factory=dict)

    def delivered_libraries(self) -> tuple[str, ...]:
        """Ids of the libraries whose files are there, sorted."""
        is_delivered = self.libraries["state"] == "delivered"
        return tuple(self.libraries.loc[is_delivered, "library_id"])

    def not_processable(self) -> dict[str, str]:
        """Delivered libraries that cannot be part of the analysis: id and reason."""
        reasons = dict(self.held)
        status = self.samples.set_index("sample_id")["status"]
        for row in self.libraries[self.libraries["state"] == "delivered"].itertuples():
            samples = self._samples_of(row)
            found = sorted(set(status[samples]))
            if pd.isna(row.sample_id) and len(samples) == 1:
                reasons[row.library_id] = "pooled, but its hashtags are all of one sample"
            elif "collected" not in found:
                reasons[row.library_id] = f"its sample's status is {', '.join(found)}"
            elif pd.isna(row.sample_id) and pd.isna(row.gex):
                reasons[row.library_id] = "pooled, without gex: hashtags are features of that file"
        return reasons

    def _samples_of(self, library: Any) -> list[str]:
        """The samples of a row of `libraries`: its own, or those of its hashtags."""
        if pd.notna(library.sample_id):
            return [library.sample_id]
        hashtags = self.hashtags_of(library.library_id)
        return [] if hashtags is None else sorted(set(hashtags["sample_id"]))

    def hashtags_of(self, library_id: str) -> pd.DataFrame | None:
        """`hashtag sample_id` of a pooled library; None where the library is of one sample."""
        if self.hashtags is None:
            return None
        row = self.libraries.set_index("library_id").loc[library_id]
        if pd.notna(row["sample_id"]):
            return None
        is_own = self.hashtags["library_id"] == library_id
        return self.hashtags.loc[is_own, ["hashtag", "sample_id"]].reset_index(drop=True)

    def _with_samples(self, libraries: pd.DataFrame) -> pd.DataFrame:
        """A row per library and sample, `sample_id` filled in where a library is pooled."""
        samples: list[list[Any]] = [
            self._samples_of(row) or [np.nan] for row in libraries.itertuples()
        ]
        rows = libraries.assign(sample_id=pd.Series(samples, index=libraries.index, dtype=object))
        rows = rows.explode("sample_id", ignore_index=True)
        return rows.astype({"sample_id": "str"})

    def layout(self, library_ids: Collection[str] | None = None) -> pd.DataFrame:
        """A row per library of the analysis and sample in it; no arm.

        A pooled library has a row for each of its samples that was collected; which cells are of
        which, `cell_samples` says.

        Parameters
        ----------
        library_ids
            Only these; by default all that are delivered and processable.

        Returns
        -------
        `library_id sample_id patient_id visit tissue session_phase batch`, sorted by library and
        sample.
        """
        usable = set(self.delivered_libraries()) - set(self.not_processable())
        if library_ids is not None:
            usable &= set(library_ids)
        libraries = self.libraries.loc[
            self.libraries["library_id"].isin(usable), ["library_id", "sample_id", "batch"]
        ]
        is_collected = self.samples["status"] == "collected"
        samples = self.samples.loc[is_collected, ["sample_id", *_PLACE]]
        layout = self._with_samples(libraries).merge(
            samples, on="sample_id", validate="many_to_one"
        )
        columns = ["library_id", "sample_id", *_PLACE, "batch"]
        return layout[columns].sort_values(["library_id", "sample_id"], ignore_index=True)

    def library_files(self, library_id: str) -> LibraryFiles:
        """Resolved paths of one library's files."""
        row = self.libraries.set_index("library_id").loc[library_id]
        roots = PathRoots.of(self.folder, self.config.data_roots)
        paths = {
            column: None if pd.isna(row[column]) else roots.locate(row[column])
            for column in FILE_COLUMNS
        }
        return LibraryFiles(library_id, **paths)

    def expected_samples(self) -> pd.DataFrame:
        """Every planned patient x visit x tissue at rest, and every further row of samples.tsv.

        Returns
        -------
        `patient_id visit tissue session_phase sample_id status reason wbc_1e9_per_l
        lymphocyte_pct days_from_plan days_since_infusion`, a row per specimen, sorted by patient,
        visit in the order of the design, tissue, phase. Without a row in samples.tsv the `status`
        is not_collected and `sample_id` missing.
        """
        design = self.config.design
        planned = pd.MultiIndex.from_product(
            [self.participants["patient_id"], list(design.visits), design.tissues, ["rest"]],
            names=_PLACE,
        ).to_frame(index=False)
        table = planned.merge(
            self._with_days()[[*_PLACE, "sample_id", "status", "reason", *_BLOOD_COUNT, *_DAYS]],
            on=_PLACE,
            how="outer",
        )
        has_row = table["sample_id"].notna()
        table["status"] = table["status"].where(has_row, "not_collected")
        table["reason"] = table["reason"].where(has_row, _NO_ROW)
        order = {visit: position for position, visit in enumerate(design.visits)}
        return table.sort_values(
            _PLACE,
            key=lambda column: column.map(order) if column.name == "visit" else column,
            ignore_index=True,
        )

    def _with_days(self) -> pd.DataFrame:
        """The samples, with the days from the planned day and from the last infusion."""
        taken = pd.to_datetime(self.samples["collected_on"])
        enrolled = self.participants.set_index("patient_id").get("enrolled_on")
        planned = self.samples["visit"].map(self.config.design.visits).astype("float64")
        since_enrolment = (
            np.nan
            if enrolled is None
            else (taken - pd.to_datetime(self.samples["patient_id"].map(enrolled))).dt.days
        )
        since_infusion = taken - pd.to_datetime(self.samples["last_infusion_on"])
        return self.samples.assign(
            days_from_plan=since_enrolment - planned, days_since_infusion=since_infusion.dt.days
        )

    def library_states(self, quarantined: Mapping[str, str] | None = None) -> pd.DataFrame:
        """Where each library stands.

        Parameters
        ----------
        quarantined
            `library_id`: reason.

        Returns
        -------
        `library_id sample_id batch state reason`, a row for each sample of a pooled library;
        `state` is expected, delivered or quarantined. A delivered library has a reason where a
        person has let it in.
        """
        table = self._with_samples(self.libraries[["library_id", "sample_id", "batch", "state"]])
        reasons = dict(quarantined or {})
        is_out = table["library_id"].isin(list(reasons))
        words = {name: found.words for name, found in self.let_in.items()}
        table["reason"] = table["library_id"].map({**words, **reasons}).astype("str")
        table["state"] = table["state"].where(~is_out, "quarantined")
        return table

    def _locate(self, text: str) -> Path:
        return PathRoots.of(self.folder, self.config.data_roots).locate(text)

    def panel_file(self) -> Path | None:
        """Path of the study's own marker panel, None where it uses the packaged one."""
        panel = self.config.options.annotate.panel
        return None if panel is None else self._locate(panel)

    def signatures_file(self) -> Path | None:
        """Path of the study's own signatures, None where it uses the packaged ones."""
        signatures = self.config.options.phenotypes.signatures
        return None if signatures is None else self._locate(signatures)

    def gene_lists(self) -> dict[str, Path]:
        """Paths of the further signatures, by name."""
        lists = self.config.options.phenotypes.gene_lists
        return {name: self._locate(text) for name, text in lists.items()}

    def database_files(self) -> tuple[Path, ...]:
        """Paths of the databases of receptors with known antigens."""
        return tuple(self._locate(text) for text in self.config.options.databases.files)

    def strata(self) -> pd.DataFrame:
        """`patient_id` and the columns that were randomised in."""
        return self.participants[["patient_id", *self.config.design.strata]]

    def identity_participants(self) -> pd.DataFrame:
        """What is known of each patient that the cells must agree with: `patient_id sex`."""
        return self.participants[["patient_id", "sex"]]

    def patient_hla(self) -> pd.DataFrame:
        """`patient_id hla`, missing where a patient is not typed."""
        return self.participants.reindex(columns=["patient_id", "hla"])

    def allocation_file(self) -> Path | None:
        """Path of the allocation, None where there is none; it is not opened."""
        path = self.folder / ALLOCATION
        return path if path.is_file() else None
