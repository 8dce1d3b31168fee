"""Can the study answer its question at all? Batch against visit and arm."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from hiaim_sc.errors import Fault
from hiaim_sc.names import MAX_BATCH_INFLATION
from hiaim_sc.study.tables import LIBRARIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hiaim_sc.study.study import Study


class Contrast(NamedTuple):
    """Libraries of two groups.

    Attributes
    ----------
    name
        In words.
    column
        What tells the groups apart.
    is_second
        A boolean per library.
    batch
        Its batch.
    """

    name: str
    column: str
    is_second: pd.Series
    batch: pd.Series


def check_design(study: Study, arms: pd.Series | None = None) -> list[Fault]:
    """A fault for each contrast that the batches make impossible to estimate.

    Within a tissue and session phase, each visit is held against the baseline, and, where the arms
    are given, arm against arm at each visit. The design has a column for each batch and one for
    the contrast, which is estimable unless batches add up to it. A contrast whose libraries are
    not there yet, or all of one batch, is not judged.

    Parameters
    ----------
    study
        Read and checked.
    arms
        `patient_id`: arm. None leaves the arms out.
    """
    faults = []
    for contrast in _list_contrasts(study, arms):
        if aliased := _aliased_batches(contrast):
            allowed = (
                f"batches that do not coincide with {contrast.column}: {contrast.name} cannot be"
                " told from the difference between batches; spread both groups over the batches"
            )
            faults.append(Fault(LIBRARIES, 0, "batch", ", ".join(aliased), allowed))
    return sorted(faults)


def note_batches(study: Study, arms: pd.Series | None = None) -> list[str]:
    """A sentence for each contrast of `check_design` that the batches nearly follow; no fault.

    The variance of the contrast with a column per batch, over that without, is above
    `MAX_BATCH_INFLATION`; it is 1 / (1 - V^2), V being Cramer's of batch and group. No batch,
    library or patient is named.

    Parameters
    ----------
    study, arms
        As for `check_design`.
    """
    notes = []
    for contrast in _list_contrasts(study, arms):
        inflation = _inflate(contrast)
        if MAX_BATCH_INFLATION < inflation < math.inf:
            notes.append(
                f"{LIBRARIES}: batches nearly follow {contrast.column}: taking them out of"
                f" {contrast.name} would multiply its variance by {inflation:.1f} (Cramér's V"
                f" {math.sqrt(1 - 1 / inflation):.2f}); a difference between batches would look"
                " the same"
            )
    return notes


def aliased_levels(layout: pd.DataFrame) -> tuple[str, ...]:
    """Which of visit and patient_id the batches are aliased with: every batch is of one of them.

    Parameters
    ----------
    layout
        ``batch visit patient_id``, a row per library and sample.

    Returns
    -------
    Names of columns; none where there is one batch, or one value of the column.
    """
    if layout["batch"].nunique() < 2:
        return ()
    levels = ["visit", "patient_id"]
    in_all = layout[levels].nunique()
    in_batch = layout.groupby("batch")[levels].nunique().max()
    return tuple(level for level in levels if in_all[level] > 1 and in_batch[level] < 2)


def _list_contrasts(study: Study, arms: pd.Series | None) -> Iterator[Contrast]:
    for place, libraries in study.layout().groupby(["tissue", "session_phase"]):
        where = " ".join(str(part) for part in place)
        contrasts = [*_visit_contrasts(libraries, study)]
        if arms is not None:
            contrasts += _arm_contrasts(libraries, study, arms)
        for contrast in contrasts:
            yield contrast._replace(name=f"{contrast.name} ({where})")


def _visit_contrasts(libraries: pd.DataFrame, study: Study) -> Iterator[Contrast]:
    design = study.config.design
    for visit in design.follow_ups:
        both = libraries[libraries["visit"].isin([design.baseline, visit])]
        name = f"{visit} - {design.baseline}"
        yield Contrast(name, "visit", both["visit"] == visit, both["batch"])


def _arm_contrasts(libraries: pd.DataFrame, study: Study, arms: pd.Series) -> Iterator[Contrast]:
    reference, *others = study.config.design.arms
    arm = libraries["patient_id"].map(arms)
    for visit in study.config.design.visits:
        for other in others:
            both = (libraries["visit"] == visit) & arm.isin([reference, other])
            name = f"{other} - {reference} at {visit}"
            yield Contrast(name, "arm", arm[both] == other, libraries.loc[both, "batch"])


def _inflate(contrast: Contrast) -> float:
    """What a column per batch would multiply the contrast's variance by; NaN without a contrast."""
    if contrast.is_second.nunique() < 2:
        return math.nan
    # scipy.stats takes half a second to import
    from hiaim_sc.stats import variance_inflation

    batches = pd.get_dummies(contrast.batch).astype(float)
    return variance_inflation(contrast.is_second.to_numpy(dtype=bool), batches.to_numpy())


def _aliased_batches(contrast: Contrast) -> list[str]:
    """The batches that add up to the contrast; none where it is estimable or not yet a contrast."""
    if contrast.is_second.nunique() < 2 or contrast.batch.nunique() < 2:
        return []
    # scipy.stats takes half a second to import
    from hiaim_sc.stats import estimable

    columns = pd.get_dummies(contrast.batch).astype(float)
    names = [str(name) for name in columns]
    columns["contrast"] = contrast.is_second.astype(float)
    found = estimable(columns.to_numpy(), [0.0] * len(names) + [1.0])
    return [] if found.estimable else [names[int(i)] for i in found.aliased if int(i) < len(names)]
