"""The clones of all samples: those of one at a depth, beside those it is held against."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from hiaim_sc.compare.endpoints.changes import Growth, measure_growth
from hiaim_sc.compare.endpoints.clonal import choose_depth, choose_population, count_clones
from hiaim_sc.compare.endpoints.diversity import Inequality, average_inequality
from hiaim_sc.compare.samples import PLACE, Row, group_cells, start_row
from hiaim_sc.storage import generator

if TYPE_CHECKING:
    import numpy as np

    from hiaim_sc.config import CompareOptions, Design


_NO_CLONES = pd.Series(dtype="int64")
# What a sample can be held against. All but the baseline are at rest.
BASELINE, BLOOD, DEEP_BLOOD, BASELINE_BLOOD = "baseline", "blood", "deep_blood", "baseline_blood"
TUMOUR = "tumour"
# ... or what it must be itself: blood deep enough to be looked through.
DEEP_ITSELF = "deep_itself"


@dataclass(frozen=True)
class Repertoires:
    """The clones of each sample.

    Attributes
    ----------
    located
        As `hiaim_sc.compare.samples.locate_samples` returns it.
    clones
        Cells per clone of the samples whose cells may be counted, by ``sample_id``.
    with_receptors
        Samples that have V(D)J contigs at all.
    depth
        Common depth m by tissue.
    population
        T cells that are counted, CD8, T or typed T.
    baseline
        The first visit.
    options
        Minima, draws and what counts as expanded.
    """

    located: pd.DataFrame
    clones: dict[str, pd.Series]
    with_receptors: frozenset[str]
    depth: dict[str, int]
    population: str
    baseline: str
    options: CompareOptions

    @cached_property
    def _by_place(self) -> dict[tuple[str, ...], Any]:
        return {
            tuple(getattr(row, name) for name in PLACE): row for row in self.located.itertuples()
        }

    def find(self, sample: Any, partner: str) -> Any | None:
        """The same patient's sample that this one is held against, if one is expected."""
        place = {name: getattr(sample, name) for name in PLACE}
        if partner not in (BASELINE, DEEP_ITSELF):
            tissue = "tumor" if partner == TUMOUR else "blood"
            place |= {"tissue": tissue, "session_phase": "rest"}
        if partner in (BASELINE, BASELINE_BLOOD):
            place["visit"] = self.baseline
        return self._by_place.get(tuple(place[name] for name in PLACE))

    def of(self, sample: Any) -> pd.Series:
        """Cells per clone of a sample."""
        return self.clones.get(sample.sample_id, _NO_CLONES)

    def depth_of(self, sample: Any, partner: str = "") -> int:
        """Depth m of a sample's tissue; blood that is looked through for clones needs more."""
        depth = self.depth[sample.tissue]
        is_deep = partner in (DEEP_BLOOD, DEEP_ITSELF)
        return max(depth, self.options.min_blood_depth) if is_deep else depth

    def why_missing(self, sample: Any, minimum: int | None = None) -> str:
        """Why a sample's clones cannot be counted; empty when they can.

        Parameters
        ----------
        sample
            A row of `located`.
        minimum
            Cells with a clone that are enough, where no depth is needed.
        """
        if sample.reason_missing:
            return str(sample.reason_missing)
        if sample.sample_id not in self.with_receptors:
            return "no_vdj"
        if minimum is not None:
            return "below_cell_min" if self.of(sample).sum() < minimum else ""
        return "below_depth" if self.of(sample).sum() < self.depth[sample.tissue] else ""

    def why_unpaired(self, sample: Any, partner: str) -> str:
        """Why there is nothing to hold a sample against; empty when there is."""
        other = self.find(sample, partner)
        if other is None:
            return "not_collected"
        is_shallow = self.of(other).sum() < self.depth_of(other, partner)
        return self.why_missing(other) or ("below_depth" if is_shallow else "")

    def start(self, sample: Any, endpoint: str, scale: str) -> Row:
        """A row of the endpoints, without a value yet."""
        known = {} if sample.reason_missing else {"n_cells": int(self.of(sample).sum())}
        return start_row(
            sample,
            endpoint,
            scale=scale,
            depth=self.depth[sample.tissue],
            population=self.population,
            **known,
        )


@dataclass(frozen=True)
class Repertoire:
    """The clones of one sample.

    Attributes
    ----------
    all_samples
        Where those it is held against are.
    sample
        A row of ``all_samples.located``.
    """

    all_samples: Repertoires
    sample: Any

    @property
    def counts(self) -> pd.Series:
        """Cells per clone."""
        return self.all_samples.of(self.sample)

    @property
    def depth(self) -> int:
        """Depth m of the tissue."""
        return self.all_samples.depth_of(self.sample)

    @property
    def options(self) -> CompareOptions:
        """Minima, draws and what counts as expanded."""
        return self.all_samples.options

    def partner(self, name: str) -> tuple[pd.Series, int]:
        """Cells per clone and depth of what the sample is held against."""
        other = self.all_samples.find(self.sample, name)
        return self.all_samples.of(other), self.all_samples.depth_of(other, name)

    def chance(self, endpoint: str) -> np.random.Generator:
        """Random numbers of this endpoint and sample alone."""
        return generator(endpoint, *(str(getattr(self.sample, name)) for name in PLACE))

    @cached_property
    def inequality(self) -> Inequality:
        """Means over one set of subsamples."""
        draws = self.options.diversity_draws
        return average_inequality(
            self.counts, self.depth, draws=draws, rng=self.chance("inequality")
        )

    @cached_property
    def growth(self) -> Growth:
        """Means over one set of pairs of subsamples."""
        before, _ = self.partner(BASELINE)
        rng = self.chance("n_called_m")
        return measure_growth(before, self.counts, self.depth, self.options, rng=rng)


def gather_repertoires(
    located: pd.DataFrame,
    cells: pd.DataFrame,
    design: Design,
    options: CompareOptions,
    population: str = "",
) -> Repertoires:
    """Count the clones of each sample and choose the depth of each tissue, without the arm.

    Parameters
    ----------
    located
        As `hiaim_sc.compare.samples.locate_samples` returns it.
    cells
        Release table ``cells``.
    design
        Visits.
    options
        Fixed depths, and the least of those that are chosen.
    population
        T cells that are counted; by default as `choose_population` says.
    """
    usable = located[located["reason_missing"] == ""]
    tissue_of = dict(zip(usable["sample_id"], usable["tissue"], strict=True))
    population = population or choose_population(cells)
    clones = {
        name: count_clones(found, population)
        for name, found in group_cells(cells)
        if name in tissue_of
    }
    sizes: dict[str, list[int]] = {str(tissue): [] for tissue in located["tissue"].unique()}
    for name, found in clones.items():
        sizes[tissue_of[name]].append(int(found.sum()))
    depth = {
        tissue: options.depth.get(tissue) or choose_depth(found, options)
        for tissue, found in sizes.items()
    }
    with_receptors = frozenset(cells.loc[cells["chain_pairing"].notna(), "sample_id"].unique())
    return Repertoires(located, clones, with_receptors, depth, population, design.baseline, options)
