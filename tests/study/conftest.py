"""A small study folder without a fault, and a way to break one thing in it."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from hiaim_sc.errors import Fault, UserInputError
from hiaim_sc.study import Study, check_files, read_study

STUDY_YAML = """\
study: small
design:
  arms: [control, exercise]
  visits: {baseline: 0, week6: 42}
  tissues: [blood, tumor]
  strata: [treatment]
"""
TABLES = {
    "participants.tsv": """\
patient_id	treatment	sex	hla	enrolled_on	site
P2	chemo	male		2026-01-06	north
P1	immuno	F	A*02:01, B*07:02	2026-01-05\t
P3	chemo	female	A*01:01	2026-01-07	south
""",
    "samples.tsv": """\
sample_id	patient_id	visit	tissue	session_phase	status	reason	lymphocyte_pct
S1	P1	baseline	blood		collected		31.5
S2	P1	week6	blood	rest\t\t\t
S3	P2	baseline	blood	rest	collected		28
S4	P2	week6	blood	rest	collected\t\t
S5	P2	week6	tumor	rest	lesion_unsafe	bleeding\t
S6	P2	week6	blood	post_bout	collected\t\t
""",
    "libraries.tsv": """\
library_id	sample_id	batch	gex	vdj	dna_barcodes	state	expected_cells
L1	S1	run1	lib/L1.h5	lib/L1.csv	lib/L1.h5		5000
L2	S2	run2	lib/L2.h5	lib/L2.csv		delivered\t
L3	S3	run2	lib/L3.h5	lib/L3.csv		delivered\t
L4	S4	run1	lib/L4.h5			delivered\t
L6		run1	lib/L6.h5			delivered\t
L7	S5	run1	lib/L7.h5			expected\t
""",
    "hashtags.tsv": """\
library_id	hashtag	sample_id
L6	HT1	S4
L6	HT2	S6
""",
    "antigens.tsv": """\
dna_barcode	peptide	hla	gene	organism	is_control
A2	NLVPMVATV	A*02:01	pp65	CMV	no
A1	GILGFVFTL	A*02:01	M1	Influenza\t
N1					TRUE
""",
    "measurements.tsv": """\
patient_id	visit	assay	analyte	value	unit	session_phase	minutes_from_bout
P1	week6	flow	NK	12.5	pct\t\t
P1	baseline	flow	NK	8.25	pct\t\t
P2	baseline	elisa	IL-6	3e0	pg/ml	post_bout	-15
""",
    "bulk_screens.tsv": """\
screen_id	fastq	layout	sample_tags	tags_a	tags_b
X1	bulk/reads.fastq	bentzen2016	bulk/keys.fasta	bulk/a.fasta	bulk/b.fasta
""",
    "bulk_samples.tsv": """\
screen_id	sample_tag	role	sample_id
X1	K1	sample	S1
X1	K2	input\t
""",
    "cell_type_overrides.tsv": """\
library_id	cell_barcode	clustering	cluster	label	cell_state	author	reason
L1	AAAC0-1			NK CD56dim		A. B.	CD16 by eye
		0123456789ab	4	CD8 T	CD8 Tex	A. B.	CXCL13
""",
    "allocation.tsv": """\
patient_id	arm
P3	exercise
P1	control
P2	exercise
""",
}
CONTIG_HEADER = (
    "barcode,is_cell,contig_id,high_confidence,chain,v_gene,d_gene,j_gene,c_gene,productive,"
    "cdr3,cdr3_nt,reads,umis"
)


def write_contigs(path: Path, chain: str = "TRB", v_gene: str = "TRBV20-1") -> None:
    row = f"AAAC-1,true,AAAC-1_contig_1,true,{chain},{v_gene},,TRBJ1-1,TRBC1,true,CAF,TGT,9,3"
    path.write_text(f"{CONTIG_HEADER}\n{row}\n")


def write_matrix(
    path: Path,
    *,
    n_cells: int = 2,
    ids: tuple[str, ...] = ("ENSG01", "ENSG02", "ENSG03", "A1", "A2", "N1"),
    types: tuple[str, ...] = ("Gene Expression",) * 3 + ("Antigen Capture",) * 3,
    genomes: tuple[str, ...] = ("GRCh38",) * 3 + ("",) * 3,
) -> None:
    """A Cell Ranger 3 matrix without counts."""
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix")
        group["barcodes"] = np.array([f"AAAC{i}-1" for i in range(n_cells)], dtype="S18")
        group["data"] = np.zeros(0, dtype=np.int32)
        group["indices"] = np.zeros(0, dtype=np.int64)
        group["indptr"] = np.zeros(n_cells + 1, dtype=np.int64)
        group["shape"] = np.array([len(ids), n_cells], dtype=np.int32)
        features = group.create_group("features")
        for name, values in {
            "id": ids,
            "name": ids,
            "feature_type": types,
            "genome": genomes,
        }.items():
            features[name] = np.array([value.encode() for value in values])


class StudyFolder:
    """A study folder that tests may break."""

    write_matrix = staticmethod(write_matrix)
    write_contigs = staticmethod(write_contigs)

    def __init__(self, path: Path) -> None:
        self.path = path

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def replace(self, table: str, old: str, new: str) -> None:
        """Replaces a text that stands in the table exactly once."""
        text = (self / table).read_text()
        assert text.count(old) == 1, (table, old, text.count(old))
        (self / table).write_text(text.replace(old, new))

    def append(self, table: str, line: str) -> None:
        with (self / table).open("a") as file:
            file.write(f"{line}\n")

    def remove(self, *names: str) -> None:
        for name in names:
            (self / name).unlink()

    def read(self) -> Study:
        return read_study(self.path)

    def faults(self) -> tuple[Fault, ...]:
        """What reading reports; fails where it reports nothing."""
        with pytest.raises(UserInputError) as caught:
            read_study(self.path)
        return caught.value.faults

    def file_faults(self) -> list[Fault]:
        return check_files(read_study(self.path))


@pytest.fixture(scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template") / "study"
    (folder / "lib").mkdir(parents=True)
    (folder / "bulk").mkdir()
    (folder / "study.yaml").write_text(STUDY_YAML)
    for name, text in TABLES.items():
        (folder / name).write_text(text)
    for number in (1, 2, 3, 4, 6):
        write_matrix(folder / "lib" / f"L{number}.h5")
    for number in (1, 2, 3):
        write_contigs(folder / "lib" / f"L{number}.csv")
    for name in ("reads.fastq", "keys.fasta", "a.fasta", "b.fasta"):
        (folder / "bulk" / name).write_text(">x\nACGT\n")
    return folder


@pytest.fixture
def small_study(_template: Path, tmp_path: Path) -> StudyFolder:
    return StudyFolder(Path(shutil.copytree(_template, tmp_path / "study")))
