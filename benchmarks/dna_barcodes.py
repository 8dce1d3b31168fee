"""Speed and memory of counting a bulk DNA-barcode screen, beside a plain dictionary over dnaio.

CPU time of this process and its children; the four ways run in turn and the best of each counts.

    python -m benchmarks.dna_barcodes [--reads 400000]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import dnaio
import numpy as np
import pandas as pd
from isal import igzip

from hiaim_sc.config import BulkOptions, ReadLayout
from hiaim_sc.dna_barcodes import count_screen
from hiaim_sc.simulate import ScreenDesign, ScreenNoise, draw_tags, write_screen
from hiaim_sc.study import ScreenTags, TagSet

if TYPE_CHECKING:
    from collections.abc import Callable

LAYOUT = ReadLayout(
    primer_a="GAAGTTCCAGCCAGCGTCACAGTTT",
    annealing="GGTCAGCATCATTTCC",
    primer_b="CAATCTTGAGCGTGACTTAAG",
)
N_ROUNDS = 3


def cpu_seconds() -> float:
    return sum(
        used.ru_utime + used.ru_stime
        for used in (
            resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )
    )


def make_design(n_reads: int, copies: float) -> ScreenDesign:
    """30 tags A and 54 tags B as in the published panels, 24 sample tags."""
    rng = np.random.default_rng(1)
    names = {"K_": (24, 8, 3), "A": (30, 25, 8), "B": (54, 25, 8)}
    tags = [
        dict(
            zip(
                [f"{key}{i + 1}" for i in range(n)],
                draw_tags(n, size, rng, distance=d),
                strict=True,
            )
        )
        for key, (n, size, d) in names.items()
    ]
    pool = [f"{a}{b}" for a in tags[1] for b in tags[2]]
    mean = n_reads / copies / len(pool) / len(tags[0])
    return ScreenDesign(LAYOUT, *tags, pd.DataFrame(mean, index=pool, columns=list(tags[0])))


def as_tags(design: ScreenDesign) -> ScreenTags:
    kinds = (design.sample_tags, design.tags_a, design.tags_b)
    return ScreenTags(*(TagSet(tuple(tags), tuple(tags.values())) for tags in kinds))


def decompress(path: Path, _: ScreenDesign) -> None:
    block = bytearray(1 << 20)
    with igzip.open(path) as file:
        while file.readinto(block):
            pass


def iterate(path: Path, _: ScreenDesign) -> None:
    with dnaio.open(path, open_threads=0) as reads:
        for _read in reads:
            pass


def plain_dictionary(path: Path, design: ScreenDesign) -> None:
    """What a script would do: slices at the expected places, looked up, N12 in sets."""
    turn = str.maketrans("ACGT", "TGCA")
    sample = {tag: name for name, tag in design.sample_tags.items()}
    tags_a = {tag: name for name, tag in design.tags_a.items()}
    tags_b = {tag.translate(turn)[::-1]: name for name, tag in design.tags_b.items()}
    n_reads: Counter[tuple[str, str, str]] = Counter()
    molecules = defaultdict(set)
    with dnaio.open(path, open_threads=0) as reads:
        for read in reads:
            bases = read.sequence
            key = sample.get(bases[:8]), tags_a.get(bases[39:64]), tags_b.get(bases[80:105])
            if None not in key:
                n_reads[key] += 1
                molecules[key].add(bases[33:39] + bases[105:111])


def ours(path: Path, design: ScreenDesign) -> None:
    count_screen([path], LAYOUT, as_tags(design), BulkOptions())


WAYS: dict[str, Callable[[Path, ScreenDesign], None]] = {
    "decompression alone (isal)": decompress,
    "dnaio records alone": iterate,
    "plain dictionary over dnaio": plain_dictionary,
    "count-dna-barcodes": ours,
}


def measure(path: Path, design: ScreenDesign) -> dict[str, float]:
    best = dict.fromkeys(WAYS, np.inf)
    for _ in range(N_ROUNDS):
        for name, way in WAYS.items():
            start = cpu_seconds()
            way(path, design)
            best[name] = min(best[name], cpu_seconds() - start)
    return best


def peak_memory(path: Path) -> float:
    """Peak of a process that only counts, in MiB."""
    code = (
        "import resource,sys;from pathlib import Path;import benchmarks.dna_barcodes as b;"
        f"b.ours(Path({str(path)!r}), b.make_design(1, 1));"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reads", type=int, default=400_000)
    n_reads = parser.parse_args().reads
    rng = np.random.default_rng(2)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reads.fastq.gz"
        for name, noise in {
            "without fault": ScreenNoise(),
            "5 % of the reads have wrong bases": ScreenNoise(substitutions=0.0004),
            "5 % of the bases are wrong": ScreenNoise(substitutions=0.05),
        }.items():
            design = make_design(n_reads, noise.copies)
            n = int(write_screen(path, design, noise, rng=rng)["n_reads"].sum())
            ours(path, design)  # compiled code is loaded
            found = measure(path, design)
            print(f"\n{name}, {n:,} reads\n")
            print("| | million reads per CPU second | times the plain script |\n|---|---|---|")
            slowest = found["plain dictionary over dnaio"]
            for way, seconds in found.items():
                print(f"| {way} | {n / seconds / 1e6:.2f} | {slowest / seconds:.1f} |")
        print("\n| reads | molecules | peak memory, MiB |\n|---|---|---|")
        for fold in (1, 4):
            noise = ScreenNoise(copies=2.0 * fold)
            truth = write_screen(path, make_design(n_reads, 2.0), noise, rng=rng)
            n, molecules = truth["n_reads"].sum(), truth["n_distinct"].sum()
            print(f"| {n:,} | {molecules:,} | {peak_memory(path):.0f} |")


if __name__ == "__main__":
    main()
