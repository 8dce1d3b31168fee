"""How many of the antigens a patient's HLA presents are recognised, and by how many T cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import hypergeom

from hiaim_sc.compare.endpoints.clonal import choose_depth, select_population
from hiaim_sc.compare.endpoints.scales import Measured, as_mean_share
from hiaim_sc.compare.samples import PLACE, Row, start_row
from hiaim_sc.compare.units import FRACTION
from hiaim_sc.names import PAIRED_CHAINS
from hiaim_sc.stats import subsample_counts
from hiaim_sc.storage import generator
from hiaim_sc.study import group_alleles, presents

if TYPE_CHECKING:
    import pandas as pd

    from hiaim_sc.config import CompareOptions

BREADTH = "pmhc_breadth"

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

    Antigens expected to have a called T cell among m, over the antigens of the panel that the
    patient's HLA presents; and T cells called for any of these over all T cells that could be: both
    of the stained libraries, and with both chains of a receptor where only these are called. The
    depth m is chosen from these cells. A sample that was not stained, or of a patient to whose HLA
    nothing in the panel belongs, is ``not_collected``.

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
        The minimum, the depth and the number of subsamples.
    """
    stained = cells[cells["library_id"].isin(screen.libraries)]
    counted = stained[stained["qc_pass"] & select_population(stained, population)]
    if screen.paired_only:
        counted = counted[_could_be_called(counted)]
    calls = screen.specificity[[*_CELL, "dna_barcode"]].merge(
        counted[[*_CELL, "sample_id"]], on=_CELL
    )
    called = dict(list(calls.groupby("sample_id")))
    panels = screen.matched()
    here = _locate_stained(located, set(stained["sample_id"]), panels)
    sizes = counted.groupby("sample_id").size()
    here["n_cells"] = here["sample_id"].map(sizes).fillna(0).astype(int)
    depth = _choose_depth(here, options)
    rows = []
    for sample in here.itertuples():
        panel = panels.get(sample.patient_id, frozenset())
        found = called.get(sample.sample_id, calls.iloc[:0])
        found = found[found["dna_barcode"].isin(panel)]
        rows += [
            _breadth(sample, found, len(panel), depth[sample.tissue], options.called_draws),
            _magnitude(sample, len(found.drop_duplicates(_CELL)), options.min_t_cells),
        ]
    return [row | {"population": population} for row in rows]


def count_antigens(
    calls: pd.DataFrame,
    n_cells: int,
    n_screened: int,
    depth: int,
    *,
    draws: int,
    rng: np.random.Generator,
) -> Measured:
    r"""Share of the antigens screened that have a called cell among m of the sample's n cells.

    :math:`\sum_a (1 - \binom{n - k_a}{m} / \binom{n}{m})` over the antigens screened, with
    :math:`k_a` cells called for antigen a: what m cells show, however many there are. The analysed
    value is the mean logit over subsamples.

    Parameters
    ----------
    calls
        ``library_id cell_barcode dna_barcode`` of the antigens screened.
    n_cells
        Cells of the sample that could be called.
    n_screened
        Antigens.
    depth
        Cells m.
    """
    if calls.empty:
        return as_mean_share(np.zeros(1), n_screened)
    cell, antigen = (calls.groupby(names).ngroup() for names in (_CELL, "dna_barcode"))
    held = np.zeros((cell.max() + 1, antigen.max() + 1), dtype=bool)
    held[cell, antigen] = True
    expected = 1 - hypergeom.pmf(0, n_cells, held.sum(axis=0), depth)
    # by what the cells hold, so that their order does not matter
    kinds, sizes = np.unique(held, axis=0, return_counts=True)
    counts = [*sizes, n_cells - sizes.sum()]
    drawn = subsample_counts(counts, depth, n_draws=draws, rng=rng)[:, :-1]
    n_seen = (drawn @ kinds > 0).sum(axis=1)
    analysed = as_mean_share(n_seen, n_screened).analysed
    return Measured(float(expected.sum() / n_screened), analysed)


def _could_be_called(cells: pd.DataFrame) -> pd.Series:
    """Cells with both chains, and all cells of libraries that know no receptor."""
    has_vdj = cells["chain_pairing"].notna().groupby(cells["library_id"]).transform("any")
    return cells["chain_pairing"].isin(PAIRED_CHAINS) | ~has_vdj


def _locate_stained(
    located: pd.DataFrame, stained: set[str], panels: dict[str, frozenset[str]]
) -> pd.DataFrame:
    """Samples of the tissues that were stained; ``not_possible`` says why none can be called."""
    is_stained = located["sample_id"].isin(stained)
    has_panel = located["patient_id"].isin([name for name, panel in panels.items() if panel])
    reasons = located["reason_missing"].mask(
        (located["reason_missing"] == "") & ~(is_stained & has_panel), "not_collected"
    )
    is_here = located["tissue"].isin(located.loc[is_stained, "tissue"].unique())
    return located.assign(not_possible=reasons)[is_here]


def _choose_depth(here: pd.DataFrame, options: CompareOptions) -> dict[str, int]:
    """By tissue the cells among which antigens are counted, from the samples with a value."""
    sizes = here["n_cells"].where(here["not_possible"] == "", 0)
    return {
        str(tissue): options.pmhc_depth.get(str(tissue)) or choose_depth(found, options)
        for tissue, found in sizes.groupby(here["tissue"])
    }


def _breadth(sample: Any, calls: pd.DataFrame, n_screened: int, depth: int, draws: int) -> Row:
    reason = sample.not_possible or ("below_depth" if sample.n_cells < depth else "")
    row = _start(sample, BREADTH, "logit", reason) | {"depth": depth}
    if reason:
        return row
    rng = generator(BREADTH, *(str(getattr(sample, name)) for name in PLACE))
    found = count_antigens(calls, sample.n_cells, n_screened, depth, draws=draws, rng=rng)
    return row | {"value": found.value, "value_analysed": found.analysed}


def _magnitude(sample: Any, n_called: int, minimum: int) -> Row:
    n_cells = sample.n_cells
    reason = sample.not_possible or ("below_cell_min" if n_cells < minimum else "")
    row = _start(sample, "pmhc_mag", "ln", reason) | {"unit": FRACTION}
    if reason:
        return row
    analysed = float(np.log((n_called + 0.5) / n_cells))
    return row | {"value": n_called / n_cells, "value_analysed": analysed}


def _start(sample: Any, endpoint: str, scale: str, reason: str) -> Row:
    known = {} if sample.reason_missing else {"n_cells": sample.n_cells}
    return start_row(sample, endpoint, scale=scale, **known) | {"reason_missing": reason}
