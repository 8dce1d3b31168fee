"""What `validate` says of the files and the panel of bulk screens."""

from __future__ import annotations

import pytest

from hiaim_sc.study import check_screens, read_study

FILES = {
    "reads.fastq": "@r\nACGT\n+\nFFFF\n",
    "keys.fasta": ">K1\nACGTAC\n>K2\nTTGGCC\n",
    "a.fasta": ">A1\nACGTACGTACGT\n>A2\nTTTTACGTTTTT\n",
    "b.fasta": ">B1\nCCCTACGTACGT\n>B2\nGGGGACGTTTTT\n",
}


@pytest.fixture
def screen(small_study):
    """The study folder with whole files of its screen, and its faults after further changes."""
    for name, text in FILES.items():
        (small_study.path / "bulk" / name).write_text(text)

    def check(**changed: str) -> list[str]:
        for name, text in changed.items():
            (small_study.path / "bulk" / name.replace("_", ".")).write_text(text)
        return [str(fault) for fault in check_screens(read_study(small_study.path))]

    return small_study.path, check


def _describe(folder, *names: str) -> None:
    rows = "".join(f"{name}\tSIINFEKL\tA*02:01\n" for name in names)
    (folder / "antigens.tsv").write_text("dna_barcode\tpeptide\thla\n" + rows)


def test_whole_files_have_no_fault(screen):
    folder, check = screen
    _describe(folder, "A1B2", "GIL_A1_B2x", "NLV")
    assert check() == []


@pytest.mark.parametrize("name", ["A01B02", "a1b2", "A1-B2", "A1_B2", "A1 B2", "A3B1", "A1B9"])
def test_a_panel_that_names_no_tags_is_told_line_by_line(screen, name):
    folder, check = screen
    _describe(folder, "A1B1", name)
    (fault,) = check()
    assert fault.startswith(f"antigens.tsv line 3, dna_barcode: {name!r}: A and B with the numbers")


def test_names_with_zeros_are_right_where_the_tags_have_them(screen):
    folder, check = screen
    _describe(folder, "A01B1")
    assert check(a_fasta=">Oligo_A01\nACGTACGTACGT\n") == []


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("a_fasta", FILES["a.fasta"] + ">A3\nACGTACGTACGT\n", "the same bases"),
        ("a_fasta", FILES["a.fasta"] + ">A3\nACGTACGTACGG\n", "all but one of its bases"),
        ("b_fasta", FILES["b.fasta"] + ">B2\nAAAACCCCGGGG\n", "B2 stands twice"),
        ("b_fasta", "B1\tACGTACGTACGT\n", "a FASTA file"),
        ("keys_fasta", FILES["keys.fasta"] + ">K3\nACGTAC\n", "the same bases"),
        ("keys_fasta", ">K1\nACGTAC\n", "a name of keys.fasta: K1"),
        ("reads_fastq", ">r\nACGT\n", "a FASTQ file; this is none by its first record"),
        ("reads_fastq", "", "an empty file"),
    ],
)
def test_faults_of_the_files(screen, file, text, words):
    _, check = screen
    faults = check(**{file: text})
    assert faults
    assert all(words in fault for fault in faults)


def test_screens_of_the_same_reads_have_sample_tags_of_their_own(screen):
    folder, check = screen
    with (folder / "bulk_screens.tsv").open("a") as table:
        table.write(
            "X2\tbulk/../bulk/reads.fastq\tbentzen2016\tbulk/keys.fasta\tbulk/a.fasta\tbulk/b.fasta\n"
        )
    with (folder / "bulk_samples.tsv").open("a") as table:
        table.write("X2\tK3\tsample\tS1\nX2\tK2\tinput\t\n")
    keys = FILES["keys.fasta"] + ">K3\nGATTAC\n"
    assert check(keys_fasta=keys) == []  # they share their input
    text = (folder / "bulk_samples.tsv").read_text()
    (folder / "bulk_samples.tsv").write_text(text.replace("X2\tK3", "X2\tK1"))
    (fault,) = check()
    assert fault.startswith("bulk_samples.tsv line 4, sample_tag: 'K1': another tag; screen X1")


def test_one_file_as_its_own_mate(screen):
    folder, check = screen
    table = folder / "bulk_screens.tsv"
    lines = table.read_text().splitlines()
    table.write_text(f"{lines[0]}\tfastq2\n{lines[1]}\tbulk/reads.fastq\n")
    (fault,) = check()
    assert "fastq2: a file of its own for the mates" in fault
