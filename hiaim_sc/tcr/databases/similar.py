"""Sequences that differ in exactly one place, found without comparing every pair."""

from __future__ import annotations

import numpy as np
import pandas as pd

_PRIME = np.uint64(0x9E3779B97F4A7C15)


def find_similar(left: pd.Series, right: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Positions in `left` and `right` of all pairs at Hamming distance 1.

    Sequences of one length are alike but for place j exactly when they are the same with j left
    out: for each j the sums of the others' codes are joined, and what joins is compared letter by
    letter. Cost grows with the number of sequences times their length, not with the pairs.

    Parameters
    ----------
    left, right
        ASCII sequences without missing ones.

    Returns
    -------
    Two (n_pairs,) arrays, sorted by the first, then the second.
    """
    found_left, found_right = [np.array([], dtype=np.int64)], [np.array([], dtype=np.int64)]
    sizes = left.str.len().to_numpy(), right.str.len().to_numpy()
    for length in np.intersect1d(*sizes):
        rows = [np.flatnonzero(size == length) for size in sizes]
        i, j = _pairs_of_length(*(_letters(s, r) for s, r in zip((left, right), rows, strict=True)))
        found_left.append(rows[0][i])
        found_right.append(rows[1][j])
    i, j = np.concatenate(found_left), np.concatenate(found_right)
    order = np.lexsort((j, i))
    return i[order], j[order]


def _letters(sequences: pd.Series, rows: np.ndarray) -> np.ndarray:
    """(n, length) uint8."""
    texts = sequences.to_numpy(dtype=object)[rows]
    return np.frombuffer("".join(texts).encode("ascii"), dtype=np.uint8).reshape(len(rows), -1)


def _pairs_of_length(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    weights = np.cumprod(np.full(left.shape[1], _PRIME))  # wraps around, and may collide: see below
    terms = [letters.astype(np.uint64) * weights for letters in (left, right)]
    totals = [term.sum(axis=1, dtype=np.uint64) for term in terms]
    pairs = []
    for place in range(left.shape[1]):
        codes = [total - term[:, place] for total, term in zip(totals, terms, strict=True)]
        tables = [pd.DataFrame({"code": code, "at": np.arange(len(code))}) for code in codes]
        joined = tables[0].merge(tables[1], on="code")
        i, j = joined["at_x"].to_numpy(), joined["at_y"].to_numpy()
        is_pair = left[i, place] != right[j, place]
        i, j = i[is_pair], j[is_pair]
        is_one = (left[i] != right[j]).sum(axis=1) == 1
        pairs.append((i[is_one], j[is_one]))
    return np.concatenate([i for i, _ in pairs]), np.concatenate([j for _, j in pairs])
