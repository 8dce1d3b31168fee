"""What a release holds, counted from its own tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hiaim_sc.report.figures.library_qc import count_cell_losses

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd


@dataclass(frozen=True)
class ReleaseCounts:
    """How much came in, and how much of it is used.

    Attributes
    ----------
    n_patients
        Patients with an expected sample.
    n_samples_expected, sample_losses
        Samples the design asks for, and reason -> how many of them gave no data.
    n_libraries, n_quarantined
        Libraries delivered, and those left out for unusable files.
    n_cells_read, cell_losses
        Cell barcodes delivered, and first reason -> how many are not counted.
    n_clones
        Distinct clones.
    """

    n_patients: int
    n_samples_expected: int
    sample_losses: dict[str, int]
    n_libraries: int
    n_quarantined: int
    n_cells_read: int
    cell_losses: dict[str, int]
    n_clones: int

    @property
    def n_samples_used(self) -> int:
        """Samples that gave data."""
        return self.n_samples_expected - sum(self.sample_losses.values())

    @property
    def n_cells_kept(self) -> int:
        """Cells that passed quality control."""
        return self.n_cells_read - sum(self.cell_losses.values())


def count_release(tables: Mapping[str, pd.DataFrame]) -> ReleaseCounts:
    """Numbers of the first screen, from `flow_of_samples endpoints libraries_qc cells clones`."""
    flow = tables["flow_of_samples"]
    samples = flow[flow["level"] == "sample"]
    expected = samples.groupby("arm_blind_group")["n_in"].max().sum()
    lost = samples[samples["n_lost"] > 0].groupby("reason")["n_lost"].sum()
    losses = count_cell_losses(tables["cells"]).sum().drop("kept")
    libraries = tables["libraries_qc"]
    return ReleaseCounts(
        n_patients=_count_patients(tables),
        n_samples_expected=int(expected),
        sample_losses={str(reason): int(n) for reason, n in lost.items()},
        n_libraries=len(libraries),
        n_quarantined=int((libraries["verdict"] == "quarantined").sum()),
        n_cells_read=len(tables["cells"]),
        cell_losses={str(reason): int(n) for reason, n in losses.items() if n},
        n_clones=int(tables["clones"]["clone_key"].nunique()),
    )


def _count_patients(tables: Mapping[str, pd.DataFrame]) -> int:
    flow = tables["flow_of_samples"]
    rows = flow[flow["level"] == "patient"]
    if len(rows):
        return int(rows.groupby("arm_blind_group")["n_in"].max().sum())
    names = [tables[name]["patient_id"].dropna() for name in ("endpoints", "cells")]
    return len(np.unique(np.concatenate([found.to_numpy(dtype=str) for found in names])))
