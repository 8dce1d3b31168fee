"""Genes by arm once more, by negative binomial regression on counts: PyDESeq2."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from hiaim_sc.stats.covariates import pool_small_strata


def fit_counts(
    counts: np.ndarray,
    is_treated: np.ndarray,
    strata: np.ndarray | None,
    is_control: np.ndarray,
) -> pd.DataFrame | None:
    """Difference between arms of each gene, treated minus reference; None without a size factor.

    The Wald test of DESeq2 as PyDESeq2 has it, on the last column of `tabulate_design`. Size
    factors are medians of ratios to the geometric mean of the counts above 0, which few cells leave
    enough of. No count is replaced as an outlier and no gene is filtered: which genes take part
    was chosen before, without the arm.

    Parameters
    ----------
    counts
        Shape (n_visits, n_patients, n_genes), the baseline first; one visit or two.
    is_treated
        Arm of each patient.
    strata
        Label of each patient's stratum; None when nothing was randomised in.
    is_control
        Genes that the size factors are found from.

    Returns
    -------
    ``log2_fc se p_value``, a row per gene in order. None where a sample has no count in any of the
    control genes.

    References
    ----------
    Love, Huber and Anders 2014, doi:10.1186/s13059-014-0550-8. Muzellec et al. 2023,
    doi:10.1093/bioinformatics/btad547.
    """
    if not (counts[..., is_control] > 0).any(axis=-1).all():
        return None
    # the optional extra; it imports half a second of libraries
    from pydeseq2.dds import DeseqDataSet
    from pydeseq2.default_inference import DefaultInference
    from pydeseq2.ds import DeseqStats

    design = tabulate_design(is_treated, strata, n_visits=len(counts))
    table = pd.DataFrame(counts.reshape(len(design), -1), index=design.index)
    table.columns = table.columns.astype(str)
    inference = DefaultInference(n_cpus=1)  # one order of additions, whatever the machine
    with warnings.catch_warnings():
        # few genes: the trend of the dispersions is their mean, as in DESeq2
        warnings.simplefilter("ignore")
        data = DeseqDataSet(
            counts=table,
            metadata=design.iloc[:, -1:],
            design=design,
            size_factors_fit_type="poscounts",
            control_genes=is_control,
            refit_cooks=False,
            inference=inference,
            quiet=True,
        )
        data.deseq2()
        contrast = np.zeros(design.shape[1])
        contrast[-1] = 1.0
        test = DeseqStats(
            data,
            contrast=contrast,
            cooks_filter=False,
            independent_filter=False,
            inference=inference,
            quiet=True,
        )
        test.summary()
    found = test.results_df[["log2FoldChange", "lfcSE", "pvalue"]].astype("float64")
    return found.set_axis(["log2_fc", "se", "p_value"], axis=1).reset_index(drop=True)


def tabulate_design(
    is_treated: np.ndarray, strata: np.ndarray | None, *, n_visits: int
) -> pd.DataFrame:
    """Design in numbers, the visits one after the other; the last column is what is asked.

    Two visits: a column per patient, ``post``, ``post x`` each stratum but one, ``post x treated``.
    One visit: ``intercept``, each stratum but one, ``treated``. A formula would lose a column of it
    without a word, or turn its sign with the order of the names of the visits.
    """
    pooled = np.zeros(len(is_treated), dtype=np.int64)
    if strata is not None:
        pooled = pool_small_strata(np.unique(strata.astype(str), return_inverse=True)[1])
    between = {"intercept": np.ones(len(is_treated))}
    between |= {f"stratum {s}": (pooled == s).astype(float) for s in np.unique(pooled)[1:]}
    between["treated"] = is_treated.astype(float)
    if n_visits == 1:
        return pd.DataFrame(between).rename(index=str)
    patients = pd.DataFrame(np.eye(len(is_treated)))
    patients.columns = [f"patient {i}" for i in range(len(is_treated))]
    post = pd.DataFrame(between).rename(columns=lambda name: f"post x {name}")
    post = post.rename(columns={"post x intercept": "post"})
    before = pd.concat([patients, 0 * post], axis=1)
    after = pd.concat([patients, post], axis=1)
    return pd.concat([before, after], ignore_index=True).rename(index=str)
