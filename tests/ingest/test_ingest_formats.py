"""Every public receptor file, read or refused, beside scirpy's own readers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pandas as pd
import pytest

from hiaim_sc.config import IngestOptions, Options
from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.ingest import read_contigs, read_matrix
from hiaim_sc.ingest.checks import check_contigs
from hiaim_sc.ingest.contigs import drop_contigs
from hiaim_sc.study import LibraryFiles, inspect_library
from hiaim_sc.study.contig_header import check_contig_start

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.data


class Counts(NamedTuple):
    """Contigs and cells of the file, what is dropped, and what stays."""

    contigs: int
    cells: int
    not_cell: int
    low_confidence: int
    bcr_locus: int
    contigs_kept: int
    cells_kept: int


def whole(contigs: int, cells: int) -> Counts:
    return Counts(contigs, cells, 0, 0, 0, contigs, cells)


TENX, AIRR, BD = "read_10x_vdj", "read_airr", "read_bd_rhapsody"
LIAO = "receptor_formats/tutorial_example_data/liao-2019-covid19"
SIMULATED = "receptor_formats/tutorial_example_data/immunesim_airr"
BMMNC = "10k_BMMNC_5pv2_nextgem_Multiplex_vdj_t_all_contig_annotations_small"
DOMINANT = "receptor_formats/bd/RhapVDJDemo_BCR_Dominant_Contigs.csv.gz"
READ = {
    "receptor_formats/10x/vdj_nextgem_hs_pbmc3_t_filtered_contig_annotations.csv.gz": (
        TENX,
        whole(4004, 1556),
    ),
    "contigs_misc/tenextra_filtered_contig_annotations_CR5plus.csv": (TENX, whole(1999, 1086)),
    f"receptor_formats/10x/{BMMNC}.csv": (TENX, Counts(5, 4, 2, 0, 0, 3, 2)),
    f"receptor_formats/10x/{BMMNC}.json": (TENX, Counts(5, 4, 2, 0, 0, 3, 2)),
    # its fifth cell is a B cell
    "receptor_formats/10x/filtered_contig_annotations.csv": (TENX, Counts(19, 5, 0, 0, 2, 17, 4)),
    f"{LIAO}/GSM4385993_C144_filtered_contig_annotations.csv.gz": (TENX, whole(346, 136)),
    f"{LIAO}/GSM4385995_C146_filtered_contig_annotations.csv.gz": (TENX, whole(126, 54)),
    f"{LIAO}/GSM4475055_C149_filtered_contig_annotations.csv.gz": (TENX, whole(856, 391)),
    "receptor_formats/airr/rearrangement_tra.tsv": (AIRR, whole(4, 3)),
    "receptor_formats/airr/rearrangement_trb.tsv": (AIRR, whole(4, 3)),
    f"{SIMULATED}/immunesim_tra.tsv": (AIRR, whole(100, 100)),
    f"{SIMULATED}/immunesim_trb.tsv": (AIRR, whole(100, 100)),
    # named BCR, but BD Rhapsody's table is of T and B cells; 58 % of the contigs are of T cells
    DOMINANT: (
        BD,
        Counts(2992, 800, 0, 0, 1266, 1726, 767),
    ),
    # two of its nine contigs are of putative cells
    "receptor_formats/bd/test_per_cell_chain.csv": (BD, Counts(9, 6, 7, 0, 0, 2, 2)),
}
B_CELLS = r"0% of its .*contigs are of T-cell receptors, 100% are of B cells"
REFUSED = {
    "contigs_misc/immunarch_flu_bcr_multisample.csv.gz": (
        rf"{B_CELLS}.*column sample has 023-002_D7_Lane1, 023-002_D7_Lane10.*33 contigs .* twice"
    ),
    "contigs_misc/GSE309696_mouse_aggr_filtered_contig_annotations.csv.gz": (
        "80% of the V genes of its contigs are mouse genes.*column origin has TC-1, TC-2, TP-1.*"
        "column donor has Donor-1, Donor-2.*cell barcodes has -1, -2, -3, -4, -5, -6"
    ),
    "receptor_formats/10x/all_contig_annotations.json": "the end of cell barcodes has -1, -2",
    "receptor_formats/10x/sc5p_v2_hs_melanoma_10k_b_filtered_contig_annotations.csv.gz": B_CELLS,
    "receptor_formats/airr/issue_625.tsv": B_CELLS,
    "receptor_formats/airr/rearrangement_ig.tsv": B_CELLS,
    "receptor_formats/airr/tra_issue_280.tsv": "60% of the V genes .* are mouse genes",
    "receptor_formats/bd/RhapVDJDemo_BCR_Unfiltered_Contigs.csv.gz": B_CELLS,
    "receptor_formats/bd/test_unfiltered_contigs.csv": B_CELLS,
    "receptor_formats/old_schema_must_be_refused.h5ad": "is an HDF5 file: contigs as",
    "receptor_formats/hamming_test_data/hamming_WU3k_csr_result.npz": "zip file: contigs as",
    "receptor_formats/hamming_test_data/hamming_WU3k_histogram_result.npy": "is a binary file",
    "receptor_formats/hamming_test_data/hamming_WU3k_normalized_csr_result.npz": "zip file",
    "receptor_formats/hamming_test_data/hamming_WU3k_seqs.npy": "is a binary file",
    "receptor_formats/tcrdist_test_data/tcrdist_WU3k_csr_result.npz": "zip file",
    "receptor_formats/tcrdist_test_data/tcrdist_WU3k_seqs.npy": "is a binary file",
    "receptor_formats/test_workflow/adata_10x_pbmc3_t.obs.expected.pd2.csv.gz": (
        "columns sequence_id, v_call, j_call, junction, productive not found"
    ),
    "receptor_formats/test_workflow/adata_wu_200_old_schema.obs.expected.pd2.csv.gz": (
        "columns sequence_id, v_call, j_call, junction, productive not found"
    ),
}


def test_no_file_is_forgotten(shared_data):
    there = {
        path.relative_to(shared_data).as_posix()
        for folder in ("receptor_formats", "contigs_misc")
        for path in (shared_data / folder).rglob("*")
        if path.is_file()
    }
    assert there == set(READ) | set(REFUSED)
    assert not set(READ) & set(REFUSED)


@pytest.mark.parametrize("name", READ)
def test_counts_of_files_that_are_read(shared_data, name):
    check_contig_start(shared_data / name)
    contigs = read_contigs(shared_data / name)
    check_contigs(contigs, IngestOptions())
    kept, dropped = drop_contigs(contigs.table)
    cells = [int(table["cell_barcode"].nunique()) for table in (contigs.table, kept)]
    found = Counts(
        len(contigs.table), cells[0], **dropped, contigs_kept=len(kept), cells_kept=cells[1]
    )
    assert found == READ[name][1]


@pytest.mark.parametrize("name", REFUSED)
def test_reason_of_files_that_are_refused(shared_data, name):
    with pytest.raises(LibraryFaultError, match=REFUSED[name]) as caught:
        check_contigs(read_contigs(shared_data / name), IngestOptions())
    assert "\n" not in caught.value.reason
    with pytest.raises(LibraryFaultError) as early:
        check_contig_start(shared_data / name)
    # the start of a file shows less: what it does show is said in the same words
    first = early.value.reason.split("; ")[0].rpartition(": ")[2]
    assert first in caught.value.reason


FIELDS = ("locus", "v_call", "d_call", "j_call", "c_call", "junction", "junction_aa")
FIELDS += ("umi_count", "consensus_count", "productive")


def as_row(chain: dict[str, object]) -> tuple[str, ...]:
    """A chain as text: first calls without allele, absent counts as 0."""
    row = dict.fromkeys(FIELDS, "")
    row |= {name: str(chain[name]) for name in FIELDS if chain.get(name) not in (None, "None")}
    for name in FIELDS[1:5]:
        row[name] = row[name].split("*")[0].split(",")[0]
    for name in FIELDS[7:9]:
        row[name] = str(int(float(row[name] or 0)))
    return tuple(row.values())


def scirpy_rows(path: Path, reader: str) -> list[tuple[str, ...]]:
    from scirpy import io

    cells = getattr(io, reader)(path).obsm["airr"].to_list()
    chains = (chain for cell in cells for chain in cell)
    return sorted(as_row(chain) for chain in chains if chain["locus"] != "Multi")


def our_rows(path: Path, reader: str) -> list[tuple[str, ...]]:
    table = read_contigs(path).table
    if reader == TENX:  # scirpy filters this format only
        table = table[table["is_cell"] & table["high_confidence"]]
    table = table[table["locus"].notna()].astype(object)
    return sorted(map(as_row, table.where(table.notna(), None).to_dict("records")))


@pytest.mark.parametrize("name", READ)
def test_chains_are_those_of_scirpy(shared_data, name):
    reader, _ = READ[name]
    found = our_rows(shared_data / name, reader)
    expected = scirpy_rows(shared_data / name, reader)
    if name == DOMINANT:  # scirpy keeps the CDR3 of BD Rhapsody, see the test of its junctions
        found, expected = ([row[:5] + row[7:] for row in rows] for rows in (found, expected))
    assert len(found) > 0
    assert sorted(found) == sorted(expected)


def test_junctions_of_bd_rhapsody_have_their_conserved_residues(shared_data):
    contigs = read_contigs(shared_data / DOMINANT)
    given = pd.read_csv(shared_data / DOMINANT, comment="#").set_index("Contig_ID")
    ours = contigs.table.set_index("contig_id").join(given)
    ours = ours[ours["productive"]]
    bare = ours[ours["FR4_Nucleotide_Dominant"].isna()]
    assert len(bare) == contigs.n_bare_junctions == 6
    assert bare["junction"].fillna("").eq(bare["CDR3_Nucleotide_Dominant"].fillna("")).all()
    whole = ours.drop(bare.index)
    assert (whole["junction"].str[3:-3] == whole["CDR3_Nucleotide_Dominant"]).all()
    assert (whole["junction_aa"].str[1:-1] == whole["CDR3_Translation_Dominant"]).all()
    # V and J genes without the usual residues are few
    assert whole["junction_aa"].str.fullmatch(r"C.*[FW]").mean() > 0.93
    assert whole["junction"].str.fullmatch(r"TG[TC].*(TT[TC]|TGG)").mean() > 0.93


def test_object_of_an_old_schema_is_no_expression_either(shared_data):
    path = shared_data / "receptor_formats/old_schema_must_be_refused.h5ad"
    with pytest.raises(LibraryFaultError, match=r"by an AnnData before 0.8 \(see its obs\)"):
        read_matrix(path, None)
    _, faults = inspect_library(LibraryFiles("L1", path, None, path, None), Options())
    assert "AnnData before 0.8" in faults["gex"]
    assert "is an HDF5 file: contigs as a Cell Ranger" in faults["vdj"]
