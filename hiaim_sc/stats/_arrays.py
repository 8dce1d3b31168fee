"""The arrays every statistic takes, checked once: what is impossible is a `ValueError`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import numpy.typing as npt

    type FloatArray = npt.NDArray[np.float64]
    type IntArray = npt.NDArray[np.int64]
    type BoolArray = npt.NDArray[np.bool_]

# Above this not every whole number is a float, and sums of counts would lose some.
_LARGEST_TOTAL = 2**53


def clone_counts(values: npt.ArrayLike, name: str = "x") -> IntArray:
    """One-dimensional array of counts, as given (zeros kept)."""
    counts = count_array(values, name)
    _require_dimensions(counts, 1, name)
    return counts


def present_counts(values: npt.ArrayLike, name: str = "x") -> IntArray:
    """The counts above zero, ascending: a sum over them depends on no order of the clones."""
    counts = clone_counts(values, name)
    return np.sort(counts[counts > 0])


def count_array(values: npt.ArrayLike, name: str) -> IntArray:
    """Array of whole numbers of at least 0, of any shape."""
    numbers = _finite(values, name)
    if (numbers < 0).any():
        message = f"{name} has negative counts"
        raise ValueError(message)
    if (numbers != np.floor(numbers)).any():
        message = f"{name} has counts that are no whole numbers"
        raise ValueError(message)
    if numbers.sum() > _LARGEST_TOTAL:
        message = f"the sum of {name} is more than {_LARGEST_TOTAL}"
        raise ValueError(message)
    return np.asarray(values).astype(np.int64)


def count_matrix(values: npt.ArrayLike, name: str) -> IntArray:
    """Two-dimensional array of counts."""
    counts = count_array(values, name)
    _require_dimensions(counts, 2, name)
    return counts


def whole_number(value: float, name: str, *, at_least: int) -> int:
    """An integer of at least `at_least`."""
    if not np.isfinite(value) or value != int(value) or value < at_least:
        message = f"{name} must be a whole number of at least {at_least}, got {value!r}"
        raise ValueError(message)
    return int(value)


def draw_count(n: float, name: str, rng: object, *, at_least: int) -> int:
    """How often chance is asked, and whether it comes from a generator of numpy's."""
    if not isinstance(rng, np.random.Generator):
        message = f"rng must be a numpy Generator such as np.random.default_rng(1), got {rng!r}"
        raise TypeError(message)
    return whole_number(n, name, at_least=at_least)


def real_vector(
    values: npt.ArrayLike, name: str, *, length: int | None = None, missing: bool = False
) -> FloatArray:
    """One-dimensional array of numbers; NaN only where `missing` allows it."""
    numbers = _real(values, name, missing=missing)
    _require_dimensions(numbers, 1, name)
    if length is not None:
        _require_length(len(numbers), length, name)
    return numbers


def variance_vector(values: npt.ArrayLike, name: str, *, missing: bool = False) -> FloatArray:
    """One-dimensional array of numbers of at least 0; NaN only where `missing` allows it."""
    numbers = real_vector(values, name, missing=missing)
    if (numbers < 0).any():
        message = f"{name} has values below 0"
        raise ValueError(message)
    return numbers


def real_matrix(
    values: npt.ArrayLike,
    name: str,
    *,
    shape: tuple[int, int] | None = None,
    missing: bool = False,
) -> FloatArray:
    """Two-dimensional array of numbers, rows are patients; NaN only where `missing` allows it."""
    numbers = _real(values, name, missing=missing)
    _require_dimensions(numbers, 2, name)
    if shape is not None and numbers.shape != shape:
        message = f"{name} has shape {numbers.shape}, expected {shape}"
        raise ValueError(message)
    return numbers


def arm_vector(arm: npt.ArrayLike, length: int) -> BoolArray:
    """True where the patient is treated (1), False in the reference arm (0)."""
    numbers = real_vector(arm, "arm", length=length)
    if not np.isin(numbers, (0.0, 1.0)).all():
        message = "arm must be 0 (reference) or 1 (treated) for every patient"
        raise ValueError(message)
    return numbers == 1.0


def label_vector(labels: npt.ArrayLike, name: str) -> npt.NDArray[Any]:
    """One-dimensional array of labels of any kind."""
    values = np.asarray(labels, dtype=object)
    _require_dimensions(values, 1, name)
    return values


def label_codes(labels: npt.ArrayLike, name: str, *, length: int) -> tuple[IntArray, list[Any]]:
    """Code of each label, and the labels that the codes 0, 1, ... stand for, in sorted order."""
    values = label_vector(labels, name)
    _require_length(len(values), length, name)
    codes, levels = pd.factorize(values)
    if (codes < 0).any():
        message = f"{name} has missing labels"
        raise ValueError(message)
    order = np.array(sorted(range(len(levels)), key=lambda level: _label_key(levels[level])), int)
    rank = np.empty(len(levels), dtype=np.int64)
    rank[order] = np.arange(len(levels))
    return rank[codes], [levels[level] for level in order]


def require_confidence(confidence: float) -> None:
    """Error unless the level of an interval lies between 0 and 1."""
    if not 0 < confidence < 1:
        message = f"confidence must lie between 0 and 1, got {confidence!r}"
        raise ValueError(message)


def stratum_codes(strata: npt.ArrayLike | None, length: int) -> IntArray:
    """Code of each patient's stratum; all 0 without strata."""
    if strata is None:
        return np.zeros(length, dtype=np.int64)
    return label_codes(strata, "strata", length=length)[0]


def _label_key(label: object) -> tuple[bool, float, str]:
    # Numbers in the order of numbers (cluster 2 before 10), before all texts.
    if isinstance(label, int | float | np.number):
        return (False, float(cast("float", label)), "")
    return (True, 0.0, str(label))


def _real(values: npt.ArrayLike, name: str, *, missing: bool) -> FloatArray:
    if not missing:
        return _finite(values, name)
    numbers = _numeric(values, name)
    if np.isinf(numbers).any():
        message = f"{name} has infinite values"
        raise ValueError(message)
    return numbers


def _finite(values: npt.ArrayLike, name: str) -> FloatArray:
    numbers = _numeric(values, name)
    if not np.isfinite(numbers).all():
        message = f"{name} has missing or infinite values: select the complete ones first"
        raise ValueError(message)
    return numbers


def _numeric(values: npt.ArrayLike, name: str) -> FloatArray:
    array = np.asarray(values)
    if array.dtype.kind in "biuf":
        return array.astype(np.float64)
    message = f"{name} must be numbers"
    # "3" is a text, and a date is no number of nanoseconds
    if array.dtype.kind != "O" or any(isinstance(value, str | bytes) for value in array.flat):
        raise ValueError(message)
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(message) from error


def _require_dimensions(array: npt.NDArray[Any], n_dimensions: int, name: str) -> None:
    if array.ndim != n_dimensions:
        message = f"{name} must have {n_dimensions} dimension(s), got shape {array.shape}"
        raise ValueError(message)


def _require_length(length: int, expected: int, name: str) -> None:
    if length != expected:
        message = f"{name} has {length} values, expected {expected}: one per row"
        raise ValueError(message)
