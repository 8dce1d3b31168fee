"""What came in, what was left out at each step, and why: from patients to clones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from hiaim_sc.names import RELEASE_TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

_Row = tuple[str, str, str, int, int, int, str]


def count_flow(
    expected_samples: pd.DataFrame,
    library_states: pd.DataFrame,
    cells: pd.DataFrame,
    clones: pd.DataFrame,
) -> pd.DataFrame:
    """The release table ``flow_of_samples``: a row per level, step, tissue and reason.

    Parameters
    ----------
    expected_samples
        Every planned or collected sample with its status.
    library_states
        Every library with its state.
    cells, clones
        Release tables.

    Returns
    -------
    ``n_in`` and ``n_out`` are those of the step; over its rows ``n_in - sum(n_lost) = n_out``. A
    step that loses nothing has one row with ``n_lost`` 0 and no reason. A cell lost for two
    reasons stands under both, joined by ";".
    """
    columns = list(RELEASE_TABLES["flow_of_samples"])
    rows = [
        *_patients(expected_samples, cells),
        *_samples(expected_samples, library_states, cells),
        *_libraries(expected_samples, library_states),
        *_cells(cells),
        *_clones(clones),
    ]
    return pd.DataFrame(rows, columns=columns)


def _step(level: str, step: str, group: str, n_in: int, lost: pd.Series) -> Iterator[_Row]:
    """Rows of one step; `lost` holds the reason of each thing lost."""
    counts = lost.fillna("no reason given").value_counts().sort_index()
    n_out = n_in - len(lost)
    if counts.empty:
        yield level, step, group, n_in, n_out, 0, ""
    for reason, n_lost in counts.items():
        yield level, step, group, n_in, n_out, int(n_lost), str(reason)


def _for_reason(lost: pd.DataFrame | pd.Series, reason: str) -> pd.Series:
    return pd.Series(reason, index=lost.index, dtype="str")


def _patients(expected: pd.DataFrame, cells: pd.DataFrame) -> Iterator[_Row]:
    patients = pd.Series(expected["patient_id"].unique())
    with_cells = set(cells.loc[cells["qc_pass"], "patient_id"])
    lost = _for_reason(patients[~patients.isin(with_cells)], "no sample with cells")
    yield from _step("patient", "with sequenced samples", "all", len(patients), lost)


def _samples(expected: pd.DataFrame, states: pd.DataFrame, cells: pd.DataFrame) -> Iterator[_Row]:
    delivered = states[states["state"] == "delivered"]
    quarantined = states[states["state"] == "quarantined"]
    with_cells = set(cells.loc[cells["qc_pass"], "sample_id"])
    for tissue, samples in expected.groupby("tissue"):
        collected = samples[samples["status"] == "collected"]
        gone = samples.loc[samples["status"] != "collected", "status"]
        yield from _step("sample", "collected", str(tissue), len(samples), gone)
        is_read = collected["sample_id"].isin(delivered["sample_id"])
        read, rest = collected[is_read], collected.loc[~is_read, "sample_id"]
        is_unusable = rest.isin(quarantined["sample_id"])
        lost = is_unusable.map({True: "failed_qc", False: "not_yet_sequenced"})
        yield from _step("sample", "sequenced and read", str(tissue), len(collected), lost)
        lost = _for_reason(read[~read["sample_id"].isin(with_cells)], "no cell passes QC")
        yield from _step("sample", "with cells that pass QC", str(tissue), len(read), lost)


def _libraries(expected: pd.DataFrame, states: pd.DataFrame) -> Iterator[_Row]:
    tissue = expected.dropna(subset="sample_id").set_index("sample_id")["tissue"]
    is_pooled = states["library_id"].duplicated(keep=False)
    groups = states["sample_id"].map(tissue).mask(is_pooled).fillna("pooled")
    groups, states = (
        groups[~states["library_id"].duplicated()],
        states.drop_duplicates("library_id"),
    )
    for group, libraries in states.groupby(groups):
        is_here = libraries["state"] != "expected"
        lost = _for_reason(libraries[~is_here], "not delivered")
        yield from _step("library", "delivered", str(group), len(libraries), lost)
        reasons = libraries.loc[libraries["state"] == "quarantined", "reason"]
        lost = "quarantined: " + reasons.fillna("no reason given").astype("str")
        yield from _step("library", "read", str(group), int(is_here.sum()), lost)


def _cells(cells: pd.DataFrame) -> Iterator[_Row]:
    for tissue, found in cells.groupby(cells["tissue"].fillna("of no sample")):
        lost = found.loc[~found["qc_pass"], "qc_reason"]
        yield from _step("cell", "pass QC", str(tissue), len(found), lost)
        kept = found[found["qc_pass"]]
        unclear = kept["cell_type_coarse"].isin(["ambiguous", "unassigned"])
        reasons = kept.loc[unclear, "cell_type_coarse"]
        yield from _step("cell", "have a cell type", str(tissue), len(kept), reasons)


def _clones(clones: pd.DataFrame) -> Iterator[_Row]:
    for tissue, found in clones.groupby("tissue"):
        kept = found.groupby("clone_key")["n_cells_qc"].sum()
        lost = _for_reason(kept[kept == 0], "no cell passes QC")
        yield from _step("clone", "with cells that pass QC", str(tissue), len(kept), lost)
