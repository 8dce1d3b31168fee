"""Libraries of another annotation than most are named, with what differs."""

from __future__ import annotations

import pytest

from hiaim_sc.ingest import find_odd_libraries

IDS = [f"ENSG{i:011}" for i in range(100)]
SYMBOLS = [f"GENE{i}" for i in range(100)]
ONE_IN_COMMON = [IDS[0], *(f"ENSG{i:011}" for i in range(500, 599))]


def find(genome="GRCh38", **libraries):
    asked = []

    def genes_of(name):
        asked.append(name)
        return libraries[name]

    reports = {
        name: {
            "n_genes": len(genes),
            "genome": genome if isinstance(genome, str) else genome[name],
            "gene_ids": str(sorted(genes)),
        }
        for name, genes in libraries.items()
    }
    return find_odd_libraries(reports, genes_of), asked


def test_one_annotation_is_seen_without_a_look_at_the_genes():
    assert find(L1=IDS, L2=IDS[::-1], L3=[]) == ({}, [])


@pytest.mark.parametrize(
    ("other", "n_shared"), [(SYMBOLS, 0), (ONE_IN_COMMON, 1), ([*IDS[:49], *SYMBOLS[:51]], 49)]
)
def test_a_library_of_other_genes_is_odd(other, n_shared):
    odd, _ = find(L1=IDS, L2=other, L3=IDS)
    assert set(odd) == {"L2"}
    assert odd["L2"].startswith(
        f"only {n_shared} of its 100 genes are among the 100 of 2 of the 3 libraries"
    )
    assert "process all libraries with one reference" in odd["L2"]


def test_symbols_are_usual_where_most_libraries_have_them():
    assert set(find(L1=SYMBOLS, L2=IDS, L3=SYMBOLS)[0]) == {"L2"}


def test_an_older_release_of_the_annotation_is_not_odd():
    """Half of the smaller set is enough, and a panel is a part of the whole."""
    assert find(L1=IDS, L2=IDS[:20], L3=[*IDS[:50], *SYMBOLS[:50]])[0] == {}


def test_of_two_libraries_the_one_of_fewer_genes_is_odd():
    assert set(find(L1=IDS[:90], L2=SYMBOLS)[0]) == {"L1"}
    assert set(find(L1=IDS, L2=SYMBOLS)[0]) == {"L2"}


def test_a_library_of_another_genome_is_odd():
    odd, asked = find(
        {"L1": "GRCh38", "L2": "hg19", "L3": "", "L4": "GRCh38"},
        **dict.fromkeys(("L1", "L2", "L3", "L4"), IDS),
    )
    assert odd == {
        "L2": "of the genome hg19, 2 of the 3 libraries are of GRCh38: process all libraries with"
        " one reference"
    }
    assert asked == []
