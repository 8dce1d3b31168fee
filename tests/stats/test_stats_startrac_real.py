"""STARTRAC of 7,878 T cells of twelve patients (Zhang 2018) beside plain loops over dicts."""

from __future__ import annotations

import csv
import math
from collections import Counter, defaultdict

import numpy as np
import pytest

from hiaim_sc.stats import startrac

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def cells(shared_data):
    """Clone, cluster, location and patient of each cell, and whether it is called clonal."""
    path = shared_data / "clones_crc_zhang2018" / "example.cloneDat.Zhang2018.txt"
    names = ("clone.id", "majorCluster", "loc", "patient", "clone.status")
    with path.open(encoding="utf-8", newline="") as file:
        return [tuple(row[name] for name in names) for row in csv.DictReader(file, delimiter="\t")]


def test_cells_and_clones_by_location(cells):
    assert Counter(place for _, _, place, _, _ in cells) == {"P": 2273, "N": 1805, "T": 3800}
    places, sizes = defaultdict(set), Counter()
    for clone, _, place, _, _ in cells:
        places[clone].add(place)
        sizes[clone] += 1
    assert len(places) == 5675
    # of the 3,056 cells called clonal 117 are the only one of their clone in this table
    assert sum(status == "Clonal" for *_, status in cells) == 3056
    assert sum(size for size in sizes.values() if size >= 2) == 2939
    assert Counter("".join(sorted(found)) for found in places.values() if len(found) > 1) == {
        "PT": 77,
        "NT": 71,
        "NPT": 27,
        "NP": 14,
    }


def entropy_bits(counts: dict[str, int]) -> float:
    total = sum(counts.values())
    return -sum(n / total * math.log2(n / total) for n in counts.values())


def brute_force(cells) -> dict[str, tuple[int, int, float, float, float]]:
    """Cells, clones, expa, migr and tran of each cluster, as the paper words them."""
    clusters_of, places_of, clones_of = (defaultdict(Counter) for _ in range(3))
    for clone, cluster, place, *_ in cells:
        clusters_of[clone][cluster] += 1
        places_of[clone][place] += 1
        clones_of[cluster][clone] += 1
    found = {}
    for cluster, clones in clones_of.items():
        n = sum(clones.values())
        if len(clones) == 1:
            expansion = math.nan
        else:
            expansion = 1 - entropy_bits(clones) / math.log2(len(clones))
        migration = sum(size / n * entropy_bits(places_of[c]) for c, size in clones.items())
        transition = sum(size / n * entropy_bits(clusters_of[c]) for c, size in clones.items())
        found[cluster] = (n, len(clones), expansion, migration, transition)
    return found


def test_indices_of_every_cluster_are_those_of_plain_loops(cells):
    """In all patients together and in each alone; clones are of one patient."""
    patients = sorted({patient for _, _, _, patient, _ in cells})
    groups = [cells, *([c for c in cells if c[3] == patient] for patient in patients)]
    assert len(groups) == 13
    for group in groups:
        clone, cluster, location, _, _ = zip(*group, strict=True)
        table = startrac(clone, cluster, location)
        known = brute_force(group)
        assert sorted(known) == table.index.tolist()
        columns = ["n_cells", "n_clones", "expa", "migr", "tran"]
        # sums of the same terms in another order
        np.testing.assert_allclose(table[columns], [known[name] for name in table.index], atol=1e-9)
    assert len(brute_force(cells)) == 20
