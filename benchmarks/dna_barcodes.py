"""Speed and memory of counting a bulk DNA-barcode screen, beside a plain dictionary over dnaio.

CPU time of this process and its children; the four ways run in turn and the best of each counts.

    python -m benchmarks.dna_barcodes [--reads 400000]
"""

from __future__ import annotations

import argparse
import gzip
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
QUALITIES = np.repeat(np.frombuffer(b"F:,#", np.uint8), (231, 15, 8, 2))


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


def write_reads(path: Path, design: ScreenDesign, noise: ScreenNoise, seed: int) -> pd.DataFrame:
    """A simulated screen with names and qualities as a sequencer writes them; its truth.

    They take most of a file's bytes: with the simulator's own, all alike, decompression would cost
    next to nothing. Qualities in four bins, nine in ten the best.
    """
    rng = np.random.default_rng(seed)
    truth = write_screen(path, design, noise, rng=rng)
    with gzip.open(path) as file:
        bases = file.read().split(b"\n")[1::4]
    with gzip.open(path, "wb", 4) as file:
        for sequence in bases:
            tile, x, y = rng.integers((1101, 1000, 1000), (2679, 32768, 50000))
            quality = QUALITIES[rng.integers(0, 256, len(sequence), dtype=np.uint8)].tobytes()
            name = b"@A01234:56:HXXXXDSX5:1:%d:%d:%d 1:N:0:ACGTACGT" % (tile, x, y)
            file.write(b"%b\n%b\n+\n%b\n" % (name, sequence, quality))
    return truth


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


def plain_dictionary(path: Path, design: ScreenDesign) -> int:
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
    return n_reads.total()


def ours(path: Path, design: ScreenDesign) -> int:
    found = count_screen([path], LAYOUT, as_tags(design), BulkOptions())
    return int(found.counts["n_reads"].sum())


WAYS: dict[str, Callable[[Path, ScreenDesign], int | None]] = {
    "decompression alone (isal)": decompress,
    "dnaio records alone": iterate,
    "plain dictionary over dnaio": plain_dictionary,
    "count-dna-barcodes": ours,
}


def measure(path: Path, design: ScreenDesign) -> tuple[dict[str, float], dict[str, int | None]]:
    """CPU seconds of each way, and how many reads it counts."""
    best, counted = dict.fromkeys(WAYS, np.inf), {}
    for _ in range(N_ROUNDS):
        for name, way in WAYS.items():
            start = cpu_seconds()
            counted[name] = way(path, design)
            best[name] = min(best[name], cpu_seconds() - start)
    return best, counted


def peak_memory(path: Path) -> tuple[float, float]:
    """Peaks of a process that only counts, in MiB: before it begins, and at its end.

    Of the process alone: what `getrusage` has of a child begins with its parent's peak.
    """
    code = (
        "import re;from pathlib import Path;import benchmarks.dna_barcodes as b;"
        "status=lambda: open('/proc/self/status').read();"
        "peak=lambda: int(re.search(r'VmHWM:\\s+(\\d+)', status())[1])/1024;"
        f"first=peak();b.ours(Path({str(path)!r}), b.make_design(1, 1));print(first, peak())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, last = map(float, done.stdout.split())
    return first, last


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reads", type=int, default=400_000)
    n_reads = parser.parse_args().reads
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reads.fastq.gz"
        for name, noise in {
            "without fault": ScreenNoise(),
            "5 % of the reads have wrong bases": ScreenNoise(substitutions=0.0004),
            "5 % of the bases are wrong": ScreenNoise(substitutions=0.05),
        }.items():
            design = make_design(n_reads, noise.copies)
            n = int(write_reads(path, design, noise, 2)["n_reads"].sum())
            ours(path, design)  # compiled code is loaded
            found, counted = measure(path, design)
            print(f"\n{name}, {n:,} reads\n")
            print("| | million reads per CPU second | times the plain script | counted |")
            print("|---|---|---|---|")
            slowest = found["plain dictionary over dnaio"]
            for way, seconds in found.items():
                share = "" if counted[way] is None else f"{100 * counted[way] / n:.1f} %"
                print(f"| {way} | {n / seconds / 1e6:.2f} | {slowest / seconds:.1f} | {share} |")
        print("\n| reads | molecules | MiB at the start | peak, MiB |\n|---|---|---|---|")
        for fold in (1, 4):
            noise = ScreenNoise(copies=2.0 * fold)
            truth = write_reads(path, make_design(n_reads, 2.0), noise, 3)
            n, molecules = truth["n_reads"].sum(), truth["n_distinct"].sum()
            first, last = peak_memory(path)
            print(f"| {n:,} | {molecules:,} | {first:.0f} | {last:.0f} |")


if __name__ == "__main__":
    main()
