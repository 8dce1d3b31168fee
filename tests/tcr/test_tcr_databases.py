"""Readers of databases of receptors, and what is counted out of them."""

from __future__ import annotations

import gzip

import pandas as pd
import pytest

from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.study.database_header import read_database_header
from hiaim_sc.tcr import pool_databases, read_database
from hiaim_sc.tcr.databases.genes import spell_gene

CHAINS = ["v_call_1", "junction_aa_1", "v_call_2", "junction_aa_2"]
FLU = ["TRAV27*01", "CAGAGSQGNLIF", "TRBV19*01", "CASSIRSSYEQYF"]

_COMMON = "HomoSapiens\tHLA-A*02:01\tB2M\tMHCI\tGILGFVFTL\tM1\tInfluenzaA\tPMID:1"
_HEAD = "species\tmhc.a\tmhc.b\tmhc.class\tantigen.epitope\tantigen.gene\tantigen.species"
VDJDB_FULL = (
    f"cdr3.alpha\tv.alpha\tj.alpha\tcdr3.beta\tv.beta\td.beta\tj.beta\t{_HEAD}\treference.id\t"
    "vdjdb.score\n"
    f"CAGAGSQGNLIF\tTRAV27*01\tTRAJ42*01\tCASSIRSSYEQYF\tTRBV19*01\t\tTRBJ2-7*01\t{_COMMON}\t3\n"
)
VDJDB_SLIM = (
    f"gene\tcdr3\tv.segm\tj.segm\t{_HEAD}\treference.id\tcomplex.id\tvdjdb.score\n"
    f"TRB\tCASSIRSSYEQYF\tTRBV19*01\tTRBJ2-7*01\t{_COMMON}\t17\t3\n"
    f"TRA\tCAGAGSQGNLIF\tTRAV27*01\tTRAJ42*01\t{_COMMON}\t17\t3\n"
    f"TRB\tCASSLAPGATNEKLFF\tTRBV7-6*01\tTRBJ1-4*01\t{_COMMON}\t0\t1\n"
)
VDJDB_SITE = (
    "complex.id\tGene\tCDR3\tV\tJ\tSpecies\tMHC A\tMHC B\tMHC class\tEpitope\tEpitope gene\t"
    "Epitope species\tReference\tScore\n"
    f"17\tTRA\tCAGAGSQGNLIF\tTRAV27*01\tTRAJ42*01\t{_COMMON}\t3\n"
    f"17\tTRB\tCASSIRSSYEQYF\tTRBV19*01\tTRBJ2-7*01\t{_COMMON}\t3\n"
)
_TAXON = "http://purl.obolibrary.org/obo/NCBITaxon_"
_FIELDS = ("Type", "Organism IRI", "Calculated V Gene", "Calculated J Gene", "CDR3 Curated")
_FIELDS += ("CDR3 Calculated",)
_IEDB_ROWS = (
    f"1,GILGFVFTL,Matrix protein 1,Influenza A virus,HLA-A*02:01,alpha,{_TAXON}9606,TRAV27*01,"
    f"TRAJ42*01,,AGAGSQGNLI,beta,{_TAXON}9606,TRBV19*01,TRBJ2-7*01,CASSIRSSYEQYF,ASSIRSSYEQY\n"
    f"2,KVLEYVIKV,MAGEA1,Homo sapiens,HLA-A2,alpha,{_TAXON}10090,TRAV1*01,TRAJ33*01,,AAAAL,beta,"
    f"{_TAXON}10090,TRBV1*01,TRBJ2-7*01,,ASSS\n"
)
_GROUPS = ["Receptor", *["Epitope"] * 3, "Assay", *["Chain 1"] * 6, *["Chain 2"] * 6]
_NAMES = ["IEDB Receptor ID", "Name", "Source Molecule", "Source Organism", "MHC Allele Names"]
_NAMES += [*_FIELDS, *_FIELDS]
IEDB_TWO_LINES = f"{','.join(_GROUPS)}\n{','.join(_NAMES)}\n{_IEDB_ROWS}"
IEDB_ONE_LINE = (
    ",".join(f"{group} - {name}" for group, name in zip(_GROUPS, _NAMES, strict=True))
    + f"\n{_IEDB_ROWS}"
)
MCPAS = (
    "CDR3.alpha.aa,CDR3.beta.aa,Species,Category,Pathology,Antigen.protein,Epitope.peptide,MHC,"
    "TRAV,TRAJ,TRBV\n"
    "CAGAGSQGNLIF,CASSIRSSYEQYF,Human,Pathogens,Influenza,Matrix protein (M1),GILGFVFTL,"
    "HLA-A*02:01,TRAV27:01,TRAJ42,TRBV19:01\n"
    "NA,CASSF\xe9F,Human,Cancer,Melanoma,MART1,ELAGIGILTV,HLA-A2,NA,NA,TRBV27\n"
    "NA,CASSDRGNTGELFF,Mouse,Pathogens,Influenza,PA,SSLENFRAYV,H-2Db,NA,NA,TRBV29\n"
)
FORMATS = {
    "full": ("VDJdb", VDJDB_FULL, 1),
    "slim": ("VDJdb", VDJDB_SLIM, 2),
    "site": ("VDJdb", VDJDB_SITE, 1),
    "iedb two lines": ("IEDB", IEDB_TWO_LINES, 2),
    "iedb one line": ("IEDB", IEDB_ONE_LINE, 2),
    "mcpas": ("McPAS-TCR", MCPAS, 3),
}


def write(folder, text: str, name="database.txt"):
    path = folder / name
    path.write_bytes(text.encode("latin-1"))
    return path


@pytest.mark.parametrize("kind", FORMATS)
def test_every_layout_gives_the_same_receptor_and_epitope(kind, tmp_path):
    name, text, n_records = FORMATS[kind]
    records = read_database(write(tmp_path, text))
    assert len(records) == n_records
    assert set(records["database"]) == {name}
    usable = pool_databases({"abc": records}).records
    flu = usable[usable["epitope"] == "GILGFVFTL"]
    paired = flu[flu["junction_aa_1"].notna()]
    assert paired[CHAINS].to_numpy().tolist() == [[text.split("*")[0] for text in FLU]]
    assert paired["organism"].str.contains("nfluenza").all()
    assert paired["mhc"].str.contains(r"HLA-A\*02:01", regex=True).all()


def test_a_gzipped_file_is_read_whatever_its_name(tmp_path):
    path = tmp_path / "download"
    path.write_bytes(gzip.compress(VDJDB_SLIM.encode()))
    assert read_database_header(path).database == "VDJdb"
    pd.testing.assert_frame_equal(
        read_database(path), read_database(write(tmp_path, VDJDB_SLIM, "plain.tsv"))
    )


def test_chains_of_complex_0_stay_alone(tmp_path):
    records = read_database(write(tmp_path, VDJDB_SLIM))
    alone = records[records["junction_aa_2"] == "CASSLAPGATNEKLFF"]
    assert alone["junction_aa_1"].isna().all()
    assert alone["score"].tolist() == ["1"]


def test_a_calculated_junction_gets_its_ends_back(tmp_path):
    records = read_database(write(tmp_path, IEDB_TWO_LINES))
    assert records["junction_aa_1"].tolist() == ["CAGAGSQGNLIF", "CAAAALW"]
    assert records["junction_aa_2"].tolist() == ["CASSIRSSYEQYF", "CASSSF"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("mcpas", (3, 1, 1, 1)), ("iedb one line", (2, 1, 0, 1)), ("slim", (2, 0, 0, 2))],
)
def test_what_is_left_out_is_counted(kind, expected, tmp_path):
    """Of mouse; without a junction of the twenty amino acids between C and F or W."""
    contents = pool_databases({"abc": read_database(write(tmp_path, FORMATS[kind][1]))}).contents
    counts = contents[["n_records", "n_not_human", "n_no_junction", "n_usable"]]
    assert counts.to_numpy().tolist() == [list(expected)]


def test_records_that_say_the_same_are_counted_once_and_files_in_any_order_are_one():
    row = dict(zip(CHAINS, FLU, strict=True)) | {"species": "human", "database": "VDJdb"}
    table = pd.DataFrame([row, row]).reindex(
        columns=[*row, "j_call_1", "epitope", "antigen", "organism", "mhc", "score"]
    )
    other = table.iloc[:1].assign(junction_aa_2="CASSF*SYEQYF")
    there, back = (pool_databases(d).records for d in ({"a": table, "b": other},) * 2)
    pd.testing.assert_frame_equal(there, back)
    assert sorted(there["n_records"]) == [1, 2]
    assert there.loc[there["n_records"] == 1, "junction_aa_2"].isna().all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("library_id\tcell_barcode\nL1\tAAA\n", "begins with library_id, cell_barcode"),
        ("<!doctype html><title>Log in</title>", "is a web page"),
        ("", "is an empty file"),
        ("cdr3\tspecies\nCASSF\tHomoSapiens\n", "the VDJdb .tsv, the IEDB receptor export"),
    ],
)
def test_what_is_no_database_is_refused(text, words, tmp_path):
    with pytest.raises(LibraryFaultError, match=r"database\.txt") as error:
        read_database(write(tmp_path, text))
    assert words in error.value.reason


@pytest.mark.parametrize(
    ("call", "gene"),
    [
        ("TRAV14/DV4*01", "TRAV14DV4"),
        ("TRAV38-2/DV8", "TRAV38-2DV8"),
        ("TRBV12-3/12-4", "TRBV12-3"),
        ("TRBV6-2,TRBV6-3", "TRBV6-2"),
        ("TCRBV06-05*01", "TRBV6-5"),
        ("TRAV12-01", "TRAV12-1"),
        ("TRBV19:01", "TRBV19"),
        ("TRBV10-3", "TRBV10-3"),
        ("unknown", None),
        ("", None),
    ],
)
def test_v_genes_are_spelt_one_way(call, gene):
    (spelt,) = spell_gene(pd.Series([call]))
    assert (spelt == gene) if gene else pd.isna(spelt)


@pytest.mark.data
def test_the_public_chunks_have_their_stated_counts(shared_data):
    records = read_database(shared_data / "vdjdb/vdjdb_chunks_human.tsv.gz")
    assert len(records) == 48_482
    assert (records["junction_aa_1"].notna() & records["junction_aa_2"].notna()).sum() == 16_579
    counts = records["epitope"].value_counts()
    epitopes = {"GILGFVFTL": 11_739, "NLVPMVATV": 7_354, "GLCTLVAML": 1_769}
    assert counts[list(epitopes)].to_dict() == epitopes
    pooled = pool_databases({"abc": records})
    assert pooled.records["n_records"].sum() == pooled.contents["n_usable"].item()
    for arm in (1, 2):
        junction = pooled.records[f"junction_aa_{arm}"].dropna()
        assert junction.str.fullmatch("C[ACDEFGHIKLMNPQRSTVWY]{3,}[FW]").all()
