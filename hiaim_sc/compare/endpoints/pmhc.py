"""How many of the antigens a patient's HLA presents are recognised, and by how many T cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hiaim_sc.compare.endpoints.clonal import select_population
from hiaim_sc.compare.endpoints.scales import Measured, as_share
from hiaim_sc.compare.samples import Row, start_row
from hiaim_sc.compare.units import FRACTION
from hiaim_sc.names import PAIRED_CHAINS
from hiaim_sc.study import group_alleles, presents

if TYPE_CHECKING:
    import pandas as pd

    from hiaim_sc.config import CompareOptions


_CELL = ["library_id", "cell_barcode"]


@dataclass(frozen=True)
class Screen:
    """What was stained with pMHC multimers, and what was called.

    Attributes
    ----------
    specificity
        Release table.
    antigens
        ``dna_barcode hla is_control`` of the panel.
    hla
        ``patient_id hla`` of the participants; alleles separated by commas.
    libraries
        Libraries that were stained.
    paired_only
        Whether only cells with both chains of a receptor were called, and so are counted.
    """

    specificity: pd.DataFrame
    antigens: pd.DataFrame
    hla: pd.DataFrame
    libraries: frozenset[str]
    paired_only: bool = False

    def matched(self) -> dict[str, frozenset[str]]:
        """By patient the dna_barcodes of antigens that their HLA presents.

        Controls are left out; an antigen of no stated HLA counts for everybody.
        """
        known = self.antigens.reindex(columns=["dna_barcode", "hla", "is_control"])
        typed = dict(zip(self.hla["patient_id"].astype(str), self.hla["hla"], strict=True))
        panel = known[~known["is_control"].fillna(value=False).astype(bool)]
        alleles = dict(zip(panel["dna_barcode"].astype(str), panel["hla"], strict=True))
        return {
            patient_id: frozenset(
                name
                for name, wanted in alleles.items()
                if not group_alleles(wanted) or presents(own, wanted) == "yes"
            )
            for patient_id, own in typed.items()
        }


def measure_pmhc(
    located: pd.DataFrame,
    cells: pd.DataFrame,
    screen: Screen,
    population: str,
    options: CompareOptions,
) -> list[Row]:
    """``pmhc_breadth`` and ``pmhc_mag`` of each sample of the tissues that were stained.

    Antigens with a called T cell over the antigens of the panel that the patient's HLA presents,
    and T cells called for any of these over all T cells that could be: both of the stained
    libraries, and with both chains of a receptor where only these are called. A sample
    that was not stained, or of a patient to whose HLA nothing in the panel belongs, is
    ``not_collected``.

    Parameters
    ----------
    located
        As `hiaim_sc.compare.samples.locate_samples` returns it.
    cells
        Release table ``cells``.
    screen
        Panel, HLA and calls.
    population
        T cells that are counted, with a clone or without.
    options
        The minimum.
    """
    stained = cells[cells["library_id"].isin(screen.libraries)]
    counted = stained[stained["qc_pass"] & select_population(stained, population)]
    if screen.paired_only:
        counted = counted[_could_be_called(counted)]
    totals = counted.groupby("sample_id").size()
    calls = screen.specificity[[*_CELL, "dna_barcode"]].merge(
        counted[[*_CELL, "sample_id"]], on=_CELL
    )
    called = dict(list(calls.groupby("sample_id")))
    matched = screen.matched()
    samples = set(stained["sample_id"])
    tissues = set(located.loc[located["sample_id"].isin(samples), "tissue"])
    rows = []
    for sample in located[located["tissue"].isin(tissues)].itertuples():
        panel = matched.get(sample.patient_id, frozenset())
        n_cells = int(totals.get(sample.sample_id, 0))
        reason = sample.reason_missing
        if not reason and (sample.sample_id not in samples or not panel):
            reason = "not_collected"
        if not reason and n_cells < options.min_t_cells:
            reason = "below_cell_min"
        known = {"population": population, "reason_missing": reason}
        if not sample.reason_missing:
            known["n_cells"] = n_cells
        breadth = start_row(sample, "pmhc_breadth", scale="logit", **known)
        magnitude = start_row(sample, "pmhc_mag", scale="ln", unit=FRACTION, **known)
        if not reason:
            found = called.get(sample.sample_id, calls.iloc[:0])
            found = found[found["dna_barcode"].isin(panel)]
            breadth |= _row(as_share(found["dna_barcode"].nunique() / len(panel), len(panel)))
            magnitude |= _row(_magnitude(len(found.drop_duplicates(_CELL)), n_cells))
        rows += [breadth, magnitude]
    return rows


def _could_be_called(cells: pd.DataFrame) -> pd.Series:
    """Cells with both chains, and all cells of libraries that know no receptor."""
    has_vdj = cells["chain_pairing"].notna().groupby(cells["library_id"]).transform("any")
    return cells["chain_pairing"].isin(PAIRED_CHAINS) | ~has_vdj


def _magnitude(n_called: int, n_cells: int) -> Measured:
    return Measured(n_called / n_cells, float(np.log((n_called + 0.5) / n_cells)))


def _row(found: Measured) -> Row:
    return {"value": found.value, "value_analysed": found.analysed}
