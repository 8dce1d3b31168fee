"""Random numbers that depend on what is computed, not on what was computed before."""

from __future__ import annotations

import numpy as np

from hiaim_sc.storage.digests import digest_value


def generator(*words: str | int) -> np.random.Generator:
    """A generator seeded by words, for example the stage, the library and the study's seed.

    Adding a library or a stage leaves the numbers of all others as they were.
    """
    return np.random.default_rng(int(digest_value(list(words))[:16], 16))
