"""The command that counts a bulk screen."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from flows.cli import app
from hiaim_sc.simulate import ScreenDesign, ScreenNoise, draw_tags, write_screen
from hiaim_sc.study import read_layout

if TYPE_CHECKING:
    from hiaim_sc.config import ReadLayout

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    """Folder with reads.fastq.gz, keys.fasta, a.fasta, b.fasta; and the truth."""
    folder = tmp_path_factory.mktemp("screen")
    rng = np.random.default_rng(1)
    layout: ReadLayout = read_layout("bentzen2016", folder / "none")
    kinds = {"keys": ("Key_", 3, 6), "a": ("Oligo_A", 4, 25), "b": ("Oligo_B", 4, 25)}
    tags = {}
    for name, (prefix, n, length) in kinds.items():
        drawn = draw_tags(n, length, rng, distance=3)
        tags[name] = {f"{prefix}{i + 1}".removeprefix("Oligo_"): tag for i, tag in enumerate(drawn)}
        text = "".join(f">{prefix}{i + 1}\n{tag}\n" for i, tag in enumerate(drawn))
        (folder / f"{name}.fasta").write_text(text)
    names = [f"{a}{b}" for a in tags["a"] for b in tags["b"]]
    means = pd.DataFrame(5.0, index=names, columns=list(tags["keys"]))
    design = ScreenDesign(layout, tags["keys"], tags["a"], tags["b"], means)
    truth = write_screen(folder / "reads.fastq.gz", design, ScreenNoise(), rng=rng)
    return folder, truth


def _count(folder, out, *more: str, reads: str = "reads.fastq.gz"):
    given = {
        "--reads": folder / reads,
        "--layout": "bentzen2016",
        "--sample-tags": folder / "keys.fasta",
        "--tags-a": folder / "a.fasta",
        "--tags-b": folder / "b.fasta",
        "--out": out,
    }
    words = [str(word) for pair in given.items() for word in pair]
    return RUNNER.invoke(app, ["count-dna-barcodes", *words, *more])


def test_counts_and_outcomes_are_written(screen, tmp_path):
    folder, truth = screen
    result = _count(folder, tmp_path / "deep" / "out")
    assert result.exit_code == 0, result.output
    found = {
        path.name: pd.read_csv(path, sep="\t") for path in (tmp_path / "deep" / "out").iterdir()
    }
    assert sorted(found) == ["counts.tsv", "reads.tsv", "samples.tsv"]
    expected = truth[["dna_barcode", "sample_tag", "n_reads", "n_distinct"]]
    pd.testing.assert_frame_equal(found["counts.tsv"], expected, check_dtype=False)
    assert found["reads.tsv"].columns.tolist() == ["outcome", "n"]
    assert found["reads.tsv"]["n"].sum() == truth["n_reads"].sum()
    assert list((tmp_path / "deep").iterdir()) == [tmp_path / "deep" / "out"]  # no scratch is left


def test_a_second_run_takes_the_place_of_the_first(screen, tmp_path):
    folder, _ = screen
    out = tmp_path / "out"
    out.mkdir()
    (out / "counts.tsv").write_text("old")
    (out / "mine.txt").write_text("kept")
    assert _count(folder, out, "--collapse").exit_code == 0
    assert (out / "counts.tsv").read_text().startswith("dna_barcode\tsample_tag\t")
    assert (out / "mine.txt").read_text() == "kept"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"keys.fasta": ">a\nACGTAC\n>b\nACGTAC\n", "a.fasta": ">x\nACGT\n"},
            ["same bases", "_A and"],
        ),
        ({"reads.fastq": "@r\nACGT\n+\nFF\n"}, ["record 1: its qualities are not as many"]),
        ({"reads.fastq": "no reads\n"}, ["is cut off"]),
        ({"reads.fastq": "@r\r\nACGT\r\n+\r\nFFFF\r\n@q\nAC"}, ["record 2: it is cut off"]),
    ],
)
def test_bad_input_is_exit_2_with_every_fault_and_no_folder(screen, tmp_path, change, words):
    folder, _ = screen
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    for name, text in change.items():
        (tmp_path / name).write_text(text)
    reads = "reads.fastq" if "reads.fastq" in change else "reads.fastq.gz"
    result = _count(tmp_path, tmp_path / "out", reads=reads)
    assert result.exit_code == 2
    for expected in words:
        assert expected in result.output
    assert not (tmp_path / "out").exists()
    assert "Traceback" not in result.output


def test_a_truncated_gzip_is_exit_2(screen, tmp_path):
    folder, _ = screen
    whole = (folder / "reads.fastq.gz").read_bytes()
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "reads.fastq.gz").write_bytes(whole[: len(whole) // 2])
    result = _count(tmp_path, tmp_path / "out")
    assert result.exit_code == 2
    assert "is cut short or damaged: copy it again" in result.output
    assert not (tmp_path / "out").exists()


def test_mixed_line_ends_and_short_reads_are_counted_as_what_they_are(screen, tmp_path):
    folder, truth = screen
    lines = gzip.decompress((folder / "reads.fastq.gz").read_bytes()).split(b"\n")[:-1]
    ends = [b"\r\n" if i % 3 else b"\n" for i in range(len(lines))]
    short = b"@short\r\nACGTACGT\r\n+\r\nFFFFFFFF\r\n"
    (tmp_path / "reads.fastq").write_bytes(
        b"".join(line + end for line, end in zip(lines, ends, strict=True)) + short * 3
    )
    result = _count(folder, tmp_path / "out", reads=str(tmp_path / "reads.fastq"))
    assert result.exit_code == 0, result.output
    outcomes = pd.read_csv(tmp_path / "out" / "reads.tsv", sep="\t").set_index("outcome")["n"]
    assert outcomes[outcomes > 0].to_dict() == {"counted": truth["n_reads"].sum(), "too_short": 3}


def test_tags_of_the_other_strand_are_pointed_out(screen, tmp_path):
    folder, _ = screen
    turned = [
        line if line.startswith(">") else line.translate(str.maketrans("ACGT", "TGCA"))[::-1]
        for line in (folder / "b.fasta").read_text().splitlines()
    ]
    (tmp_path / "b.fasta").write_text("\n".join(turned))
    result = _count(folder, tmp_path / "out", "--tags-b", str(tmp_path / "b.fasta"))
    assert result.exit_code == 0
    assert "note: 0.0 % of the reads are counted" in result.output
    assert "tags B stand as the B oligonucleotide has them" in result.output


def test_a_file_in_the_place_of_the_folder_is_refused(screen, tmp_path):
    folder, _ = screen
    (tmp_path / "out").write_text("mine")
    for out in (tmp_path / "out", tmp_path / "out" / "deep"):
        result = _count(folder, out)
        assert result.exit_code == 2
        assert "a folder; this is a file" in result.output


def test_one_file_given_as_its_own_mate_is_refused(screen, tmp_path):
    folder, _ = screen
    result = _count(folder, tmp_path / "out", "--reads", str(folder / "reads.fastq.gz"))
    assert result.exit_code == 2
    assert "the mates in a file of their own" in result.output


def test_three_files_of_reads_are_refused(screen, tmp_path):
    folder, _ = screen
    more = ["--reads", str(folder / "reads.fastq.gz")] * 2
    result = _count(folder, tmp_path / "out", *more)
    assert result.exit_code == 2
    assert "one file, or two with the mates" in result.output
