"""Contig tables: spellings, calls, and scirpy's reader as the second opinion."""

from __future__ import annotations

import gzip

import pandas as pd
import pytest

from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.ingest import read_contigs
from hiaim_sc.ingest.contigs import drop_contigs
from hiaim_sc.names import CONTIG_COLUMNS

FIELDS = ["locus", "v_call", "j_call", "junction", "junction_aa", "umi_count", "productive"]


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
        (b"", "no contig table"),
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


def scirpy_rows(path, read):
    chains = read(path).obsm["airr"].to_list()
    return sorted(
        tuple(str(chain.get(field)) for field in FIELDS) for cell in chains for chain in cell
    )


def our_rows(path):
    kept, _ = drop_contigs(read_contigs(path).table)
    rows = kept[FIELDS].astype(object)
    return sorted(tuple(map(str, row)) for row in rows.where(rows.notna(), None).to_numpy())


@pytest.mark.data
@pytest.mark.parametrize(
    "path",
    [
        "receptor_formats/10x/vdj_nextgem_hs_pbmc3_t_filtered_contig_annotations.csv.gz",
        "real_dextramer/libraries/donor_v/filtered_contig_annotations.csv",
        "contigs_misc/tenextra_filtered_contig_annotations_CR5plus.csv",
        "receptor_formats/10x/10k_BMMNC_5pv2_nextgem_Multiplex_vdj_t_all_contig_annotations_small.csv",
    ],
)
def test_chains_equal_those_of_scirpy(shared_data, path):
    from scirpy.io import read_10x_vdj

    expected = [row for row in scirpy_rows(shared_data / path, read_10x_vdj) if row[0] != "Multi"]
    found = [row for row in our_rows(shared_data / path) if row[0] != "None"]
    assert len(found) > 0
    assert found == expected


@pytest.mark.data
def test_airr_chains_equal_those_of_scirpy(shared_data):
    from scirpy.io import read_airr

    path = shared_data / "receptor_formats/tutorial_example_data/immunesim_airr/immunesim_trb.tsv"
    strip = lambda rows: sorted((row[0], row[1].split("*")[0], *row[3:5]) for row in rows)  # noqa: E731
    assert strip(our_rows(path)) == strip(scirpy_rows(path, read_airr))


@pytest.mark.data
def test_cells_without_a_locus_are_kept_in_sight(shared_data):
    folder = shared_data / "real_ards_blood_lung/libraries/P19B"
    table = read_contigs(folder / "filtered_contig_annotations.csv.gz").table
    assert (len(table), table["cell_barcode"].nunique()) == (15003, 6943)
    assert table["locus"].isna().sum() == 1
