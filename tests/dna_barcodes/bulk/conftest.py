"""A small bulk screen: tags, layout, and reads with known truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hiaim_sc.config import ReadLayout
from hiaim_sc.simulate import ScreenDesign, draw_tags
from hiaim_sc.study import ScreenTags, TagSet

LAYOUT = ReadLayout(
    primer_a="GAAGTTCCAGCCAGCGTCACAGTTT",
    annealing="GGTCAGCATCATTTCC",
    primer_b="CAATCTTGAGCGTGACTTAAG",
)


@pytest.fixture(scope="session")
def design() -> ScreenDesign:
    """Four sample tags, 6 x 5 epitope tags, 20 of their 30 combinations in the pool."""
    rng = np.random.default_rng(8)
    tags = {
        "sample": dict(
            zip(["Key_1", "Key_2", "Key_3", "Key_4"], draw_tags(4, 6, rng, distance=3), strict=True)
        ),
        "a": {f"A{i + 1}": tag for i, tag in enumerate(draw_tags(6, 25, rng, distance=8))},
        "b": {f"B{i + 1}": tag for i, tag in enumerate(draw_tags(5, 25, rng, distance=8))},
    }
    pairs = [(i, j) for i in range(6) for j in range(5) if (i + j) % 3]
    names = [f"A{i + 1}B{j + 1}" for i, j in pairs]
    means = pd.DataFrame(15.0, index=names, columns=list(tags["sample"]))
    means.loc["A1B2", "Key_1"] = 150.0
    return ScreenDesign(LAYOUT, tags["sample"], tags["a"], tags["b"], means)


@pytest.fixture(scope="session")
def tags(design) -> ScreenTags:
    return ScreenTags(
        *(
            TagSet(tuple(found), tuple(found.values()))
            for found in (design.sample_tags, design.tags_a, design.tags_b)
        )
    )
