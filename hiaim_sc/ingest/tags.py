"""Features of a matrix that are tags: antigens and hashtags."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.ingest.checks import check_counts
from hiaim_sc.ingest.feature_matrix import GENE_EXPRESSION, FeatureMatrix

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def take_type(matrix: FeatureMatrix, feature_type: str) -> FeatureMatrix:
    """Features of one type, as checked counts."""
    is_wanted = matrix.feature_types == feature_type
    if not is_wanted.any():
        there = pd.Series(matrix.feature_types).value_counts().sort_index()
        listed = ", ".join(f"{name!r} ({n:,})" for name, n in there.items()) or "none"
        reason = f"{matrix.source} has no feature of type {feature_type!r}; its types are: {listed}"
        raise LibraryFaultError(reason)
    taken = matrix if is_wanted.all() else matrix.take_features(np.flatnonzero(is_wanted))
    check_counts(taken)
    return taken


def take_hashtags(
    matrix: FeatureMatrix | None, hashtags: Sequence[str], feature_type: str | None
) -> FeatureMatrix:
    """The hashtags of a pooled library, of one feature type or of any but gene expression."""
    if matrix is None:
        reason = "a pooled library without gex: its hashtags are features of that file"
        raise LibraryFaultError(reason)
    if feature_type is not None:
        found = take_type(matrix, feature_type)
    else:
        found = matrix.take_features(matrix.feature_types != GENE_EXPRESSION)
    taken = take_tags(found, hashtags, "hashtags of hashtags.tsv")
    check_counts(taken)
    return taken


def leave_out(tags: FeatureMatrix, names: Sequence[str]) -> FeatureMatrix:
    """The features that are none of these, by id and by name."""
    return tags.take_features(~np.isin(tags.feature_ids, names) & ~np.isin(tags.symbols, names))


def take_tags(tags: FeatureMatrix, names: Iterable[str], what: str) -> FeatureMatrix:
    """The features of these names, found by feature id or else by feature name."""
    wanted = list(dict.fromkeys(names))
    position = {name: i for i, name in enumerate(tags.symbols)}
    position |= {name: i for i, name in enumerate(tags.feature_ids)}
    absent = [name for name in wanted if name not in position]
    if absent:
        reason = (
            f"{tags.source} lacks {len(absent)} of the {len(wanted)} {what}:"
            f" {_enumerate(absent)}; it has {_enumerate(tags.feature_ids.tolist()) or 'none'}"
        )
        raise LibraryFaultError(reason)
    taken = tags.take_features(np.array([position[name] for name in wanted]))
    return FeatureMatrix(**{**vars(taken), "feature_ids": np.array(wanted, dtype=object)})


def _enumerate(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
