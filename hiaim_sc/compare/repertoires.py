"""Clonal endpoints of all samples, each with a value or the reason why it has none."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiaim_sc.compare.clonal import (
    called_clones,
    choose_depth,
    choose_population,
    count_clones,
    dual_expanded,
    expanded_clones,
    expanded_fraction,
)
from hiaim_sc.compare.samples import PLACE, Row, group_cells, start_row
from hiaim_sc.stats import empirical_logit
from hiaim_sc.storage import generator

if TYPE_CHECKING:
    from hiaim_sc.config import CompareOptions, Design

_NO_CLONES = pd.Series(dtype="int64")


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
        T cells that are counted, CD8 or T.
    """

    located: pd.DataFrame
    clones: dict[str, pd.Series]
    with_receptors: frozenset[str]
    depth: dict[str, int]
    population: str

    @cached_property
    def _by_place(self) -> dict[tuple[str, ...], Any]:
        return {
            tuple(getattr(row, name) for name in PLACE): row for row in self.located.itertuples()
        }

    def find(self, sample: Any, **elsewhere: str) -> Any | None:
        """The same patient's sample at another tissue, visit or phase, if one is expected."""
        place = {name: getattr(sample, name) for name in PLACE} | elsewhere
        return self._by_place.get(tuple(place[name] for name in PLACE))

    def of(self, sample: Any) -> pd.Series:
        """Cells per clone of a sample."""
        return self.clones.get(sample.sample_id, _NO_CLONES)

    def why_missing(self, sample: Any | None) -> str:
        """Why a sample has no clonal value; empty when it has."""
        if sample is None:
            return "not_collected"
        if sample.reason_missing:
            return str(sample.reason_missing)
        if sample.sample_id not in self.with_receptors:
            return "no_vdj"
        return "below_depth" if self.of(sample).sum() < self.depth[sample.tissue] else ""

    def start(self, sample: Any, endpoint: str, scale: str) -> Row:
        """A row of the endpoints, without a value yet."""
        known = {} if sample.reason_missing else {"n_cells": int(self.of(sample).sum())}
        return start_row(
            sample,
            endpoint,
            scale=scale,
            depth=self.depth[sample.tissue],
            population=self.population,
            reason_missing=self.why_missing(sample),
            **known,
        )


def gather_repertoires(
    located: pd.DataFrame, cells: pd.DataFrame, options: CompareOptions
) -> Repertoires:
    """Count the clones of each sample and choose the depth of each tissue, without the arm.

    Parameters
    ----------
    located
        As `hiaim_sc.compare.samples.locate_samples` returns it.
    cells
        Release table ``cells``.
    options
        Fixed depths, and the least of those that are chosen.
    """
    usable = located[located["reason_missing"] == ""]
    tissue_of = dict(zip(usable["sample_id"], usable["tissue"], strict=True))
    population = choose_population(cells)
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
    with_receptors = frozenset(cells.loc[cells["chain_pairing"].notna(), "sample_id"])
    return Repertoires(located, clones, with_receptors, depth, population)


def measure_expansion(repertoires: Repertoires, options: CompareOptions) -> list[Row]:
    """``nexp_m`` and ``expfrac_m`` of each sample."""
    rows = []
    for sample in repertoires.located.itertuples():
        number = repertoires.start(sample, "nexp_m", "ln")
        share = repertoires.start(sample, "expfrac_m", "logit")
        if not number["reason_missing"]:
            counts, depth = repertoires.of(sample), number["depth"]
            number |= _as_number(expanded_clones(counts, depth, options))
            share |= _as_share(expanded_fraction(counts, depth, options), depth)
        rows += [number, share]
    return rows


def measure_calls(repertoires: Repertoires, design: Design, options: CompareOptions) -> list[Row]:
    """``n_called_m``: clones called expanded since the baseline, at each later visit.

    Both samples are of the same phase: what a bout mobilises is no expansion.
    """
    rows = []
    for sample in repertoires.located.itertuples():
        if sample.visit == design.baseline:
            continue
        row = repertoires.start(sample, "n_called_m", "ln")
        first = repertoires.find(sample, visit=design.baseline)
        row["reason_missing"] = row["reason_missing"] or repertoires.why_missing(first)
        if not row["reason_missing"]:
            found = called_clones(
                repertoires.of(first),
                repertoires.of(sample),
                row["depth"],
                options,
                rng=_chance("n_called_m", sample),
            )
            row |= _as_number(found)
        rows.append(row)
    return rows


def measure_dual(repertoires: Repertoires, options: CompareOptions) -> list[Row]:
    """``blood_tumour_dual``: clones expanded in the tumour and in the resting blood of a visit."""
    if not {"tumor", "blood"} <= set(repertoires.depth):
        return []
    located, depth = repertoires.located, repertoires.depth
    rows = []
    for sample in located[located["tissue"] == "tumor"].itertuples():
        row = repertoires.start(sample, "blood_tumour_dual", "logit")
        blood = repertoires.find(sample, tissue="blood", session_phase="rest")
        row["reason_missing"] = row["reason_missing"] or repertoires.why_missing(blood)
        if not row["reason_missing"]:
            found = dual_expanded(
                repertoires.of(sample),
                repertoires.of(blood),
                (depth["tumor"], depth["blood"]),
                draws=options.called_draws,
                rng=_chance("blood_tumour_dual", sample),
            )
            row |= _as_share(found, depth["tumor"])
        rows.append(row)
    return rows


def _as_number(value: float) -> Row:
    return {"value": value, "value_analysed": float(np.log(value + 0.5))}


def _as_share(value: float, depth: int) -> Row:
    return {"value": value, "value_analysed": float(empirical_logit(value * depth, depth))}


def _chance(endpoint: str, sample: Any) -> np.random.Generator:
    """Random numbers of this endpoint and sample alone."""
    return generator(endpoint, *(str(getattr(sample, name)) for name in PLACE))
