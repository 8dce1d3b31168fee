"""Pooled libraries: cells of several patients in one well, told apart by hashtags."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from hiaim_sc.simulate.library import CELL_COLUMNS, SimulatedLibrary, pool_cells
from hiaim_sc.simulate.seeds import generator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hiaim_sc.simulate.cohort import Cohort, LibraryPlan
    from hiaim_sc.simulate.settings import SimulationSettings

_SIGNAL_SHAPE, _BACKGROUND_SHAPE = 4.0, 2.0  # of the gamma: spread of the staining over cells
_NO_CLONE = ["clone_key", "antigen", "lineage", "receptor"]


@dataclass(frozen=True)
class PoolPlan:
    """A pooled library: the libraries its cells would have been delivered in."""

    library_id: str
    members: tuple[LibraryPlan, ...]

    def hashtag(self, sample_id: str) -> str:
        """Name of a sample's hashtag."""
        samples = [member.sample.sample_id for member in self.members]
        return f"Hashtag_{samples.index(sample_id) + 1}"

    def hashtags(self) -> list[tuple[str, str]]:
        """Hashtag and sample of each member."""
        return [
            (self.hashtag(member.sample.sample_id), member.sample.sample_id)
            for member in self.members
        ]


def plan_pools(settings: SimulationSettings, cohort: Cohort) -> tuple[PoolPlan, ...]:
    """Samples of `samples_per_pool` patients of one batch, tissue and visit go into one library."""
    groups: dict[tuple[str, str, str], list[LibraryPlan]] = {}
    for plan in cohort.libraries:
        place = (plan.sample.patient.batch, plan.sample.tissue, plan.sample.visit)
        groups.setdefault(place, []).append(plan)
    size = settings.samples_per_pool
    chunks = [
        tuple(plans[start : start + size])
        for plans in groups.values()
        for start in range(0, len(plans), size)
    ]
    return tuple(
        PoolPlan(members[0].library_id if len(members) == 1 else f"pool{i:03}", members)
        for i, members in enumerate(chunks, start=1)
    )


def pool_libraries(
    settings: SimulationSettings, plan: PoolPlan, libraries: Sequence[SimulatedLibrary]
) -> SimulatedLibrary:
    """One library of the droplets of all members, a share of them joined in pairs.

    The truth has two columns more: `sample_id`, of the droplet's first cell, and
    `second_sample_id`, empty but for doublets made here.
    """
    rng = generator(settings.seed, "pool", *plan.members[0].specimen.key)
    samples = np.array([member.sample.sample_id for member in plan.members], dtype=object)
    owner = np.repeat(np.arange(len(libraries)), [len(lib.cell_barcodes) for lib in libraries])
    cells = pd.concat([lib.cells for lib in libraries], ignore_index=True)
    barcodes = np.concatenate([lib.cell_barcodes for lib in libraries])
    cells = cells.set_index("cell_barcode", drop=False).loc[barcodes].reset_index(drop=True)
    home = _pair_droplets(len(barcodes), settings.pool_doublets, rng)
    kept, droplet = np.unique(home, return_inverse=True)
    tags = _draw_hashtags(settings, owner, len(libraries), rng)
    contigs = pd.concat([lib.contigs for lib in libraries], ignore_index=True)
    order = np.argsort(barcodes[kept], kind="stable")
    counts, antigens, hashtags = (
        pool_cells(matrix, droplet)[order]
        for matrix in (
            sparse.vstack([lib.counts for lib in libraries], format="csr"),
            sparse.vstack([lib.antigen_counts for lib in libraries], format="csr"),
            tags,
        )
    )
    truth = _join_truth(cells.assign(sample_id=samples[owner], second_sample_id=""), home)
    return replace(
        libraries[0],
        library_id=plan.library_id,
        cell_barcodes=barcodes[kept][order],
        counts=counts,
        antigen_counts=antigens,
        hashtag_counts=hashtags,
        hashtags=tuple(name for name, _ in plan.hashtags()),
        contigs=_move_contigs(contigs, dict(zip(barcodes, barcodes[home], strict=True))),
        cells=truth.iloc[kept[order]].assign(library_id=plan.library_id),
        ambient_share=float(np.mean([lib.ambient_share for lib in libraries])),
        empty_counts=_stack_empty(libraries),
    )


def _stack_empty(libraries: Sequence[SimulatedLibrary]) -> sparse.csr_matrix | None:
    blocks = [lib.empty_counts for lib in libraries if lib.empty_counts is not None]
    return sparse.vstack(blocks, format="csr") if blocks else None


def gather_pools(
    settings: SimulationSettings, cohort: Cohort, libraries: Iterator[SimulatedLibrary]
) -> Iterator[SimulatedLibrary]:
    """The libraries as they are delivered: a pool as soon as its last member is there."""
    pool_of = {
        member.library_id: plan for plan in plan_pools(settings, cohort) for member in plan.members
    }
    waiting: dict[str, dict[str, SimulatedLibrary]] = {}
    for library in libraries:
        plan = pool_of[library.library_id]
        if len(plan.members) == 1:
            yield library
            continue
        here = waiting.setdefault(plan.library_id, {})
        here[library.library_id] = library
        if len(here) == len(plan.members):
            ready = waiting.pop(plan.library_id)
            yield pool_libraries(
                settings, plan, [ready[member.library_id] for member in plan.members]
            )


def _pair_droplets(n: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """The droplet each ends up in: its own, or for the second of a pair, the first's."""
    home = np.arange(n)
    # n - pairs droplets are left, `share` of them with two
    n_pairs = round(share * n / (1 + share))
    chosen = rng.permutation(n)[: 2 * n_pairs].reshape(2, n_pairs)
    home[chosen.max(axis=0)] = chosen.min(axis=0)
    return home


def _draw_hashtags(
    settings: SimulationSettings, owner: np.ndarray, n_samples: int, rng: np.random.Generator
) -> sparse.csr_matrix:
    shape = (len(owner), n_samples)
    background = settings.hashtag_background / _BACKGROUND_SHAPE
    counts = rng.poisson(background * rng.standard_gamma(_BACKGROUND_SHAPE, shape))
    signal = settings.hashtag_signal / _SIGNAL_SHAPE
    own = rng.poisson(signal * rng.standard_gamma(_SIGNAL_SHAPE, len(owner)))
    counts[np.arange(len(owner)), owner] += own
    return sparse.csr_matrix(counts.astype(np.int32))


def _join_truth(cells: pd.DataFrame, home: np.ndarray) -> pd.DataFrame:
    second = np.flatnonzero(home != np.arange(len(home)))
    first = home[second]
    joined = cells.copy()
    for column, source in (("other_cell_type", "cell_type"), ("second_sample_id", "sample_id")):
        joined.loc[first, column] = cells[source].to_numpy()[second]
    joined.loc[first, "is_doublet"] = True
    joined.loc[first, _NO_CLONE] = ""
    return joined[[*CELL_COLUMNS, "sample_id", "second_sample_id"]]


def _move_contigs(contigs: pd.DataFrame, home: dict[str, str]) -> pd.DataFrame:
    """Contigs under the droplet's name, numbered anew within it."""
    moved = contigs.assign(barcode=contigs["barcode"].map(home))
    moved = moved.sort_values(["barcode", "contig_id"], ignore_index=True)
    number = (moved.groupby("barcode").cumcount() + 1).astype(str)
    return moved.assign(contig_id=moved["barcode"] + "_contig_" + number)
