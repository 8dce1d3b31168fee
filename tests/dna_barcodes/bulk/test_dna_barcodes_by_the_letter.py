"""Compiled matching against the rules written out over text, base by base and tag by tag."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hiaim_sc.config import BulkOptions, ReadLayout
from hiaim_sc.dna_barcodes import count_screen
from hiaim_sc.study import ScreenTags, TagSet

if TYPE_CHECKING:
    from random import Random

N_READS = 60


def _turn(bases: str) -> str:
    return bases.translate(str.maketrans("ACGTN", "TGCAN"))[::-1]


def _only(fitting: list[int]) -> int:
    return -1 if not fitting else fitting[0] if len(fitting) == 1 else -2


def _closest(bases: str, tags: list[str], most: int) -> int:
    wrong = [sum(x != y for x, y in zip(bases, tag, strict=True)) for tag in tags]
    return _only([i for i, n in enumerate(wrong) if n == min(wrong) and n <= most])


def _is_gapped(short: str, long: str) -> bool:
    return any(long[:i] + long[i + 1 :] == short for i in range(len(long)))


def _locate(read: str, at: int, tags: list[str], layout) -> tuple[int, int, int]:
    """Position of the tag, start and end: without fault, else the fewest mismatches, else a gap."""
    length, most = len(tags[0]), layout.max_mismatches
    starts = [at] + [at + sign * i for i in range(1, layout.max_shift + 1) for sign in (1, -1)]
    for allowed in (0, most):
        for start in starts:
            if 0 <= start <= len(read) - length:
                place = _closest(read[start : start + length], tags, allowed)
                if place != -1:
                    return place, start, start + length
    for start in starts:
        for change in (1, -1):
            place = _gapped(read, start, change, tags)
            if place != -1:
                return place, start, start + length + change
    return -1, at, at + length


def _gapped(read: str, start: int, change: int, tags: list[str]) -> int:
    """The tag that stands there with one base more or less; all bases around must be read."""
    length = len(tags[0])
    first, last = start + min(change, 0), start + length + max(change, 0)
    if first < 0 or last > len(read) or "N" in read[first:last]:
        return -1
    part = read[start : start + length + change]
    pairs = [(tag, part) if change > 0 else (part, tag) for tag in tags]
    return _only([i for i, pair in enumerate(pairs) if _is_gapped(*pair)])


def _score(bases: str, tag: str) -> int:
    """Global alignment by the textbook: match 1, mismatch -1, gap -1."""
    row = [-j for j in range(len(tag) + 1)]
    for i, base in enumerate(bases, start=1):
        last, row = row, [-i]
        for j, other in enumerate(tag, start=1):
            row.append(max(last[j - 1] + (1 if base == other else -1), last[j] - 1, row[j - 1] - 1))
    return row[-1]


def _sample(bases: str, tags: list[str]) -> int:
    scores = [_score(bases, tag) for tag in tags]
    return _only([i for i, score in enumerate(scores) if score == max(scores) and score > 0])


def _look(read: str, origin: int, design) -> dict:
    layout = design.layout
    sample, tags_a, tags_b = (
        list(tags.values()) for tags in (design.sample_tags, design.tags_a, design.tags_b)
    )
    parts = [[layout.primer_a], tags_a, [layout.annealing], [*map(_turn, tags_b)]]
    parts.append([_turn(layout.primer_b)])
    at, found = origin + len(sample[0]), []
    for tags, gap in zip(parts, (layout.n_a, 0, 0, layout.n_b, 0), strict=True):
        found.append(_locate(read, at, tags, layout))
        at = found[-1][2] + gap
    front = read[max(origin, 0) : found[0][1]][-len(sample[0]) - layout.max_shift :]
    n12 = [read[found[0][2] : found[1][1]], read[found[3][2] : found[4][1]]]
    is_molecule = [len(n) for n in n12] == [layout.n_a, layout.n_b] and "N" not in "".join(n12)
    return {
        "n_constants": sum(found[i][0] >= 0 for i in (0, 2, 4)),
        "tag_a": found[1][0],
        "tag_b": found[3][0],
        "sample_tag": _sample(front, sample),
        "n12": "".join(n12) if is_molecule else "",
    }


def _match(read: str, design) -> tuple[str, tuple]:
    """Outcome of a read, and what it counts for."""
    layout, n_sample = design.layout, len(design.sample_tags["S1"])
    n_epitope = len(design.tags_a["A1"])
    n_to_b = n_sample + len(layout.primer_a + layout.annealing) + layout.n_a + 2 * n_epitope
    whole = n_to_b + layout.n_b + len(layout.primer_b)
    if len(read) < n_to_b - layout.max_shift:
        return "too_short", ()
    found = _look(read, 0, design)
    if found["n_constants"] < 2:
        found = _look(_turn(read), len(read) - whole, design)
    if found["n_constants"] < 2:
        return "no_constant_parts", ()
    for name in ("tag_a", "tag_b", "sample_tag"):
        if found[name] < 0:
            return ("no_" if found[name] == -1 else "tie_") + name, ()
    names = [
        list(tags)[found[name]]
        for tags, name in (
            (design.tags_a, "tag_a"),
            (design.tags_b, "tag_b"),
            (design.sample_tags, "sample_tag"),
        )
    ]
    key = names[0] + names[1], names[2], found["n12"]
    return "counted" if found["n12"] else "counted_without_n12", key


@st.composite
def _designs(draw) -> SimpleNamespace:
    """Short tags that lie close to each other, so that ties and second choices are common."""
    rng = draw(st.randoms(use_true_random=False))

    def constant() -> str:
        return "".join(rng.choices("ACCG", k=8))

    def tags(name: str, length: int) -> dict[str, str]:
        drawn = {"".join(rng.choices("ACGT", k=length)) for _ in range(rng.randint(1, 6))}
        return {f"{name}{i + 1}": tag for i, tag in enumerate(sorted(drawn))}

    layout = ReadLayout(
        primer_a=constant(),
        annealing=constant(),
        primer_b=constant(),
        n_a=rng.randint(1, 4),
        n_b=rng.randint(1, 4),
        max_shift=draw(st.integers(0, 3)),
        max_mismatches=draw(st.integers(0, 3)),
    )
    length = draw(st.integers(5, 9))
    return SimpleNamespace(
        layout=layout, sample_tags=tags("S", 5), tags_a=tags("A", length), tags_b=tags("B", length)
    )


def _draw_read(rng: Random, design) -> str:
    """A read with up to eight faults: bases wrong, not read, left out or put in; cut or turned."""
    layout = design.layout
    tags = [rng.choice([*t.values()]) for t in (design.sample_tags, design.tags_a, design.tags_b)]
    n_a, n_b = ("".join(rng.choices("ACGT", k=n)) for n in (layout.n_a, layout.n_b))
    parts = [tags[0], layout.primer_a, n_a, tags[1], layout.annealing, _turn(tags[2]), n_b]
    read = list("".join(parts) + _turn(layout.primer_b))
    for _ in range(rng.choice([0, 1, 1, 2, 3, 4, 8])):
        at = rng.randrange(len(read))
        read[at] = rng.choice(["A", "C", "G", "T", "N", "", read[at] + rng.choice("ACGT")])
    text = "".join(read)
    text = text[rng.choice([0, 0, 0, 1, 2]) :] + "".join(rng.choices("ACGT", k=rng.randrange(4)))
    text = text[: len(text) - rng.choice([0, 0, 0, rng.randrange(len(text))])]
    return rng.choice([text, _turn(text)])


# no shrinking: it takes minutes, and the reads of a failure are few enough to look at
@settings(
    max_examples=60,
    phases=[Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(design=_designs(), rng=st.randoms(use_true_random=False))
def test_each_read_counts_as_the_rules_say(tmp_path, design, rng):
    reads = [_draw_read(rng, design) for _ in range(N_READS)]
    path = tmp_path / "reads.fastq"
    path.write_text("".join(f"@r\n{read}\n+\n{'F' * len(read)}\n" for read in reads))
    tags = ScreenTags(
        *(
            TagSet(tuple(found), tuple(found.values()))
            for found in (design.sample_tags, design.tags_a, design.tags_b)
        )
    )
    found = count_screen([path], design.layout, tags, BulkOptions())
    expected = [_match(read, design) for read in reads]
    outcomes = Counter(outcome for outcome, _ in expected)
    assert {name: n for name, n in found.outcomes.itertuples(index=False) if n} == outcomes
    keys = [key for _, key in expected if key]
    n_reads = Counter(key[:2] for key in keys)
    n_distinct = Counter(key[:2] for key in set(keys) if key[2])
    rows = [(*pair, n, n_distinct[pair]) for pair, n in sorted(n_reads.items())]
    assert list(found.counts.itertuples(index=False, name=None)) == rows
