"""Contig tables: spellings, calls, formats in small; scirpy is asked in test_ingest_formats."""

from __future__ import annotations

import gzip
import itertools
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hiaim_sc.config import IngestOptions
from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.ingest import read_contigs
from hiaim_sc.ingest.checks import check_contigs
from hiaim_sc.ingest.contigs import count_not_counted, drop_contigs
from hiaim_sc.names import CONTIG_COLUMNS
from hiaim_sc.study.contig_header import check_contig_start
from hiaim_sc.study.contig_json import COLUMNS, read_contig_rows

from .conftest import CELLS


@pytest.mark.parametrize(
    ("text", "value"),
    [("True", True), ("TRUE", True), ("true", True), ("T", True)]
    + [(text, False) for text in ("False", "false", "None", "")],
)
def test_spellings_of_truth(write_contigs, make_contig, text, value):
    table = read_contigs(write_contigs([make_contig(productive=text)])).table
    assert table["productive"].tolist() == [value]


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("TRBV9", "TRBV9"),
        ("TRBV9*01", "TRBV9"),
        ("TRBV6-2*01,TRBV6-3*01", "TRBV6-2"),
        ("TRBV12-3+TRBV12-4", "TRBV12-3"),
        ("TRAV29/DV5", "TRAV29/DV5"),
    ],
)
def test_calls_lose_alleles_and_second_choices(write_contigs, make_contig, text, call):
    table = read_contigs(write_contigs([make_contig(v_gene=text)])).table
    assert table["v_call"].tolist() == [call]


def test_columns_are_named_as_in_airr(write_contigs, make_contig):
    table = read_contigs(write_contigs([make_contig(reads="70", umis="7", d_gene="None")])).table
    row = table.iloc[0]
    assert tuple(table.columns) == CONTIG_COLUMNS
    assert (row["consensus_count"], row["umi_count"]) == (70, 7)
    assert (row["junction_aa"], row["junction"]) == ("CASSAWGGNQPQHF", "TGTGCCAGC")
    assert pd.isna(row["d_call"])


def test_order_of_rows_does_not_matter(write_contigs, make_contig):
    rows = [make_contig(cell, n) for cell in ("C-1", "A-1", "B-1") for n in (2, 1)]
    first = read_contigs(write_contigs(rows)).table
    second = read_contigs(write_contigs(rows[::-1], "other.csv")).table
    pd.testing.assert_frame_equal(first, second)
    assert first["cell_barcode"].is_monotonic_increasing


def test_contigs_of_no_locus_are_not_productive_and_stay(write_contigs, make_contig):
    table = read_contigs(write_contigs([make_contig(chain="Multi")])).table
    kept, dropped = drop_contigs(table)
    assert kept["locus"].isna().all()
    assert kept["productive"].tolist() == [False]
    assert sum(dropped.values()) == 0


def test_dropped_contigs_are_counted_by_the_first_reason(write_contigs, make_contig):
    rows = [
        make_contig(number=1),
        make_contig(number=2, is_cell="false", high_confidence="false"),
        make_contig(number=3, high_confidence="FALSE"),
        make_contig(number=4, chain="IGH"),
    ]
    kept, dropped = drop_contigs(read_contigs(write_contigs(rows)).table)
    assert dropped == {"not_cell": 1, "low_confidence": 1, "bcr_locus": 1}
    assert kept["contig_id"].str[-1].tolist() == ["1"]


def test_contigs_that_are_no_chain_are_counted_by_the_first_reason(write_contigs, make_contig):
    rows = [
        make_contig(number=1),
        make_contig(number=2, chain="Multi"),
        make_contig(number=3, productive="None", cdr3="None"),
        make_contig(number=4, cdr3="None"),
    ]
    table = read_contigs(write_contigs(rows)).table
    assert count_not_counted(table) == {"no_locus": 1, "not_productive": 1, "no_junction": 1}


def test_airr_is_read_with_either_name_of_the_umi_count(write_contigs):
    row = {
        "cell_id": "A-1",
        "sequence_id": "s1",
        "v_call": "TRAV1-2*01",
        "j_call": "TRAJ33*01",
        "junction": "TGT",
        "junction_aa": "C",
        "productive": "T",
        "duplicate_count": "5",
    }
    old = read_contigs(write_contigs([row], "old.tsv", sep="\t")).table
    both = read_contigs(write_contigs([row | {"umi_count": "9"}], "new.tsv", sep="\t")).table
    assert (old["umi_count"].item(), both["umi_count"].item()) == (5, 9)
    assert old[["locus", "v_call", "is_cell"]].iloc[0].tolist() == ["TRA", "TRAV1-2", True]


def test_gzipped_table_is_read_whatever_its_name(write_contigs, make_contig):
    path = write_contigs([make_contig()])
    plain = read_contigs(path).table
    path.write_bytes(gzip.compress(path.read_bytes()))
    pd.testing.assert_frame_equal(read_contigs(path).table, plain)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "web page"),
        (b"PK\x03\x04rest", "spreadsheet"),
        (b"\x89HDF\r\n\x1a\nrest", "HDF5"),
        (b"sample,age\nS1,40\n", r"column.* barcode, contig_id.*begins with sample, age"),
        (b"", "an empty file"),
        (b"\xff\xfe\x00bad", "UTF-16"),
        (b"a,b\xe9\n", "no text table"),
        (b"\x1f\x8b\x08\x00cut", "cut short"),
        (b"#a\n#b\nx,y,z\n", "no contig table"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    path = tmp_path / "filtered_contig_annotations.csv"
    path.write_bytes(content)
    with pytest.raises(LibraryFaultError, match=message):
        read_contigs(path)


def test_counts_that_are_no_counts_are_refused(write_contigs, make_contig):
    with pytest.raises(LibraryFaultError, match=r"1 values of umi_count.*'many'"):
        read_contigs(write_contigs([make_contig(umis="many")]))


@pytest.mark.data
def test_cells_without_a_locus_are_kept_in_sight(shared_data):
    folder = shared_data / "real_ards_blood_lung/libraries/P19B"
    table = read_contigs(folder / "filtered_contig_annotations.csv.gz").table
    assert (len(table), table["cell_barcode"].nunique()) == (15003, 6943)
    assert table["locus"].isna().sum() == 1


# formats


def json_contig(**changes):
    regions = {
        "L-REGION+V-REGION": ("TRBV9", "TRB"),
        "J-REGION": ("TRBJ1-5", "TRB"),
        "C-REGION": ("TRBC1", "TRB"),
        "5'UTR": ("TRBV9", "TRB"),
    }
    return {
        "barcode": CELLS[0],
        "contig_name": f"{CELLS[0]}_contig_1",
        "sequence": "ACGT" * 200,
        "annotations": [
            {"feature": {"region_type": region, "gene_name": gene, "chain": chain}}
            for region, (gene, chain) in (regions | changes.pop("regions", {})).items()
        ],
        "cdr3": "CASSAWGGNQPQHF",
        "cdr3_seq": "TGTGCCAGC",
        "productive": True,
        "umi_count": 14,
        "read_count": 2094,
        "is_cell": True,
        "high_confidence": True,
    } | changes


@pytest.mark.parametrize("indent", [None, 4])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_json_says_what_the_csv_says(tmp_path, write_contigs, make_contig, indent, pack):
    rows = [{}, {"is_cell": False}, {"productive": None, "cdr3": None, "cdr3_seq": None}]
    ids = [f"{CELLS[0]}_contig_{number}" for number in (1, 2, 3)]
    contigs = [json_contig(contig_name=n, **row) for n, row in zip(ids, rows, strict=True)]
    path = tmp_path / "all_contig_annotations.json"
    path.write_bytes(pack(json.dumps(contigs, indent=indent).encode()))
    expected = [
        make_contig(number=1),
        make_contig(number=2, is_cell="False"),
        make_contig(number=3, productive="None", cdr3="None", cdr3_nt="None"),
    ]
    pd.testing.assert_frame_equal(
        read_contigs(path).table, read_contigs(write_contigs(expected)).table
    )


def test_segments_of_several_loci_in_json_are_no_locus(tmp_path):
    path = tmp_path / "all_contig_annotations.json"
    path.write_text(json.dumps([json_contig(regions={"J-REGION": ("TRAJ1", "TRA")})]))
    row = read_contigs(path).table.iloc[0]
    assert (row["v_call"], row["j_call"], row["productive"]) == ("TRBV9", "TRAJ1", False)
    assert pd.isna(row["locus"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (json.dumps([json_contig()])[:-3], "ends within a contig .* after contig 0: it may be cut"),
        (json.dumps([json_contig()]) + "]", "ends within a contig or is no JSON after contig 1"),
        ('{"barcode": "A"}', "is JSON but no list of contigs"),
        ('[{"barcode": "A"}]', "no list of contigs: each needs barcode, contig_name, annotations"),
        ("[1]", "no list of contigs"),
    ],
)
def test_json_that_is_damaged_or_another_one_is_refused(tmp_path, content, message):
    path = tmp_path / "all_contig_annotations.json"
    path.write_text(content)
    with pytest.raises(LibraryFaultError, match=message):
        read_contigs(path)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=40))
def test_json_is_the_same_in_whatever_pieces_it_comes(lengths):
    contigs = [json_contig(contig_name=f"c{number}", umi_count=number) for number in range(3)]
    text = json.dumps(contigs, indent=2)
    cuts = [0, *np.cumsum(lengths), len(text)]
    pieces = [text[start:stop] for start, stop in itertools.pairwise(cuts)]
    rows = list(read_contig_rows(pieces, "x.json"))
    assert [row[COLUMNS.index("contig_id")] for row in rows] == ["c0", "c1", "c2"]
    assert [row[COLUMNS.index("umis")] for row in rows] == [0, 1, 2]


def bd_contig(**changes):
    return {
        "Cell_Index": "365",
        "Chain_Type": "TCR_Alpha",
        "Contig_ID": "365_TRA_1",
        "Read_Count": "30",
        "Molecule_Count": "3",
        "V_gene_Dominant": "TRAV29/DV5*01",
        "D_gene_Dominant": "",
        "J_gene_Dominant": "TRAJ33*01",
        "C_gene_Dominant": "TRAC",
        "Productive": "True",
        "FR3_Nucleotide_Dominant": "TACTACTGT",
        "FR3_Translation_Dominant": "YYC",
        "CDR3_Nucleotide_Dominant": "GCAGCA",
        "CDR3_Translation_Dominant": "AA",
        "FR4_Nucleotide_Dominant": "TTTGGA",
        "FR4_Translation_Dominant": "FG",
    } | changes


def write_bd(write_contigs, rows):
    path = write_contigs(rows, "VDJ_Dominant_Contigs.csv")
    path.write_text(f"####\n## BD Rhapsody, Version 1.10\n####\n{path.read_text()}")
    return path


def test_bd_rhapsody_is_read_under_the_same_names(write_contigs):
    bare = {"Contig_ID": "365_TRA_2", "FR4_Nucleotide_Dominant": "", "FR4_Translation_Dominant": ""}
    contigs = read_contigs(write_bd(write_contigs, [bd_contig(), bd_contig(**bare)]))
    first, second = contigs.table.to_dict("records")
    assert (first["cell_barcode"], first["locus"], first["v_call"]) == ("365", "TRA", "TRAV29/DV5")
    assert (first["umi_count"], first["consensus_count"], first["productive"]) == (3, 30, True)
    assert (first["junction"], first["junction_aa"]) == ("TGTGCAGCATTT", "CAAF")
    assert (second["junction"], second["junction_aa"]) == ("GCAGCA", "AA")
    assert contigs.n_bare_junctions == 1


def test_contigs_without_an_id_are_numbered_whatever_their_order(write_contigs):
    rows = [bd_contig(Molecule_Count=str(n)) for n in (3, 1, 2)]
    for row in rows:
        del row["Contig_ID"]
    first = read_contigs(write_bd(write_contigs, rows)).table
    second = read_contigs(write_bd(write_contigs, rows[::-1])).table
    pd.testing.assert_frame_equal(first, second)
    assert first["contig_id"].tolist() == [f"365_contig_{n}" for n in (1, 2, 3)]
    twice = read_contigs(write_bd(write_contigs, rows * 2))
    with pytest.raises(
        LibraryFaultError, match="3 contigs stand in it twice, such as 365_contig_1"
    ):
        check_contigs(twice, IngestOptions())


AIRR_ROW = {
    "cell_id": "A-1",
    "sequence_id": "s1",
    "v_call": "TRAV1-2*01",
    "d_call": "",
    "j_call": "TRAJ33*01",
    "c_call": "TRAC",
    "junction": "TGT",
    "junction_aa": "C",
    "productive": "T",
}


@pytest.mark.parametrize(
    ("calls", "locus"),
    [
        ({}, "TRA"),
        ({"v_call": "TRAV29/DV5", "d_call": "TRDD3", "j_call": "TRDJ1", "c_call": "TRDC"}, "TRD"),
        ({"v_call": "TRAV29DV5", "j_call": "TRDJ1", "c_call": ""}, "TRD"),
        ({"v_call": "TRAV29/DV5"}, "TRA"),
        ({"v_call": "TRBV9"}, None),
    ],
)
def test_locus_is_the_one_on_which_the_genes_agree(write_contigs, calls, locus):
    path = write_contigs([AIRR_ROW | calls], "airr_rearrangement.tsv", sep="\t")
    assert read_contigs(path).table["locus"].fillna("").tolist() == [locus or ""]


def test_rows_of_a_tsv_may_leave_out_their_last_fields(write_contigs):
    path = write_contigs([AIRR_ROW | {"umi_count": "3", "np1": ""}], "cut.tsv", sep="\t")
    expected = read_contigs(path).table
    header, row = path.read_text().splitlines()
    path.write_text(f"{header}\n{row.rstrip()}\n")
    pd.testing.assert_frame_equal(read_contigs(path).table, expected)


def test_row_that_a_csv_cuts_short_is_a_fault(write_contigs, make_contig):
    path = write_contigs([make_contig(), make_contig(number=2)])
    path.write_text(path.read_text()[:-20])
    with pytest.raises(LibraryFaultError, match="Row #3: Expected 17 columns"):
        read_contigs(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: text.replace(b",14,", b",14.0,"),
        lambda text: text.rstrip(b"\n"),
        lambda text: b'"' + text.replace(b",", b'","').replace(b"\n", b'"\n"').rstrip(b'"'),
    ],
    ids=["CRLF", "byte order mark", "decimal UMIs", "no last line feed", "quoted"],
)
def test_spellings_of_a_table_do_not_matter(write_contigs, make_contig, change):
    path = write_contigs([make_contig(), make_contig(number=2, chain="TRA")])
    expected = read_contigs(path).table
    path.write_bytes(change(path.read_bytes()))
    pd.testing.assert_frame_equal(read_contigs(path).table, expected)


@pytest.mark.parametrize("umis", ["1.5", "-1", "inf", "1e30"])
def test_umis_that_are_no_whole_number_are_refused(write_contigs, make_contig, umis):
    with pytest.raises(LibraryFaultError, match="1 values of umi_count are no whole number"):
        read_contigs(write_contigs([make_contig(umis=umis)]))


def test_contig_of_no_cell_is_dropped_as_such(write_contigs, make_contig):
    rows = [make_contig(), make_contig(cell="", number=2, contig_id="x")]
    kept, dropped = drop_contigs(read_contigs(write_contigs(rows)).table)
    assert (len(kept), dropped["not_cell"]) == (1, 1)


# one library, one sample


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([{"origin": "T1"}, {"origin": "T2"}], r"several samples .*\(column origin has T1, T2\)"),
        ([{"donor": "D1"}, {"donor": "D2"}], r"\(column donor has D1, D2\)"),
        ([{"sample": "S1"}, {"sample": "S2"}], r"\(column sample has S1, S2\)"),
        (
            [{"barcode": "ACGTACGTACGT-1"}, {"barcode": "ACGTACGTACGT-2"}],
            r"\(the end of cell barcodes has -1, -2\)",
        ),
        ([{"origin": "T1", "donor": "D1"}] * 2, ""),
        ([{"barcode": "ACGTACGTACGT-1-7"}, {"barcode": "ACGTACGTACGT-2-7"}], ""),
        ([{"barcode": "plate-1"}, {"barcode": "plate-2"}], ""),
    ],
)
def test_table_of_several_samples_is_refused(write_contigs, make_contig, changes, message):
    path = write_contigs([make_contig(number=n) | row for n, row in enumerate(changes)])
    if not message:
        check_contigs(read_contigs(path), IngestOptions())
        check_contig_start(path)
        return
    for check in (lambda: check_contigs(read_contigs(path), IngestOptions()),
                  lambda: check_contig_start(path)):  # fmt: skip
        with pytest.raises(LibraryFaultError, match=f"{message}: .*one GEM well.*before `aggr`"):
            check()


# hypothesis


CONTIGS = st.lists(
    st.tuples(st.sampled_from("ABC"), st.sampled_from(["TRA", "TRB", "Multi"]), st.integers(0, 3)),
    min_size=1,
    max_size=12,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(CONTIGS, st.data())
def test_reading_does_not_depend_on_the_order_of_rows(write_contigs, make_contig, drawn, data):
    rows = [
        make_contig(f"{cell}CGTACGT-1", number, chain, umis=str(umis))
        for number, (cell, chain, umis) in enumerate(drawn)
    ]
    order = data.draw(st.permutations(rows))
    first = read_contigs(write_contigs(rows)).table
    pd.testing.assert_frame_equal(read_contigs(write_contigs(order)).table, first)
    assert first["umi_count"].sum() == sum(umis for _, _, umis in drawn)
