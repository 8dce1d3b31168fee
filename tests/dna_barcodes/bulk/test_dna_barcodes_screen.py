"""Reads of a bulk screen to counts, against a simulator that shares no code with it."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections import Counter, defaultdict
from dataclasses import replace

import dnaio
import numpy as np
import pandas as pd
import pytest

from hiaim_sc.config import BulkOptions
from hiaim_sc.dna_barcodes import OUTCOMES, count_screen
from hiaim_sc.dna_barcodes.bulk.fastq import FastqFile
from hiaim_sc.dna_barcodes.bulk.molecules import count_distinct
from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.simulate import ScreenNoise, write_screen
from hiaim_sc.study import TagSet

PLAIN = BulkOptions()
_PAIR = ["dna_barcode", "sample_tag"]


def _turn(bases: str) -> str:
    return bases.translate(str.maketrans("ACGT", "TGCA"))[::-1]


def _other(base: str) -> str:
    return "CGTA"["ACGT".index(base)]


def _count(path, design, tags, options=PLAIN):
    return count_screen(
        [path] if not isinstance(path, list) else path, design.layout, tags, options
    )


def _outcomes(found) -> dict[str, int]:
    return {name: int(n) for name, n in found.outcomes.itertuples(index=False) if n}


def _write(path, reads: list[str]):
    text = "".join(f"@r{i} x\n{read}\n+\n{'F' * len(read)}\n" for i, read in enumerate(reads))
    path.write_text(text)
    return path


def _spell(design, sample="Key_1", a="A1", b="B2", n_a="ACGTAC", n_b="TTGCAA") -> str:
    layout = design.layout
    parts = [design.sample_tags[sample], layout.primer_a, n_a, design.tags_a[a], layout.annealing]
    return "".join([*parts, _turn(design.tags_b[b]), n_b, _turn(layout.primer_b)])


@pytest.fixture
def read(design):
    return _spell(design)


@pytest.fixture
def look(tmp_path, design, tags):
    """Counts of a few reads: outcome and number, and the only row of counts where there is one."""

    def run(*reads: str):
        found = _count(_write(tmp_path / "few.fastq", list(reads)), design, tags)
        return _outcomes(found), found.counts

    return run


def test_reads_without_fault_give_the_truth(tmp_path, design, tags):
    path = tmp_path / "reads.fastq.gz"
    noise = ScreenNoise(hopping=0.05, chimeras=0.05, reversed_reads=0.3)
    truth = write_screen(path, design, noise, rng=np.random.default_rng(1))
    found = _count(path, design, tags)
    pd.testing.assert_frame_equal(found.counts, truth[[*_PAIR, "n_reads", "n_distinct"]])
    assert _outcomes(found) == {"counted": truth["n_reads"].sum()}
    # hopped tags and chimeras are in the truth: combinations that were never in the pool
    assert set(found.counts["dna_barcode"]) - set(design.molecules.index)


def test_a_dictionary_over_dnaio_agrees(tmp_path, design, tags):
    path = tmp_path / "reads.fastq.gz"
    write_screen(path, design, ScreenNoise(), rng=np.random.default_rng(2))
    places = {"sample": (0, 6), "a": (37, 62), "b": (78, 103)}
    names = {
        "sample": {tag: name for name, tag in design.sample_tags.items()},
        "a": {tag: name for name, tag in design.tags_a.items()},
        "b": {_turn(tag): name for name, tag in design.tags_b.items()},
    }
    n_reads, molecules = Counter(), defaultdict(set)
    with dnaio.open(path) as reads:
        for one in reads:
            tag = {kind: names[kind][one.sequence[slice(*at)]] for kind, at in places.items()}
            key = tag["a"] + tag["b"], tag["sample"]
            n_reads[key] += 1
            molecules[key].add(one.sequence[31:37] + one.sequence[103:109])
    expected = [(*key, n_reads[key], len(molecules[key])) for key in sorted(n_reads)]
    assert list(_count(path, design, tags).counts.itertuples(index=False, name=None)) == expected


@pytest.mark.parametrize(
    ("noise", "least_counted"),
    [
        # of 130 bases 0.65 are wrong in the mean; lost are N12s with an odd base count as new ones
        (ScreenNoise(substitutions=0.005), 0.995),
        (ScreenNoise(substitutions=0.02, reversed_reads=0.5), 0.93),
        # a gap in one of the two tags, the primers or the annealing region is bridged
        (ScreenNoise(gaps=0.5), 0.97),
    ],
)
def test_reads_with_faults_are_lost_and_counted_but_never_another_barcode(
    tmp_path, design, tags, noise, least_counted
):
    path = tmp_path / "reads.fastq.gz"
    truth = write_screen(path, design, noise, rng=np.random.default_rng(3))
    found = _count(path, design, tags)
    n_reads = int(truth["n_reads"].sum())
    assert found.outcomes["n"].sum() == n_reads
    both = truth.merge(found.counts, on=_PAIR, how="outer", suffixes=("", "_found")).fillna(0)
    # tags A and B differ in eight bases: no read may turn up under a combination of others
    pool = both[~both["dna_barcode"].isin(set(truth["dna_barcode"]))]
    assert pool.empty
    per_barcode = both.groupby("dna_barcode")[["n_reads", "n_reads_found"]].sum()
    assert (per_barcode["n_reads_found"] <= per_barcode["n_reads"]).all()
    assert found.counts["n_reads"].sum() >= least_counted * n_reads


def test_all_faults_together_lose_what_is_said_and_move_next_to_nothing(tmp_path, design, tags):
    path = tmp_path / "reads.fastq.gz"
    noise = ScreenNoise(
        copies=4, substitutions=0.01, gaps=0.1, hopping=0.03, chimeras=0.03, reversed_reads=0.3
    )
    truth = write_screen(path, design, noise, rng=np.random.default_rng(11))
    found = _count(path, design, tags)
    outcomes, n_reads = _outcomes(found), int(truth["n_reads"].sum())
    n_counted = outcomes.pop("counted") + outcomes.pop("counted_without_n12")
    assert found.counts["n_reads"].sum() == n_counted
    assert n_reads - n_counted == sum(outcomes.values())  # the loss, by its reasons
    assert 0 < n_reads - n_counted < 0.06 * n_reads
    both = truth.merge(found.counts, on=_PAIR, how="outer", suffixes=("", "_found")).fillna(0)
    # two wrong bases in six can make of a sample tag one that lies closer to another
    moved = (both["n_reads_found"] - both["n_reads"]).clip(lower=0).sum()
    assert moved <= 0.001 * n_reads
    # hopped tags and chimeras are what they read as: in the truth, and counted
    outside = both[~both["dna_barcode"].isin(design.molecules.index)]
    assert outside["n_reads_found"].sum() > 0.9 * outside["n_reads"].sum() > 0


def test_wrong_bases_make_new_molecules_unless_they_are_taken_together(tmp_path, design, tags):
    path = tmp_path / "reads.fastq.gz"
    noise = ScreenNoise(copies=12, substitutions=0.004)
    truth = write_screen(path, design, noise, rng=np.random.default_rng(4))
    n_true = truth["n_molecules"].sum()
    plain = _count(path, design, tags).counts["n_distinct"].sum()
    together = _count(path, design, tags, BulkOptions(collapse_n12=True)).counts["n_distinct"].sum()
    # 12 bases at 0.004 over 12 copies: every other molecule has a false copy
    assert plain > 1.4 * n_true
    assert abs(together - n_true) < 0.03 * n_true


@pytest.mark.parametrize(
    ("n_reads", "is_own"),
    [
        # n2 <= (n1 + 1) / 2 is taken in; the N12s are 0000, 0001, 0002 and 0012 in base 4
        ([10, 5, 1, 1], [True, False, False, False]),
        ([9, 5, 1, 1], [True, False, False, False]),
        ([8, 5, 1, 1], [True, True, False, False]),
        ([1, 1, 1, 1], [True, False, False, False]),
        ([2, 2, 1, 2], [True, True, False, True]),
        ([9, 5, 0, 3], [True, False, None, True]),  # two bases from the first, which is no chain
        ([9, 0, 5, 3], [True, None, False, False]),  # ... but by way of the third
    ],
)
def test_which_molecules_are_errors_of_another(n_reads, is_own):
    n12 = np.array([0b0000, 0b0001, 0b0010, 0b0110])
    there = np.array(n_reads) > 0
    found = count_distinct(
        np.zeros(there.sum(), np.int64), n12[there], np.array(n_reads)[there], n_bases=2
    )
    assert found.tolist() == [word for word in is_own if word is not None]


def test_molecules_of_other_groups_take_nothing_in():
    groups = np.array([0, 1])
    assert count_distinct(groups, np.array([0, 1]), np.array([100, 1]), n_bases=2).all()


def test_outcomes_of_single_reads(look, design, read):
    far = "A" * len(design.tags_a["A1"])
    tag_a, tag_b = design.tags_a["A1"], _turn(design.tags_b["B2"])
    n_x = "N" * 6
    cases = {
        "counted": [read, _turn(read), read.lower(), read + "ACGTACGT" * 20],
        "counted_without_n12": [
            read.replace("ACGTAC", "ACGTACG", 1),
            read.replace("ACGTAC", "ACGTN" + "C", 1),
            _spell(design, n_b="TTGCA"),
        ],
        "too_short": [read[:90], "", "ACGT"],
        "no_constant_parts": ["ACGT" * 32, "G" * 130],
        "no_tag_a": [read.replace(tag_a, far)],
        "no_tag_b": [read.replace(tag_b, far)],
        "no_sample_tag": [n_x + read[6:]],
    }
    for outcome, reads in cases.items():
        for bases in reads:
            assert look(bases)[0] == {outcome: 1}, (outcome, bases)
    assert set(cases) | {"tie_tag_a", "tie_tag_b", "tie_sample_tag"} == set(OUTCOMES)


def test_two_of_three_constant_parts_are_enough(look, design, read):
    layout = design.layout
    parts = [layout.primer_a, layout.annealing, _turn(layout.primer_b)]
    gone = {part: "".join(map(_other, part)) for part in parts}
    for part in parts:
        outcomes, counts = look(read.replace(part, gone[part]))
        assert outcomes == {"counted": 1}
        assert counts.loc[0, "dna_barcode"] == "A1B2"
        for other in set(parts) - {part}:
            both = read.replace(part, gone[part]).replace(other, gone[other])
            assert look(both)[0] == {"no_constant_parts": 1}


@pytest.mark.parametrize("change", [-2, -1, 1, 2])
def test_a_shifted_read_is_found(look, read, change):
    shifted = read[-change:] if change < 0 else "ACGT"[:change] + read
    outcomes, counts = look(shifted)
    assert outcomes == {"counted": 1}
    assert counts.iloc[0].tolist() == ["A1B2", "Key_1", 1, 1]


@pytest.mark.parametrize("at", range(0, 25, 3))
@pytest.mark.parametrize("part", ["a", "b"])
def test_mismatches_and_gaps_in_a_tag(look, design, read, part, at):
    tag = design.tags_a["A1"] if part == "a" else _turn(design.tags_b["B2"])
    wrong = _other(tag[at])
    other = _other(tag[(at + 9) % 25])
    mutants = [
        tag[:at] + wrong + tag[at + 1 :],
        tag[:at] + tag[at + 1 :],
        tag[:at] + wrong + tag[at:],
    ]
    twice = list(mutants[0])
    twice[(at + 9) % 25] = other
    for mutant in (*mutants, "".join(twice), tag[:at] + "N" + tag[at + 1 :]):
        outcomes, counts = look(read.replace(tag, mutant))
        assert set(outcomes) <= {"counted", "counted_without_n12"}
        assert counts.iloc[0].tolist()[:3] == ["A1B2", "Key_1", 1]
    thrice = twice.copy()
    thrice[(at + 15) % 25] = _other(tag[(at + 15) % 25])
    assert look(read.replace(tag, "".join(thrice)))[0] == {f"no_tag_{part}": 1}


def _score(bases: str, tag: str) -> int:
    """Global alignment by the textbook: match 1, mismatch -1, gap -1."""
    table = np.zeros((len(bases) + 1, len(tag) + 1), dtype=int)
    table[:, 0], table[0] = -np.arange(len(bases) + 1), -np.arange(len(tag) + 1)
    for i, one in enumerate(bases, start=1):
        for j, other in enumerate(tag, start=1):
            match = table[i - 1, j - 1] + (1 if one == other else -1)
            table[i, j] = max(match, table[i - 1, j] - 1, table[i, j - 1] - 1)
    return int(table[-1, -1])


def test_sample_tags_by_the_best_alignment(tmp_path, design, tags):
    rng = np.random.default_rng(6)
    fronts = ["".join(rng.choice(list("ACGT"), size=n)) for n in rng.integers(4, 9, size=400)]
    expected = Counter()
    for front in fronts:
        scores = {name: _score(front, tag) for name, tag in design.sample_tags.items()}
        best = [name for name, score in scores.items() if score == max(scores.values())]
        known = best[0] if len(best) == 1 else "tie_sample_tag"
        expected["no_sample_tag" if max(scores.values()) <= 0 else known] += 1
    rest = _spell(design)[6:]
    found = _count(_write(tmp_path / "x.fastq", [front + rest for front in fronts]), design, tags)
    known = dict(found.counts[["sample_tag", "n_reads"]].itertuples(index=False, name=None))
    outcomes = _outcomes(found)
    known |= {name: outcomes[name] for name in ("tie_sample_tag", "no_sample_tag")}
    assert known == dict(expected)


def test_saturation_is_the_share_of_reads_that_found_nothing_new(tmp_path, design, tags):
    reads = [_spell(design, n_a=n_a) for n_a in ["AAAAAA"] * 6 + ["CCCCCC"] * 3 + ["ACNTAC"]]
    found = _count(_write(tmp_path / "x.fastq", reads), design, tags)
    row = found.samples.set_index("sample_tag").loc["Key_1"]
    assert row.tolist() == [10, 9, 2, pytest.approx(7 / 9)]
    assert found.samples["saturation"].isna().sum() == 3  # tags without reads


def _cut(source, target_1, target_2, n_1, n_2):
    """A file of whole reads as mates from both ends; every other pair the other way round."""
    with (
        dnaio.open(source) as reads,
        gzip.open(target_1, "wt") as one,
        gzip.open(target_2, "wt") as two,
    ):
        for i, read in enumerate(reads):
            ends = [read.sequence[:n_1], _turn(read.sequence)[:n_2]]
            if i % 2:
                ends = [_turn(read.sequence)[:n_1], read.sequence[:n_2]]
            for file, bases, mate in ((one, ends[0], 1), (two, ends[1], 2)):
                file.write(f"@r{i}/{mate}\n{bases}\n+\n{'F' * len(bases)}\n")


@pytest.mark.parametrize(("n_1", "n_2"), [(75, 75), (150, 150), (70, 110), (130, 40)])
def test_mates_give_what_whole_reads_give(tmp_path, design, tags, n_1, n_2):
    whole = tmp_path / "whole.fastq.gz"
    truth = write_screen(whole, design, ScreenNoise(), rng=np.random.default_rng(7))
    mates = [tmp_path / "r1.fastq.gz", tmp_path / "r2.fastq.gz"]
    _cut(whole, *mates, n_1, n_2)
    found = _count(mates, design, tags)
    if n_2 == 40:  # of every other pair the long mate is the backward one, without the sample tag
        assert _outcomes(found)["counted"] >= truth["n_reads"].sum() // 2
    else:
        pd.testing.assert_frame_equal(found.counts, truth[[*_PAIR, "n_reads", "n_distinct"]])


def test_mates_too_short_to_meet_are_said_to_be(tmp_path, design, tags, read):
    one = _write(tmp_path / "1.fastq", [read[:50]])
    two = _write(tmp_path / "2.fastq", [_turn(read)[:50]])
    assert _outcomes(_count([one, two], design, tags)) == {"too_short": 1}


def test_memory_and_result_do_not_depend_on_the_block(tmp_path, design, tags, monkeypatch):
    path = tmp_path / "reads.fastq.gz"
    write_screen(path, design, ScreenNoise(gaps=0.1), rng=np.random.default_rng(9))
    expected = _count(path, design, tags).counts
    monkeypatch.setitem(FastqFile.__init__.__kwdefaults__, "block", 700)
    monkeypatch.setattr("hiaim_sc.dna_barcodes.bulk.molecules._LEAST_WAITING", 3)
    pd.testing.assert_frame_equal(_count(path, design, tags).counts, expected)


def test_a_thousand_sample_tags_are_only_taken_as_they_are(tmp_path, design, tags, read):
    rng = np.random.default_rng(10)
    many = [design.sample_tags["Key_1"]]
    while len(many) < 1000:
        tag = "".join(rng.choice(list("ACGT"), size=6))
        many += [tag] * (tag not in many)
    names = tuple(f"S_{i}" for i in range(1000))
    wide = replace(tags, sample=TagSet(names, tuple(many)))
    free = next(
        tag
        for i in range(4096)
        if (tag := "".join("ACGT"[i // 4**j % 4] for j in range(6))) not in many
    )
    path = _write(tmp_path / "x.fastq", [read, free + read[6:]])
    found = count_screen([path], design.layout, wide, PLAIN)
    assert _outcomes(found) == {"counted": 1, "no_sample_tag": 1}


def test_tags_that_fit_as_well_are_a_tie(tmp_path, design, tags, read):
    tag = design.tags_a["A1"]
    twin = tag[:10] + "".join(map(_other, tag[10:12])) + tag[12:]
    near = replace(tags, a=TagSet(("A1", "A7"), (tag, twin)))
    between = tag[:10] + twin[10] + tag[11:]  # one wrong base from either
    path = _write(tmp_path / "x.fastq", [read.replace(tag, between), read, read.replace(tag, twin)])
    found = count_screen([path], design.layout, near, PLAIN)
    assert _outcomes(found) == {"counted": 2, "tie_tag_a": 1}
    assert found.counts["dna_barcode"].tolist() == ["A1B2", "A7B2"]


GOOD = "@r1\nACGT\n+\nFFFF\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD + "r2\nACGT\n+\nFFFF\n", "record 2: its first line does not begin with @"),
        (GOOD + "@r2\nACGT\nFFFF\n@r3\n", "record 2: its third line does not begin with +"),
        (GOOD + "@r2\nACGT\n+\nFFF\n", "record 2: its qualities are not as many"),
        (GOOD + "@r2\nACGT\n", "record 2: it is cut off"),
        (GOOD + "@r2\nACGT\n+\nFFF", "record 2: its qualities are not as many"),
        ("", "holds no reads"),
        (">r1\nACGT\n>r2\nACGT\n", "record 1: its first line"),
    ],
)
def test_what_is_no_fastq_is_refused_with_the_record(tmp_path, design, tags, text, words):
    path = tmp_path / "bad.fastq"
    path.write_text(text)
    with pytest.raises(LibraryFaultError, match=words):
        _count(path, design, tags)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (bz2.compress(GOOD.encode()), "compressed with bzip2"),
        (lzma.compress(GOOD.encode()), "compressed with xz"),
        (gzip.compress(b"BAM\x01" + bytes(90)), "a BAM file"),
        (b"PK\x03\x04" + bytes(90), "a spreadsheet or zip file"),
        (b"<!doctype html><html>\n\n\n\n", "a web page"),
    ],
    ids=["bzip2", "xz", "bam", "zip", "html"],  # not the bytes, in which the time may stand
)
def test_other_kinds_of_files_are_named(tmp_path, design, tags, content, words):
    path = tmp_path / "reads.fastq.gz"
    path.write_bytes(content)
    with pytest.raises(LibraryFaultError, match=f"{words}.*no FASTQ file"):
        _count(path, design, tags)


def test_damaged_gzip_is_refused(tmp_path, design, tags, read):
    whole = gzip.compress(_write(tmp_path / "x.fastq", [read] * 500).read_bytes())
    path = tmp_path / "x.fastq.gz"
    broken = bytearray(whole)
    broken[len(whole) // 2] ^= 0xFF
    for content in (whole[:-20], whole[: len(whole) // 2], bytes(broken), whole + b"rubbish"):
        path.write_bytes(content)
        with pytest.raises(
            LibraryFaultError, match=r"x\.fastq\.gz is cut short or damaged|no whole"
        ):
            _count(path, design, tags)


def test_several_gzip_members_and_mixed_line_ends_are_read(tmp_path, design, tags, read):
    record = f"@r\n{read}\n+\n{'F' * len(read)}\n"
    windows = record.replace("\n", "\r\n")
    path = tmp_path / "x.fastq.gz"
    content = gzip.compress((record + windows).encode()) + gzip.compress(
        (windows + record).encode()
    )
    path.write_bytes(content + gzip.compress(b"\n\n"))
    found = _count(path, design, tags)
    assert found.counts.iloc[0].tolist() == ["A1B2", "Key_1", 4, 1]
    assert found.outcomes["n"].sum() == 4


def test_files_that_are_no_mates_are_refused(tmp_path, design, tags, read):
    one = _write(tmp_path / "1.fastq", [read] * 3)
    two = _write(tmp_path / "2.fastq", [read] * 2)
    with pytest.raises(LibraryFaultError, match="the second file ends after 2 reads"):
        _count([one, two], design, tags)
    two.write_text(one.read_text().replace("@r1", "@q1"))
    with pytest.raises(LibraryFaultError, match="no mates from record 2"):
        _count([one, two], design, tags)


def test_a_file_that_is_not_there_is_refused(tmp_path, design, tags):
    with pytest.raises(LibraryFaultError, match="cannot be read"):
        _count(tmp_path / "none.fastq", design, tags)
