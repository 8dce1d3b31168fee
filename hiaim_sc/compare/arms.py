"""Arm against arm: patients are the units, labels are re-drawn within strata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from hiaim_sc.compare.contrasts import PLACE, Place, Trial, label_strata
from hiaim_sc.names import RELEASE_TABLES
from hiaim_sc.stats import benjamini_hochberg

if TYPE_CHECKING:
    import numpy as np

    from hiaim_sc.config import AnalysisPlan, Design, StudyConfig


def draw_blinded_arms(
    strata: pd.DataFrame, design: Design, *, rng: np.random.Generator
) -> pd.Series:
    """Random arm of each patient: balanced within strata, and independent of the allocation.

    Parameters
    ----------
    strata
        Indexed by ``patient_id``, a column per stratum.
    design
        Names of the arms.
    rng
        Draws the labels.
    """
    patients = strata.sort_index()
    groups = label_strata(patients)
    arms = pd.Series("", index=patients.index, dtype="object", name="arm")
    start = 0
    for _, members in patients.groupby(groups, sort=True):
        names = rng.permutation(members.index.to_numpy())
        # start where the last stratum ended, so that odd strata balance each other
        labels = [design.arms[(start + i) % len(design.arms)] for i in range(len(names))]
        arms.loc[names] = labels
        start += len(names)
    return arms.astype("str")


def compare_arms(
    endpoints: pd.DataFrame,
    arms: pd.Series,
    strata: pd.DataFrame,
    config: StudyConfig,
    *,
    blinded: bool,
    layout: pd.DataFrame,
) -> pd.DataFrame:
    """The release table ``comparisons``: each arm against the reference arm, endpoint by endpoint.

    At a visit after the baseline the difference is adjusted for the patient's baseline value and
    the strata (ANCOVA), in a study of one visit for the strata. ``p_perm`` re-draws the arms
    within the strata; it is the reported p, ``p_t`` stands beside it, ``p_adj`` is
    Benjamini-Hochberg's over ``p_perm`` within the family. With fewer than
    ``min_patients_per_arm`` patients in an arm there are estimates and no p.

    Parameters
    ----------
    endpoints
        Release table ``endpoints`` with ``scale``.
    arms
        Arm by ``patient_id``.
    strata
        Indexed by ``patient_id``, as randomised.
    config
        Design, plan and options.
    blinded
        Whether the arms are random labels.
    layout
        Batch of each library, for contrasts that cannot be told from batches.

    Returns
    -------
    A row per endpoint, tissue, visit, phase and treated arm. ``estimate`` is treated minus
    reference on the analysed ``scale``; ``reason_empty`` says why an estimate or a p is missing.
    """
    design = config.design
    trial = Trial(endpoints, arms, strata, config, layout)
    visits = design.follow_ups or (design.baseline,)
    follow_up = endpoints[endpoints["visit"].isin(visits)]
    rows = [
        trial.compare(Place(*place), treated)
        for place, _ in follow_up.groupby(PLACE, sort=True)
        for treated in design.arms[1:]
    ]
    columns = list(RELEASE_TABLES["comparisons"])
    if not rows:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in columns})
    table = pd.DataFrame(rows).reindex(columns=columns)
    table["prespecified"], table["blinded"], table["gate"] = False, blinded, ""
    table["family"] = [find_family(row, config.analysis_plan) for row in table.itertuples()]
    for _, group in table.groupby("family"):
        p_values = group["p_perm"].to_numpy(dtype=float)
        table.loc[group.index, "p_adj"] = benjamini_hochberg(p_values)
    order = {visit: i for i, visit in enumerate(design.visits)}
    return table.sort_values(
        ["family", *PLACE, "contrast"],
        key=lambda column: column.map(order) if column.name == "visit" else column,
        ignore_index=True,
    )


def find_family(row: Any, plan: AnalysisPlan) -> str:
    """Family of a comparison: as planned, measurements by assay, the rest together per tissue."""
    if row.tissue == "":
        return f"measurements:{row.endpoint.split(':')[0]}"
    tissue = "tumour" if row.tissue == "tumor" else row.tissue
    for family, members in plan.families.items():
        if row.endpoint in members and family.split("_")[0] == tissue:
            return family
    return f"{tissue}_other"
