"""Random streams: one for each thing that is drawn, so that one setting does not move the rest."""

from __future__ import annotations

import zlib

import numpy as np


def generator(seed: int, purpose: str, *numbers: int) -> np.random.Generator:
    """A generator that depends on the seed, on what it is for, and on nothing else.

    Parameters
    ----------
    seed
        The cohort's seed.
    purpose
        What is drawn.
    numbers
        Of which patient, tissue, visit ...
    """
    return np.random.default_rng([seed, zlib.crc32(purpose.encode()), *numbers])
