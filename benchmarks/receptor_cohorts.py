"""Contig tables of a large cohort, as Cell Ranger writes them, to measure receptors on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pyarrow import Table, csv

from hiaim_sc.simulate.contigs import CONTIG_COLUMNS
from hiaim_sc.simulate.receptors import draw_receptors
from hiaim_sc.simulate.seeds import generator
from hiaim_sc.simulate.settings import SimulationSettings

if TYPE_CHECKING:
    from pathlib import Path

    from hiaim_sc.simulate.receptors import Chains, Receptors

# A patient's samples: tissue, visit, session_phase.
PLACES = (
    ("blood", "baseline", "rest"),
    ("blood", "week3", "rest"),
    ("blood", "week6", "rest"),
    ("blood", "baseline", "post_bout"),
    ("blood", "week6", "post_bout"),
    ("tumor", "baseline", "rest"),
    ("tumor", "week6", "rest"),
)
VISITS = ("baseline", "week3", "week6")
CELLS_PER_LIBRARY = 2857  # 350 libraries make a million cells
_SEED = 4263467
# clone sizes: a power law, none above this share of a patient's cells
_EXPONENT = 2.2
_MAX_SHARE = 0.02
_MAIT_SHARE = 0.01
_ALPHA_ALONE, _BETA_ALONE = 0.05, 0.10
_SECOND_SEEN = 0.75
_UNPRODUCTIVE = 0.06
_READS_PER_UMI = 60
# amino acids of the parts of a contig that Cell Ranger writes and nobody here reads
_REGIONS = {"fwr1": 25, "cdr1": 6, "fwr2": 17, "cdr2": 7, "fwr3": 38, "fwr4": 10}


@dataclass(frozen=True)
class Cohort:
    """Files of a cohort.

    Attributes
    ----------
    layout
        A row per library, as the study hands it on.
    files
        Contig table of each library.
    """

    layout: pd.DataFrame
    files: dict[str, Path]


def write_cohort(
    n_cells: int, folder: Path, *, cells_per_library: int = CELLS_PER_LIBRARY
) -> Cohort:
    """Contig tables of `n_cells` cells, the libraries of one patient after the other.

    Sizes of clones follow a power law with exponent 2.2, which gives about three cells per clone;
    a patient's cells are dealt over the patient's libraries. 15 % of the clones have two alpha
    chains, 15 % of the cells one chain only.
    """
    layout = _lay_out(n_cells, max(2, round(n_cells / cells_per_library)))
    files = {}
    for number, (_, libraries) in enumerate(layout.groupby("patient_id")):
        files |= _write_patient(number, libraries, folder)
    return Cohort(layout.drop(columns="n_cells"), files)


def _lay_out(n_cells: int, n_libraries: int) -> pd.DataFrame:
    number = np.arange(n_libraries)
    places = pd.DataFrame(PLACES, columns=["tissue", "visit", "session_phase"])
    layout = places.iloc[number % len(PLACES)].reset_index(drop=True)
    patients = [f"P{i + 1:03d}" for i in number // len(PLACES)]
    return layout.assign(
        library_id=[f"L{i + 1:03d}" for i in number],
        sample_id=[f"S{i + 1:03d}" for i in number],
        patient_id=patients,
        batch="b1",
        n_cells=np.diff(np.linspace(0, n_cells, n_libraries + 1).astype(int)),
    )


def _write_patient(number: int, libraries: pd.DataFrame, folder: Path) -> dict[str, Path]:
    rng = generator(_SEED, "patient", number)
    n_cells = int(libraries["n_cells"].sum())
    sizes = _draw_sizes(n_cells, rng)
    settings = SimulationSettings(out=folder, seed=_SEED)
    receptors = draw_receptors(settings, rng.random(len(sizes)) < _MAIT_SHARE, rng)
    clones = rng.permutation(np.repeat(np.arange(len(sizes)), sizes)[:n_cells])
    files = {}
    ends = libraries["n_cells"].cumsum()
    for library, end, n in zip(libraries["library_id"], ends, libraries["n_cells"], strict=True):
        contigs = _build_contigs(clones[end - n : end], receptors, rng)
        files[library] = folder / f"{library}_filtered_contig_annotations.csv"
        _write_csv(contigs, files[library])
    return files


def _write_csv(contigs: pd.DataFrame, path: Path) -> None:
    table = Table.from_pandas(contigs, preserve_index=False)
    with path.open("wb") as file:
        file.write((",".join(contigs.columns) + "\n").encode())
        csv.write_csv(table, file, csv.WriteOptions(include_header=False, quoting_style="none"))


def _draw_sizes(n_cells: int, rng: np.random.Generator) -> np.ndarray:
    sizes = np.minimum(rng.zipf(_EXPONENT, n_cells), max(2, int(_MAX_SHARE * n_cells)))
    return sizes[: np.searchsorted(np.cumsum(sizes), n_cells) + 1]


def _build_contigs(
    clones: np.ndarray, receptors: Receptors, rng: np.random.Generator
) -> pd.DataFrame:
    n = len(clones)
    cell_barcodes = _draw_cell_barcodes(n, rng)
    chance = rng.random(n)
    has_alpha, has_beta = chance > _BETA_ALONE, chance < 1 - _ALPHA_ALONE
    has_second = has_alpha & receptors.has_second[clones] & (rng.random(n) < _SECOND_SEEN)
    broken = has_alpha & (rng.random(n) < _UNPRODUCTIVE)
    parts = [
        _to_rows("TRA", receptors.alpha, clones[has_alpha], cell_barcodes[has_alpha]),
        _to_rows("TRA", receptors.second_alpha, clones[has_second], cell_barcodes[has_second]),
        _to_rows("TRB", receptors.beta, clones[has_beta], cell_barcodes[has_beta]),
        _to_rows("TRA", receptors.alpha, clones[broken], cell_barcodes[broken]).assign(
            productive="false", cdr3="", cdr3_nt=""
        ),
    ]
    contigs = pd.concat(parts, ignore_index=True)
    contigs["umis"] = 2 + rng.poisson(np.where(contigs["chain"] == "TRA", 3, 6))
    contigs["reads"] = rng.poisson(_READS_PER_UMI * contigs["umis"])
    contigs = contigs.sort_values(["barcode", "umis"], ascending=[True, False], ignore_index=True)
    number = (contigs.groupby("barcode").cumcount() + 1).astype("str")
    contigs["contig_id"] = contigs["barcode"] + "_contig_" + number
    contigs["raw_consensus_id"] = contigs["raw_clonotype_id"] + "_consensus_" + number
    contigs[["is_cell", "high_confidence", "full_length"]] = "true"
    contigs["length"] = rng.integers(450, 600, len(contigs))
    contigs = contigs.assign(exact_subclonotype_id="1", **_unread(contigs["v_gene"]))
    return contigs.reindex(columns=list(CONTIG_COLUMNS), fill_value="")


def _draw_cell_barcodes(n: int, rng: np.random.Generator) -> np.ndarray:
    """Different names of 16 bases; libraries may have the same ones, as in truth."""
    bases = np.array([b"A", b"C", b"G", b"T"], dtype="S1")
    drawn = np.ascontiguousarray(bases[rng.integers(0, 4, size=(2 * n, 16))]).view("S16")[:, 0]
    names = rng.permutation(np.unique(drawn))[:n].astype(str)
    return np.strings.add(names, "-1")


def _to_rows(
    locus: str, chains: Chains, clones: np.ndarray, cell_barcodes: np.ndarray
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "barcode": cell_barcodes,
            "chain": locus,
            "v_gene": chains.v_call[clones],
            "j_gene": chains.j_call[clones],
            "c_gene": "TRAC" if locus == "TRA" else "TRBC1",
            "productive": "true",
            "cdr3": chains.junction_aa(clones),
            "cdr3_nt": chains.junction(clones),
            "raw_clonotype_id": np.strings.add("clonotype", clones.astype(str)),
        }
    )


def _unread(v_gene: pd.Series) -> dict[str, pd.Series]:
    """Framework regions and the like: any text of the right length for each V gene."""
    genes = np.unique(v_gene)
    texts: dict[str, pd.Series] = {}
    for region, length in _REGIONS.items():
        pick = generator(_SEED, region).integers(0, 4, size=(len(genes), 3 * length))
        nucleotides = ["".join("ACGT"[i] for i in row) for row in pick]
        amino_acids = ["".join("ACGT"[i] for i in row[:length]) for row in pick]
        texts[region] = v_gene.map(dict(zip(genes, amino_acids, strict=True)))
        texts[f"{region}_nt"] = v_gene.map(dict(zip(genes, nucleotides, strict=True)))
    return texts
