"""One library in memory: cells in droplets, their counts, contigs and the truth about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from hiaim_sc.names import COARSE_OF_CELL_TYPE
from hiaim_sc.simulate.antigens import antigen_panel, draw_antigen_counts
from hiaim_sc.simulate.cells import NO_CLONE, Cells, draw_cells
from hiaim_sc.simulate.contigs import build_contigs
from hiaim_sc.simulate.empty_droplets import draw_empty_droplets
from hiaim_sc.simulate.expression import (
    draw_ambient_share,
    draw_counts,
    library_profiles,
    mean_profile,
)
from hiaim_sc.simulate.seeds import generator
from hiaim_sc.simulate.transcriptome import COUNTS_OF_LEVELS

if TYPE_CHECKING:
    from hiaim_sc.simulate.cohort import LibraryPlan
    from hiaim_sc.simulate.repertoire import Repertoire
    from hiaim_sc.simulate.settings import SimulationSettings
    from hiaim_sc.simulate.transcriptome import Transcriptome

_BASES = np.array([b"A", b"C", b"G", b"T"])
_BARCODE_LENGTH = 16
_V_GENE_COUNTS = 1.0  # mean counts of a chain's V gene in a cell of 3,000
CELL_COLUMNS = (
    *("library_id", "cell_barcode", "cell_type", "cell_type_coarse", "is_doublet", "clone_key"),
    *("antigen", "lineage", "is_dying", "receptor", "other_cell_type", "cell_state", "flags"),
)


@dataclass(frozen=True)
class SimulatedLibrary:
    """One library.

    Attributes
    ----------
    library_id
        Its name.
    tissue
        Of the specimen.
    cell_barcodes
        (droplets,) sorted, different.
    counts
        Droplets x genes, CSR int32.
    antigen_counts
        Droplets x antigens, CSR int32.
    contigs
        Cell Ranger's columns.
    cells
        The truth, a row per droplet, `CELL_COLUMNS`. `lineage` is the clone's and `receptor` the
        chains caught. A doublet has the type of its larger cell and no clone, antigen, lineage or
        receptor; `other_cell_type` is the smaller cell's. `cell_state` and `flags` are empty
        without `fine_states`.
    ambient_share
        Share of ambient RNA in the counts.
    hashtag_counts, hashtags
        Of a pooled library: droplets x hashtags, CSR int32, and their names.
    empty_counts
        Empty droplets x genes, CSR int32; None where none were asked for.
    """

    library_id: str
    tissue: str
    cell_barcodes: np.ndarray
    counts: sparse.csr_matrix
    antigen_counts: sparse.csr_matrix
    contigs: pd.DataFrame
    cells: pd.DataFrame
    ambient_share: float
    hashtag_counts: sparse.csr_matrix | None = None
    hashtags: tuple[str, ...] = ()
    empty_counts: sparse.csr_matrix | None = None


def build_library(
    settings: SimulationSettings,
    transcriptome: Transcriptome,
    library: LibraryPlan,
    repertoire: Repertoire,
) -> SimulatedLibrary:
    """The library's data and the truth about it.

    Parameters
    ----------
    settings
        The cohort's settings.
    transcriptome
        The cohort's genes and states.
    library
        What was made of which specimen.
    repertoire
        Of the specimen's patient.
    """
    specimen = library.specimen
    rng = generator(settings.seed, "library", *specimen.key)
    droplet, n_droplets = _load_droplets(settings, rng)
    cells = draw_cells(settings, specimen, repertoire, transcriptome.states, len(droplet))
    ambient_share = draw_ambient_share(settings.ambient_mean[specimen.tissue], rng)
    profiles = library_profiles(settings, transcriptome, library)
    counts = draw_counts(
        profiles,
        transcriptome.mitochondrial,
        cells.draw,
        ambient_share=ambient_share,
        dispersion=settings.dispersion,
        rng=rng,
    )
    counts += _draw_v_genes(transcriptome, cells, repertoire, rng)
    barcodes = draw_barcodes(n_droplets, rng)
    antigen = np.where(cells.clone == NO_CLONE, "", repertoire.antigen[cells.clone])
    tags = draw_antigen_counts(settings, antigen_panel(settings), antigen, rng)
    truth = _describe_cells(cells, repertoire, antigen, np.asarray(counts.sum(axis=1)).ravel())
    for name in ("cell_state", "flags"):
        known = transcriptome.states.get(name)
        truth[name] = "" if known is None else known.to_numpy(dtype=str)[cells.draw.state]
    truth.insert(0, "cell_barcode", barcodes[droplet])
    truth.insert(0, "library_id", library.library_id)
    return SimulatedLibrary(
        library_id=library.library_id,
        tissue=specimen.tissue,
        cell_barcodes=barcodes,
        counts=pool_cells(counts, droplet),
        antigen_counts=pool_cells(tags, droplet),
        contigs=build_contigs(settings, cells, repertoire, barcodes[droplet], rng),
        cells=_merge_doublets(truth),
        ambient_share=ambient_share,
        empty_counts=draw_empty_droplets(
            settings,
            mean_profile(profiles, transcriptome.mitochondrial, cells.draw),
            generator(settings.seed, "empty droplets", *specimen.key),
        ),
    )


def pool_cells(counts: sparse.csr_matrix, droplet: np.ndarray) -> sparse.csr_matrix:
    """Counts of droplets: sums over the cells in each. `droplet` numbers them from 0, no gaps."""
    ones = np.ones(len(droplet), dtype=np.int32)
    membership = sparse.csr_matrix((ones, (droplet, np.arange(len(droplet)))))
    pooled = (membership @ counts).tocsr()
    pooled.sort_indices()
    return pooled


def _load_droplets(
    settings: SimulationSettings, rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """The droplet of each cell, and how many droplets; those with two cells are doublets."""
    spread = np.exp(rng.normal(0, settings.cells_spread))
    n_droplets = max(10, round(settings.cells_per_library * spread))
    rate = min(0.5, settings.doublet_rate_per_1000 * n_droplets / 1000)
    doublets = rng.choice(n_droplets, size=rng.binomial(n_droplets, rate), replace=False)
    return np.concatenate([np.arange(n_droplets), doublets]), n_droplets


def _draw_v_genes(
    transcriptome: Transcriptome,
    cells: Cells,
    repertoire: Repertoire,
    rng: np.random.Generator,
) -> sparse.csr_matrix:
    """Counts of the V genes of each cell's own receptor, cells x genes."""
    owners = np.flatnonzero(cells.clone != NO_CLONE)
    columns = pd.Index(transcriptome.genes["symbol"])
    matrix = sparse.csr_matrix((len(cells), len(columns)), dtype=np.int32)
    for chains in (repertoire.receptors.alpha, repertoire.receptors.beta):
        column = columns.get_indexer(chains.v_call[cells.clone[owners]])
        mean = _V_GENE_COUNTS * cells.draw.size[owners] / COUNTS_OF_LEVELS
        counts = rng.poisson(mean).astype(np.int32)
        found = counts > 0
        part = (counts[found], (owners[found], column[found]))
        matrix += sparse.csr_matrix(part, shape=matrix.shape)
    return matrix


def draw_barcodes(n: int, rng: np.random.Generator) -> np.ndarray:
    """Different random 16-mers with the GEM group ``-1``, sorted."""
    drawn = np.unique(rng.integers(0, 4**_BARCODE_LENGTH, size=n + n // 10 + 10))
    numbers = np.sort(rng.permutation(drawn)[:n])
    powers = 4 ** np.arange(_BARCODE_LENGTH - 1, -1, -1)
    letters = np.ascontiguousarray(_BASES[numbers[:, None] // powers % 4])
    return np.strings.add(letters.view(f"S{_BARCODE_LENGTH}")[:, 0].astype(str), "-1")


def _describe_cells(
    cells: Cells, repertoire: Repertoire, antigen: np.ndarray, total_counts: np.ndarray
) -> pd.DataFrame:
    clones, position = np.unique(cells.clone, return_inverse=True)
    keys = np.where(clones == NO_CLONE, "", repertoire.keys(clones))
    chains = np.array(["", "TRA", "TRB", "TRA+TRB"])
    return pd.DataFrame(
        {
            "cell_type": cells.cell_type,
            "cell_type_coarse": [COARSE_OF_CELL_TYPE[name] for name in cells.cell_type],
            "is_doublet": False,
            "clone_key": keys[position],
            "antigen": antigen.astype(str),
            "lineage": cells.lineage,
            "is_dying": cells.is_dying,
            "receptor": chains[cells.has_alpha + 2 * cells.has_beta],
            "total_counts": total_counts,
        }
    )


def _merge_doublets(cells: pd.DataFrame) -> pd.DataFrame:
    """A row per droplet: its larger cell's, with what is not true of two cells left empty."""
    ordered = cells.sort_values(["cell_barcode", "total_counts"], ascending=[True, False])
    droplets = ordered.drop_duplicates("cell_barcode").reset_index(drop=True)
    others = ordered[ordered.duplicated("cell_barcode")].set_index("cell_barcode")["cell_type"]
    droplets["is_doublet"] = droplets["cell_barcode"].isin(others.index)
    droplets["other_cell_type"] = others.reindex(droplets["cell_barcode"], fill_value="").to_numpy()
    droplets.loc[droplets["is_doublet"], ["clone_key", "antigen", "lineage", "receptor"]] = ""
    return droplets.reindex(columns=list(CELL_COLUMNS))
