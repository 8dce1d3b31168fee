"""Genes whose expression changed differently in the arms, cell type by cell type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiaim_sc.compare.aliasing import find_aliasing, inflate_by_batch
from hiaim_sc.compare.contrasts import Outcome, Place, label_strata
from hiaim_sc.compare.negative_binomial import fit_counts
from hiaim_sc.compare.profiles import Profiles, find_profiles, tabulate_genes
from hiaim_sc.names import CONFIRMING_METHOD, RELEASE_TABLES
from hiaim_sc.stats import benjamini_hochberg, moderated_t, variance_trend

if TYPE_CHECKING:
    from anndata import AnnData

    from hiaim_sc.config import StudyConfig

COLUMNS = (
    *RELEASE_TABLES["differential_expression"],
    "gene_id",
    "gene_class",
    "discovery",
    "mean_log2_cpm",
    "df",
    "blinded",
)
_METHOD = "moderated t"
_FLAGS = ("discovery", "blinded")
_WORDS = ("gene", "cell_type", "tissue", "visit", "contrast", "method", "gene_id", "gene_class")


@dataclass(frozen=True)
class _Trial:
    """Who was randomised to what, and what the contrasts are held against."""

    arms: pd.Series
    strata: pd.DataFrame
    config: StudyConfig
    layout: pd.DataFrame

    def compare(self, profiles: Profiles, treated: str) -> list[pd.DataFrame]:
        """A row per gene, by each method; nothing where the arms cannot be compared."""
        design, options = self.config.design, self.config.options.compare
        reference = design.arms[0]
        arm = self.arms.reindex(profiles.patients)
        chosen = arm.isin([reference, treated]).to_numpy(dtype=bool)
        is_treated = (arm[chosen] == treated).astype(bool)
        n_treated, n_reference = int(is_treated.sum()), int((~is_treated).sum())
        if min(n_treated, n_reference) < options.min_patients_expression or not profiles.n_genes:
            return []
        place = Place("", profiles.tissue, profiles.visit, profiles.session_phase)
        if find_aliasing(self.layout, is_treated, place, design.baseline):
            return []
        strata = None
        if self.strata.shape[1]:
            strata = label_strata(self.strata).reindex(is_treated.index).to_numpy(dtype=object)
        taken = is_treated.to_numpy()
        found = {_METHOD: _moderate(profiles.values[chosen], _trend(profiles), taken, strata)}
        if found[_METHOD]["log2_fc"].isna().all():  # the strata explain the arm
            return []
        if options.deseq2:
            is_control = profiles.genes["discovery"].to_numpy()
            counted = fit_counts(profiles.counts[:, chosen], taken, strata, is_control)
            found |= {} if counted is None else {CONFIRMING_METHOD: counted}
        outcome = Outcome(is_treated.index, profiles.values[chosen], taken, None, strata)
        visits = {place.visit, design.baseline} if profiles.is_change else {place.visit}
        rows = profiles.genes.assign(
            cell_type=profiles.cell_type,
            tissue=profiles.tissue,
            visit=profiles.visit,
            contrast=f"{treated} - {reference}",
            n_reference=n_reference,
            n_treated=n_treated,
            batch_inflation=inflate_by_batch(self.layout, outcome, place, visits),
        )
        return [
            rows.assign(**dict(numbers.items()), method=self._describe(method, profiles))
            for method, numbers in found.items()
        ]

    def _describe(self, method: str, profiles: Profiles) -> str:
        what = "log2 CPM" if method == _METHOD else "counts"
        change = "change of " if profiles.is_change else ""
        adjusted = f", adjusted for {' and '.join(map(str, self.strata.columns))}"
        return f"{method}, {change}{what}{adjusted if self.strata.shape[1] else ''}"


def compare_expression(
    pseudobulks: AnnData,
    located: pd.DataFrame,
    arms: pd.Series,
    strata: pd.DataFrame,
    config: StudyConfig,
    *,
    blinded: bool,
    layout: pd.DataFrame,
) -> pd.DataFrame:
    r"""The release table ``differential_expression``: each arm against the reference, by gene.

    Per cell type, tissue, visit after the baseline and treated arm, at rest: with y the log2 counts
    per million of a gene in the pseudobulk of a patient's cells, the change
    :math:`\Delta = y_{visit} - y_{baseline}` of each patient is one observation of
    :math:`\Delta = \beta_0 + \beta_1\,\mathrm{arm} + \sum_s \gamma_s + \varepsilon`. Each gene's
    variance is squeezed towards the variance that genes of its level have
    (`hiaim_sc.stats.variance_trend`, `hiaim_sc.stats.moderated_t`). In a study of one visit y takes
    the place of the change.

    Which samples, patients and genes take part, and the trend, are chosen without the arm
    (`hiaim_sc.compare.profiles`). Genes that differ for other reasons than what a cell does
    (`hiaim_sc.compare.gene_classes`) have a row with ``discovery`` False and no q; the q of the
    others is Benjamini-Hochberg's within cell type, tissue, visit, contrast and method.

    With the option ``deseq2`` the same genes, patients and strata have a row each by PyDESeq2
    besides (`hiaim_sc.compare.negative_binomial`): ``method`` tells which, ``df`` is missing.

    There are no rows where an arm has fewer than ``min_patients_expression`` patients (an arm
    with samples of another session phase only has none), where the batches or the strata explain
    the arm, or the batches the visit.

    Parameters
    ----------
    pseudobulks
        As `hiaim_sc.compare.sum_pseudobulks` returns it.
    located
        As `hiaim_sc.compare.locate_samples` returns it; samples with a reason to be missing take no
        part.
    arms
        Arm by ``patient_id``.
    strata
        Indexed by ``patient_id``, as randomised.
    config
        Design and options.
    blinded
        Whether the arms are random labels.
    layout
        Batch of each library, for contrasts that cannot be told from batches.

    Returns
    -------
    Columns of the release table and ``gene_id gene_class discovery mean_log2_cpm df blinded``;
    ``gene`` is the symbol and ``log2_fc`` treated minus reference,
    ``batch_inflation`` that of the cell type's values at the place
    (`hiaim_sc.compare.aliasing.inflate_by_batch`). Sorted by cell type, tissue,
    visit, contrast, method and p.

    References
    ----------
    Smyth 2004, doi:10.2202/1544-6115.1027. Law et al. 2014, doi:10.1186/gb-2014-15-2-r29.
    """
    design = config.design
    trial = _Trial(arms, strata, config, layout)
    usable = located.loc[located["reason_missing"] == "", "sample_id"]
    genes = tabulate_genes(pseudobulks)
    found = [
        trial.compare(profiles, treated)
        for profiles in find_profiles(pseudobulks, genes, set(usable), config)
        for treated in design.arms[1:]
    ]
    tables = [_adjust(table) for tables in found for table in tables]
    if not tables:
        return _no_rows()
    table = pd.concat(tables, ignore_index=True).assign(blinded=blinded)
    order = {visit: i for i, visit in enumerate(design.visits)}
    by_place = ["cell_type", "tissue", "visit", "contrast"]
    return (
        table[list(COLUMNS)]
        .assign(second=table["method"].str.startswith(CONFIRMING_METHOD))
        .sort_values(
            [*by_place, "second", "p_value", "gene_id"],
            key=lambda column: column.map(order) if column.name == "visit" else column,
            ignore_index=True,
        )
        .drop(columns="second")
    )


def _trend(profiles: Profiles) -> np.ndarray:
    variance = profiles.values.var(axis=0, ddof=1)
    return variance_trend(variance, profiles.genes["mean_log2_cpm"].to_numpy())


def _moderate(
    values: np.ndarray, trend: np.ndarray, is_treated: np.ndarray, strata: np.ndarray | None
) -> pd.DataFrame:
    """The moderated t in units of the trend; estimate and error in log2 again."""
    unit = np.sqrt(trend)
    fit = moderated_t(values / unit, is_treated, strata=strata)
    numbers = {"log2_fc": fit.estimate * unit, "se": fit.se * unit}
    return pd.DataFrame({**numbers, "df": fit.df, "p_value": fit.p_value})


def _adjust(table: pd.DataFrame) -> pd.DataFrame:
    is_tested = table["discovery"].to_numpy()
    return table.assign(q_value=benjamini_hochberg(table["p_value"].where(is_tested)))


def _no_rows() -> pd.DataFrame:
    def dtype(name: str) -> Any:
        return "bool" if name in _FLAGS else "str" if name in _WORDS else "float64"

    table = pd.DataFrame({name: pd.Series(dtype=dtype(name)) for name in COLUMNS})
    return table.astype({"n_reference": "int64", "n_treated": "int64"})
