"""Kinds of contig tables that are read, and how to tell which one a file is by its start."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.names import CONTIG_COLUMNS
from hiaim_sc.study.file_kinds import name_kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EXPECTED: Final = (
    "contigs as a Cell Ranger .csv or .json, an AIRR .tsv with cell_id or a BD Rhapsody .csv are"
    " expected"
)
# Columns that say whose a contig is; Cell Ranger's `aggr` writes `donor` and `origin`.
SAMPLE_COLUMNS: Final = (
    "sample",
    "sample_id",
    "origin",
    "donor",
    "subject_id",
    "repertoire_id",
    "library_id",
)
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class ContigFormat:
    """A kind of contig table.

    Attributes
    ----------
    names
        Our name of a column: its names in the file, the first that is there being taken.
    needed
        Our names of the columns without which a table is not of this kind.
    junction_is_cdr3
        Whether `junction` lacks the conserved residues, which `fwr3` ends and `fwr4` begins with.
    """

    names: Mapping[str, tuple[str, ...]]
    needed: tuple[str, ...]
    junction_is_cdr3: bool = False

    def find(self, header: Sequence[str]) -> dict[str, str]:
        """Our name: the file's, of each column that the file has."""
        found = {
            ours: next((name for name in names if name in header), None)
            for ours, names in self.names.items()
        }
        return {ours: name for ours, name in found.items() if name is not None}

    def list_absent(self, header: Sequence[str]) -> list[str]:
        """Columns, as the file should name them, that are needed and not there."""
        found = self.find(header)
        return [self.names[ours][0] for ours in self.needed if ours not in found]


_NEEDED: Final = ("cell_barcode", "contig_id", "v_call", "j_call", "junction", "productive")
# Cell Ranger's `cdr3` runs from C to F/W: that is the junction.
CELL_RANGER: Final = ContigFormat(
    {
        "cell_barcode": ("barcode",),
        "contig_id": ("contig_id",),
        "locus": ("chain",),
        "v_call": ("v_gene",),
        "d_call": ("d_gene",),
        "j_call": ("j_gene",),
        "c_call": ("c_gene",),
        "junction": ("cdr3_nt",),
        "junction_aa": ("cdr3",),
        "productive": ("productive",),
        "umi_count": ("umis",),
        "consensus_count": ("reads",),
        "is_cell": ("is_cell",),
        "high_confidence": ("high_confidence",),
    },
    _NEEDED,
)
AIRR: Final = ContigFormat(
    {name: (name,) for name in CONTIG_COLUMNS}
    | {
        "cell_barcode": ("cell_id",),
        "contig_id": ("sequence_id",),
        "umi_count": ("umi_count", "duplicate_count"),  # the latter before AIRR 1.4
        "is_cell": ("is_cell", "putative_cell"),
    },
    _NEEDED,
)
BD_RHAPSODY: Final = ContigFormat(
    {
        "cell_barcode": ("Cell_Index",),
        "contig_id": ("Contig_ID",),
        "locus": ("Chain_Type",),
        "v_call": ("V_gene", "V_gene_Dominant"),
        "d_call": ("D_gene", "D_gene_Dominant"),
        "j_call": ("J_gene", "J_gene_Dominant"),
        "c_call": ("C_gene", "C_gene_Dominant"),
        "junction": ("CDR3_Nucleotide", "CDR3_Nucleotide_Dominant"),
        "junction_aa": ("CDR3_Translation", "CDR3_Translation_Dominant"),
        "productive": ("Productive",),
        "umi_count": ("Molecule_Count",),
        "consensus_count": ("Read_Count",),
        "is_cell": ("Putative_Cell", "Putative"),
        "fwr3": ("FR3_Nucleotide", "FR3_Nucleotide_Dominant"),
        "fwr3_aa": ("FR3_Translation", "FR3_Translation_Dominant"),
        "fwr4": ("FR4_Nucleotide", "FR4_Nucleotide_Dominant"),
        "fwr4_aa": ("FR4_Translation", "FR4_Translation_Dominant"),
    },
    ("cell_barcode", "locus", "v_call", "j_call", "junction", "productive"),
    junction_is_cdr3=True,
)
_FORMATS: Final = (CELL_RANGER, AIRR, BD_RHAPSODY)
# BD Rhapsody's words for loci, in capitals.
LOCUS_OF_CHAIN: Final = {
    "TCR_ALPHA": "TRA",
    "TCR_BETA": "TRB",
    "TCR_GAMMA": "TRG",
    "TCR_DELTA": "TRD",
    "BCR_HEAVY": "IGH",
    "BCR_KAPPA": "IGK",
    "BCR_LAMBDA": "IGL",
}


@dataclass(frozen=True)
class Layout:
    """How a contig table lies in its file.

    Attributes
    ----------
    kind
        Which of the known kinds it is.
    header
        The file's names of its columns.
    separator
        Comma or tab.
    n_skipped
        Lines of remarks before the header.
    """

    kind: ContigFormat
    header: tuple[str, ...]
    separator: str
    n_skipped: int

    @property
    def columns(self) -> dict[str, str]:
        """Our name: the file's, of the columns that are read."""
        samples = {name: name for name in SAMPLE_COLUMNS if name in self.header}
        return samples | self.kind.find(self.header)


def is_json(start: bytes) -> bool:
    """Whether a file that begins so is JSON."""
    return start.removeprefix(_BYTE_ORDER_MARK).lstrip().startswith((b"[", b"{"))


def refuse_other_kinds(start: bytes, source: str) -> None:
    """Refuse what by its first bytes is no text at all.

    Raises
    ------
    LibraryFaultError
        Naming what the file is instead.
    """
    if kind := name_kind(start):
        reason = f"{source} is {kind}: {EXPECTED}"
        raise LibraryFaultError(reason)


def read_layout(start: bytes, source: str) -> Layout:
    """Layout of the contig table that begins so; at least the whole header must be in `start`.

    Raises
    ------
    LibraryFaultError
        When it is no contig table of a known kind.
    """
    lines = start.removeprefix(_BYTE_ORDER_MARK).splitlines()
    n_skipped = next((i for i, line in enumerate(lines) if not line.startswith(b"#")), 0)
    try:
        first = lines[n_skipped].decode() if lines else ""
    except UnicodeDecodeError as error:
        reason = f"{source} is no text table ({error}): {EXPECTED}"
        raise LibraryFaultError(reason) from error
    separator = "\t" if "\t" in first else ","
    header = tuple(next(csv.reader([first], delimiter=separator), []))
    kind = min(_FORMATS, key=lambda known: len(known.list_absent(header)))
    if absent := kind.list_absent(header):
        reason = (
            f"{source} is no contig table: column{'s' if len(absent) > 1 else ''}"
            f" {', '.join(absent)} not found (it begins with {', '.join(header[:8])}): {EXPECTED}"
        )
        raise LibraryFaultError(reason)
    layout = Layout(kind, header, separator, n_skipped)
    if twice := [name for name in layout.columns.values() if header.count(name) > 1]:
        reason = f"{source} has the column {twice[0]} more than once: which one holds is not known"
        raise LibraryFaultError(reason)
    return layout
