"""Contigs of one library, with the columns of a current Cell Ranger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiaim_sc.simulate.cells import NO_CLONE

if TYPE_CHECKING:
    from hiaim_sc.simulate.cells import Cells
    from hiaim_sc.simulate.receptors import Chains
    from hiaim_sc.simulate.repertoire import Repertoire
    from hiaim_sc.simulate.settings import SimulationSettings

_REGIONS = ("fwr1", "cdr1", "fwr2", "cdr2", "fwr3")
CONTIG_COLUMNS = (
    *("barcode", "is_cell", "contig_id", "high_confidence", "length", "chain"),
    *("v_gene", "d_gene", "j_gene", "c_gene", "full_length", "productive"),
    *(name for region in _REGIONS for name in (region, f"{region}_nt")),
    *("cdr3", "cdr3_nt", "fwr4", "fwr4_nt", "reads", "umis"),
    *("raw_clonotype_id", "raw_consensus_id", "exact_subclonotype_id"),
)
_SECOND_CAUGHT = 0.75  # second alpha chains seen where the first is
_SECOND_LEVEL = 0.45  # their counts, per count of the first
_SECOND_LEADS = 0.02  # cells in which the second is the more abundant
_UNPRODUCTIVE = 0.06  # cells with a further alpha contig that cannot be translated
_MEAN_UMIS = {"TRA": 3.0, "TRB": 6.0}
_READS_PER_UMI = 60
_CONTIG_LENGTH = 450


def build_contigs(
    settings: SimulationSettings,
    cells: Cells,
    repertoire: Repertoire,
    cell_barcode: np.ndarray,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """A row per contig, as in ``filtered_contig_annotations.csv``.

    Parameters
    ----------
    settings
        Share of stray contigs.
    cells
        Cells of the specimen; both cells of a doublet bring theirs.
    repertoire
        Of the specimen's patient.
    cell_barcode
        (cells,) of the droplet each cell is in.
    rng
        Source of chance.
    """
    receptors = repertoire.receptors
    alpha, beta = np.flatnonzero(cells.has_alpha), np.flatnonzero(cells.has_beta)
    umis_alpha = 2 + rng.poisson(_MEAN_UMIS["TRA"], len(alpha))
    has_second = receptors.has_second[cells.clone[alpha]] & (
        rng.random(len(alpha)) < _SECOND_CAUGHT
    )
    umis_second = 1 + rng.binomial(umis_alpha - 2, _SECOND_LEVEL)
    leads = has_second & (rng.random(len(alpha)) < _SECOND_LEADS)
    umis_first = np.where(leads, umis_second, umis_alpha)
    umis_second = np.where(leads, umis_alpha, umis_second)[has_second]
    umis_beta = 2 + rng.poisson(_MEAN_UMIS["TRB"], len(beta))
    stray, stray_clone = _draw_stray(settings, cells, rng)
    second = alpha[has_second]
    parts = [
        _to_rows("TRA", receptors.alpha, cells.clone[alpha], cell_barcode[alpha], umis_first),
        _to_rows(
            "TRA", receptors.second_alpha, cells.clone[second], cell_barcode[second], umis_second
        ),
        _to_rows("TRB", receptors.beta, cells.clone[beta], cell_barcode[beta], umis_beta),
        _to_rows("TRB", receptors.beta, stray_clone, cell_barcode[stray], np.ones(len(stray), int)),
    ]
    parts.append(_break_some(parts[0], rng))
    return _complete(pd.concat(parts, ignore_index=True), rng)


def _draw_stray(
    settings: SimulationSettings, cells: Cells, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Cells without a receptor that show one of the library's clones, and which."""
    sources = cells.clone[cells.has_beta]
    if len(sources) == 0:
        return np.array([], dtype=int), np.array([], dtype=int)
    is_stray = (cells.clone == NO_CLONE) & (rng.random(len(cells)) < settings.stray_contigs)
    rows = np.flatnonzero(is_stray)
    return rows, rng.choice(sources, len(rows))


def _to_rows(
    locus: str, chains: Chains, clones: np.ndarray, barcodes: np.ndarray, umis: np.ndarray
) -> pd.DataFrame:
    junction, junction_aa = chains.junction(clones), chains.junction_aa(clones)
    j_gene = chains.j_call[clones]
    constant = np.where(np.strings.startswith(j_gene, "TRBJ1"), "TRBC1", "TRBC2")
    return pd.DataFrame(
        {
            "barcode": barcodes,
            "chain": locus,
            "v_gene": chains.v_call[clones],
            "j_gene": j_gene,
            "c_gene": "TRAC" if locus == "TRA" else constant,
            "productive": "true",
            "cdr3": junction_aa,
            "cdr3_nt": junction,
            "umis": umis,
        }
    )


def _break_some(alpha: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Unproductive contigs beside some of the alpha chains: the other allele, out of frame."""
    broken = alpha[rng.random(len(alpha)) < _UNPRODUCTIVE].copy()
    for gene in ("v_gene", "j_gene"):
        broken[gene] = rng.permutation(broken[gene].to_numpy())
    broken["productive"] = "false"
    broken["cdr3"] = broken["cdr3_nt"] = ""
    broken["umis"] = 1
    return broken


def _complete(contigs: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """All columns, contigs of a cell numbered from the most abundant on."""
    contigs = contigs.assign(minus_umis=-contigs["umis"]).sort_values(
        ["barcode", "minus_umis", "chain", "v_gene", "cdr3_nt"], ignore_index=True
    )
    number = (contigs.groupby("barcode").cumcount() + 1).astype(str)
    contigs["contig_id"] = contigs["barcode"] + "_contig_" + number
    contigs["reads"] = contigs["umis"] * _READS_PER_UMI + rng.poisson(
        contigs["umis"].to_numpy() * _READS_PER_UMI
    )
    contigs["length"] = (
        _CONTIG_LENGTH + contigs["cdr3_nt"].str.len() + rng.integers(0, 60, len(contigs))
    )
    is_beta_with_d = (contigs["chain"] == "TRB") & (rng.random(len(contigs)) < 0.5)
    d_gene = contigs["c_gene"].str.replace("TRBC", "TRBD")
    contigs["d_gene"] = d_gene.where(is_beta_with_d, "")
    for flag in ("is_cell", "high_confidence", "full_length"):
        contigs[flag] = "true"
    _name_clonotypes(contigs)
    return contigs.reindex(columns=list(CONTIG_COLUMNS), fill_value="")


def _name_clonotypes(contigs: pd.DataFrame) -> None:
    """Cell Ranger's own clonotypes of the library, by exact chains, the largest first."""
    contigs["raw_clonotype_id"] = contigs["raw_consensus_id"] = ""
    contigs["exact_subclonotype_id"] = ""
    is_productive = contigs["productive"] == "true"
    chains = (contigs["chain"] + ":" + contigs["cdr3_nt"])[is_productive]
    exact = chains.sort_values().groupby(contigs["barcode"]).agg(";".join)
    sizes = exact.value_counts().rename_axis("chains").reset_index()
    sizes = sizes.sort_values(["count", "chains"], ascending=[False, True], ignore_index=True)
    names = dict(zip(sizes["chains"], (sizes.index + 1).astype(str), strict=True))
    clonotype = "clonotype" + contigs["barcode"].map(exact.map(names))[is_productive]
    rank = chains.groupby(clonotype).rank(method="dense").astype(int).astype(str)
    contigs.loc[is_productive, "raw_clonotype_id"] = clonotype
    contigs.loc[is_productive, "raw_consensus_id"] = clonotype + "_consensus_" + rank
    contigs.loc[is_productive, "exact_subclonotype_id"] = "1"
