"""Tags and layouts of bulk screens as files."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from hiaim_sc.errors import UserInputError
from hiaim_sc.study import packaged_layouts, read_layout, read_tags

if TYPE_CHECKING:
    from pathlib import Path

TAGS_A = (
    ">Pep_2OS_1_Oligo_A1\nCGAGGGCAATGGTTAACTGACACGT\n"
    ">Pep_2OS_1_Oligo_A12 some words\nGGCTCTATAAGG\nTTTCCTCAAAGGT\n"
)


def _faults(path: Path, kind) -> str:
    with pytest.raises(UserInputError) as caught:
        read_tags(path, kind)
    return str(caught.value)


def _fasta(tmp_path, text: str, name: str = "tags.fasta") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def test_epitope_tags_are_named_by_their_end(tmp_path):
    found = read_tags(_fasta(tmp_path, TAGS_A), "A")
    assert found.names == ("A1", "A12")
    assert found.sequences == ("CGAGGGCAATGGTTAACTGACACGT", "GGCTCTATAAGGTTTCCTCAAAGGT")
    assert found.length == 25


def test_a_table_of_tags_is_no_fasta_file(tmp_path):
    path = _fasta(tmp_path, "A1\tACGTACGTACGT\nA2\tTTTTACGTTTTT\n")
    assert r"line 1: 'A1\tACGTACGTACGT\nA2\tT': a FASTA file" in _faults(path, "A")


def test_gzipped_lower_case_and_windows_lines_are_read(tmp_path):
    path = tmp_path / "tags.fasta.gz"
    path.write_bytes(gzip.compress(b"\r\n>B1\r\nacgtacgtacgt\r\n>oligo_2\r\nTTTTACGTTTTT\r\n"))
    found = read_tags(path, "B")
    assert found.names == ("B1", "B2")
    assert found.sequences == ("ACGTACGTACGT", "TTTTACGTTTTT")


def test_sample_tags_keep_their_whole_names(tmp_path):
    """Barracoda keeps the number only, and takes these two for one."""
    path = _fasta(tmp_path, ">A-Key12\nACGTAC\n>B_12\nTGCATG\n>C_12\nTGCATT\n")
    found = read_tags(path, "sample")
    assert found.names == ("A-Key12", "B_12", "C_12")
    assert found.close_pairs() == [("B_12", "C_12")]


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        (TAGS_A, "B", ["line 1: 'Pep_2OS_1_Oligo_A1': a name that ends in _B and a number"]),
        (
            TAGS_A + ">x_A1\nTTTTTTTTTTTTTTTTTTTTTTTTT\n",
            "A",
            ["names that differ: A1 stands twice"],
        ),
        (TAGS_A + ">x_A2\nACGT\n", "A", ["line 6", "most have 25 bases, this one 4"]),
        (TAGS_A + ">x_A2\nCGAGGGCAATGGTTAACTGACACNT\n", "A", ["of A, C, G and T only"]),
        (TAGS_A + ">x_A2\n" + "ACGT" * 9 + "\n", "A", ["4 to 32 bases"]),
        (
            TAGS_A + ">x_A2\nCGAGGGCAATGGTTAACTGACACGT\n",
            "A",
            ["line 6", "A1 of line 1 has the same bases"],
        ),
        (TAGS_A + ">x_A2\nCGAGGGCAATGGTTAACTGACACGA\n", "A", ["has all but one of its bases"]),
        (">a\nACGTAC\n>b\nACGTAC\n", "sample", ["a of line 1 has the same bases"]),
        (">a\nACGTAC\n>a\nTTTTTT\n", "sample", ["a stands twice"]),
        ("ACGT\n>a\nACGT\n", "sample", ["line 1: 'ACGT", "> and a name first"]),
        ("", "sample", ["an empty file"]),
    ],
)
def test_faults_name_line_and_what_is_allowed(tmp_path, text, kind, words):
    found = _faults(_fasta(tmp_path, text), kind)
    for expected in words:
        assert expected in found


def test_all_faults_of_a_file_come_at_once(tmp_path):
    text = ">A1\nACGTNACGT\n>x\nACGTAACGT\n>A1\nACG\n"
    with pytest.raises(UserInputError) as caught:
        read_tags(_fasta(tmp_path, text), "A")
    assert [fault.row for fault in caught.value.faults] == [1, 1, 3, 5, 5]


def test_a_file_that_is_not_there_or_no_text_is_a_fault(tmp_path):
    assert "none.fasta" in _faults(tmp_path / "none.fasta", "sample")
    path = tmp_path / "x.fasta"
    path.write_bytes(b"PK\x03\x04rest")
    assert "a spreadsheet" in _faults(path, "sample")


def test_the_published_layout_has_the_published_lengths(tmp_path):
    assert packaged_layouts() == ("bentzen2016",)
    layout = read_layout("bentzen2016", tmp_path / "bentzen2016")
    parts = [layout.primer_a, layout.annealing, layout.primer_b]
    assert [len(part) for part in parts] == [25, 16, 21]
    # with sample tags of 6 and epitope tags of 25 bases a read has 130
    assert sum(map(len, parts)) + layout.n_a + layout.n_b + 6 + 2 * 25 == 130


def test_a_layout_of_ones_own_is_read_from_its_file(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("primer_a: ACGTACGTAC\nannealing: GGGGCCCCAA\nprimer_b: TTTTACGTAC\nn_a: 8\n")
    layout = read_layout(str(path), path)
    assert (layout.primer_a, layout.n_a, layout.n_b) == ("ACGTACGTAC", 8, 6)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("primer_a: ACG\nannealing: GGGGCCCCAA\n", ["primer_a: 'ACG': 8 to 32 bases", "primer_b"]),
        ("primer: ACGTACGTA\n", ["an unknown key; known here: primer_a", "this key is required"]),
        ("- a\n", ["the keys primer_a"]),
        ("a: [\n", ["a YAML file of a read layout"]),
    ],
)
def test_faults_of_a_layout(tmp_path, text, words):
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(UserInputError) as caught:
        read_layout("own", path)
    for expected in words:
        assert expected in str(caught.value)


def test_an_unknown_layout_names_the_published_ones(tmp_path):
    with pytest.raises(UserInputError, match="published layouts: bentzen2016"):
        read_layout("bentzen", tmp_path / "bentzen")


def test_a_layout_may_be_written_in_lower_case(tmp_path):
    path = tmp_path / "own.yaml"
    published = read_layout("bentzen2016", tmp_path / "none")
    lines = [f"{name}: {getattr(published, name).lower()}" for name in ("primer_a", "annealing")]
    path.write_text("\n".join([*lines, "primer_b: ' caatcttgagcgtgacttaag'"]))
    assert read_layout("own", path) == published
