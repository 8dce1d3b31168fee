"""Which dna_barcodes of a screen are more frequent in a sample than in the unselected pool."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from scipy.stats import beta

from hiaim_sc.stats import benjamini_hochberg, exact_count_test, tmm_factors
from hiaim_sc.study import group_alleles

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    type FloatArray = npt.NDArray[np.float64]

# What two random parts of six bases can tell apart; more molecules than that cannot be counted.
MOST_MOLECULES: Final = 4**12
RESPONSE_FDR: Final = 0.001
_MOST_NAMED: Final = 10
_COLUMNS: Final = ("log_fold_change", "p", "fdr", "count_normalised", "input_normalised")


def barcode_enrichment(
    sample_counts: npt.ArrayLike,
    input_counts: npt.ArrayLike,
    dispersion: float = 0.1,
    groups: Iterable[Any] | None = None,
) -> pd.DataFrame:
    r"""Enrichment of each dna_barcode in a sample over the unselected multimer pool.

    Trimmed-mean factors over all columns (`tmm_factors`), then the exact negative binomial test
    of the sample's replicates against all inputs at a fixed dispersion :math:`\phi`
    (`exact_count_test`), then Benjamini-Hochberg. With `groups` each of the three is done within a
    group. A dna_barcode is a response where `fdr` < 0.001 and `log_fold_change` > 0.

    With one replicate of the sample or of the input the test has little power, however many
    molecules are counted: a warning says from which fold change on it can find anything.

    Parameters
    ----------
    sample_counts, input_counts
        Distinct molecules, shape (n_dna_barcodes, n_replicates). A dna_barcode with a missing count
        is left out of everything and is never a response.
    dispersion
        :math:`\phi`: the variance of a count of mean :math:`\mu` is :math:`\mu + \phi\mu^2`.
    groups
        Group of each dna_barcode, such as its HLA, in any usual spelling; missing where it has
        none. Groups of one, and groups that a column has no count of, cannot be tested.

    Returns
    -------
    pandas.DataFrame
        A row per dna_barcode, in the order given: `log_fold_change` (log2, of fitted means with a
        prior count of 0.125), `p`, `fdr`, and `count_normalised` and `input_normalised`: the mean
        over replicates of the count over its column's sum times factor. NaN where there is no test.

    Raises
    ------
    ValueError
        With every count that is text, negative, no whole number or beyond 4^12 = 16,777,216, which
        is what the two random parts can tell apart, and every column without counts.

    References
    ----------
    Bentzen et al. 2016, doi:10.1038/nbt.3662. Robinson and Oshlack 2010,
    doi:10.1186/gb-2010-11-3-r25. Robinson and Smyth 2008, doi:10.1093/biostatistics/kxm030.
    """
    sample = _as_matrix("sample_counts", sample_counts)
    pool = _as_matrix("input_counts", input_counts)
    _refuse_impossible(sample, pool)
    _warn_of_power(sample.shape[1], pool.shape[1], dispersion)
    return enrich(sample, pool, dispersion, groups)


def enrich(
    sample: FloatArray,
    pool: FloatArray,
    dispersion: float,
    groups: Iterable[Any] | None = None,
) -> pd.DataFrame:
    """As `barcode_enrichment`, of counts that are in order, without a word on power."""
    counts = np.hstack([sample, pool])
    known = ~np.isnan(counts).any(axis=1)
    found = np.full((len(counts), len(_COLUMNS)), np.nan)
    for rows in _split_rows(known, groups):
        if groups is None or (len(rows) > 1 and (counts[rows].sum(axis=0) > 0).all()):
            found[rows] = _test(counts[rows], sample.shape[1], dispersion)
    return pd.DataFrame(found, columns=list(_COLUMNS))


def least_detectable_fold(
    n_sample: int, n_input: int, dispersion: float = 0.1, *, p: float = RESPONSE_FDR
) -> float:
    r"""Fold change below which no number of molecules gives a two-sided p below this one.

    With unlimited counts in libraries of one size the share :math:`x` of the inputs among all is
    beta distributed with :math:`\alpha = n_0/\phi` and :math:`\beta = n_1/\phi`; at its quantile
    :math:`p/2` the fold is :math:`\frac{n_0 (1 - x)}{n_1 x}`.

    Examples
    --------
    >>> round(least_detectable_fold(1, 1), 2)
    4.75
    """
    share = beta.ppf(p / 2, n_input / dispersion, n_sample / dispersion)
    return float(n_input * (1 - share) / (n_sample * share))


def _test(counts: FloatArray, n_sample: int, dispersion: float) -> FloatArray:
    factors = tmm_factors(counts)
    size = counts.sum(axis=0) * factors
    tested = exact_count_test(
        counts[:, n_sample:],
        counts[:, :n_sample],
        np.r_[size[n_sample:], size[:n_sample]],
        dispersion=dispersion,
    )
    share = counts / size
    return np.column_stack(
        [
            tested.log2_fc,
            tested.p_value,
            benjamini_hochberg(tested.p_value),
            share[:, :n_sample].mean(axis=1),
            share[:, n_sample:].mean(axis=1),
        ]
    )


def _as_matrix(name: str, counts: npt.ArrayLike) -> FloatArray:
    try:
        found = np.asarray(counts, dtype=np.float64)
    except (TypeError, ValueError) as error:
        message = f"{name} must be whole numbers without separators, NaN where missing ({error})"
        raise ValueError(message) from error
    return found[:, None] if found.ndim == 1 else found


def _split_rows(
    known: npt.NDArray[np.bool_], groups: Iterable[Any] | None
) -> list[npt.NDArray[np.intp]]:
    """Positions of the rows that are tested together."""
    if groups is None:
        return [np.flatnonzero(known)]
    names = [group_alleles(name) if isinstance(name, str) else name for name in groups]
    codes, labels = pd.factorize(np.array(names, dtype=object))
    if len(codes) != len(known):
        message = f"groups has {len(codes)} values, expected {len(known)}: one per dna_barcode"
        raise ValueError(message)
    return [np.flatnonzero(known & (codes == code)) for code in range(len(labels))]


def _refuse_impossible(sample: FloatArray, pool: FloatArray) -> None:
    if sample.ndim != 2 or pool.ndim != 2 or len(sample) != len(pool):
        message = (
            f"sample_counts and input_counts must be dna_barcodes x replicates of the same "
            f"dna_barcodes, got shapes {sample.shape} and {pool.shape}"
        )
        raise ValueError(message)
    faults = [
        fault
        for name, counts in (("sample_counts", sample), ("input_counts", pool))
        for fault in _find_faults(name, counts)
    ]
    if faults:
        more = f"; and {len(faults) - _MOST_NAMED} more" * (len(faults) > _MOST_NAMED)
        raise ValueError("; ".join(faults[:_MOST_NAMED]) + more)


def _find_faults(name: str, counts: FloatArray) -> list[str]:
    if counts.shape[1] == 0:
        return [f"{name} has no replicate"]
    rules = {
        "is negative": counts < 0,
        "is no whole number": np.isfinite(counts) & (counts != np.floor(counts)),
        f"is beyond {MOST_MOLECULES:,}, all that N12 can tell apart (a decimal comma lost?)": (
            counts > MOST_MOLECULES
        ),
    }
    faults = [
        f"{name}, dna_barcode {row} (from 0), replicate {column}: "
        f"{counts[row, column]:.15g} {words}"
        for words, is_wrong in rules.items()
        for row, column in np.argwhere(is_wrong)
    ]
    known = counts[~np.isnan(counts).any(axis=1)]
    empty = np.flatnonzero(known.sum(axis=0) == 0)
    return [*faults, *(f"{name}, replicate {column} (from 0) has no counts" for column in empty)]


def _warn_of_power(n_sample: int, n_input: int, dispersion: float) -> None:
    if min(n_sample, n_input) > 1:
        return
    fold = least_detectable_fold(n_sample, n_input, dispersion)
    warnings.warn(
        f"{n_sample} replicate(s) of the sample against {n_input} of the input: little power. "
        f"Below {fold:.1f}-fold no dna_barcode can be a response, whatever the counts",
        stacklevel=3,
    )
