"""The command that counts a bulk DNA-barcode screen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows._cli_options import faults_reported


def count_dna_barcodes(
    reads: Annotated[
        list[Path], typer.Option(help="FASTQ file, plain or gzipped; twice for paired ends.")
    ],
    layout: Annotated[
        Path, typer.Option(help="YAML file of the read layout, or bentzen2016, the published one.")
    ],
    sample_tags: Annotated[Path, typer.Option(help="FASTA file of the sample tags.")],
    tags_a: Annotated[Path, typer.Option(help="FASTA file of epitope tags A.")],
    tags_b: Annotated[
        Path, typer.Option(help="FASTA file of epitope tags B, as the B oligonucleotide has them.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the tables.")],
    *,
    collapse: Annotated[
        bool, typer.Option("--collapse", help="Take N12 together that one wrong base explains.")
    ] = False,
) -> None:
    """Count the molecules of a bulk DNA-barcode screen, from its reads.

    Writes counts.tsv (dna_barcode sample_tag n_reads n_distinct), reads.tsv (what became of every
    read) and samples.tsv (reads, molecules and saturation of each sample tag).
    """
    from flows._progress import ConsoleProgress
    from flows._screen_files import check_folder, count_files, read_screen_tags, write_counts
    from hiaim_sc.config import BulkOptions
    from hiaim_sc.dna_barcodes.bulk import explain_losses

    with faults_reported(), ConsoleProgress() as progress:
        check_folder(out)
        tags = read_screen_tags(sample_tags, tags_a, tags_b)
        options = BulkOptions(collapse_n12=collapse)
        found = count_files(reads, layout, tags, options, progress.counter("bytes read"))
        write_counts(found, out)
    for one, other in tags.sample.close_pairs():
        typer.echo(f"note: one wrong base makes sample tag {one} {other}", err=True)
    if losses := explain_losses(found.outcomes):
        typer.echo(f"note: {losses}", err=True)
    n_reads, n_counted = found.outcomes["n"].sum(), found.counts["n_reads"].sum()
    typer.echo(f"{n_counted:,} of {n_reads:,} reads counted; tables in {out}")
