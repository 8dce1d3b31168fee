"""Arm against arm: patients are the units, labels are re-drawn within strata."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import fisher_exact

from hiaim_sc.compare.aliasing import inflate_by_batch
from hiaim_sc.compare.contrasts import PLACE, Place, Trial, label_strata
from hiaim_sc.compare.endpoints import CHANGES
from hiaim_sc.compare.families import judge
from hiaim_sc.compare.moderation import moderate
from hiaim_sc.names import RELEASE_TABLES

if TYPE_CHECKING:
    from hiaim_sc.config import Design

_NUMBERS = ["estimate", "se", "df", "ci_low", "ci_high", "p_t", "p_perm", "p_adj", "effect_g"]


def draw_blinded_arms(
    strata: pd.DataFrame, design: Design, *, rng: np.random.Generator
) -> pd.Series:
    """Random arm of each patient, sorted: balanced within strata, independent of the allocation.

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
    stratum = label_strata(patients).to_numpy()
    # by stratum, in random order within: arms dealt in turn differ by one patient at most in each
    # stratum and over all of them
    order = np.lexsort((rng.permutation(len(patients)), stratum))
    turn = int(rng.integers(len(design.arms)))
    dealt = [design.arms[(turn + i) % len(design.arms)] for i in range(len(patients))]
    arms = pd.Series(dealt, index=patients.index[order], dtype="str", name="arm")
    return arms.sort_index()


def compare_arms(trial: Trial, *, blinded: bool, prespecified: bool = False) -> pd.DataFrame:
    """The release table ``comparisons``: each arm against the reference arm, endpoint by endpoint.

    At a visit after the baseline the difference is adjusted for the patient's baseline value and
    the strata (ANCOVA), in a study of one visit for the strata. ``p_perm`` re-draws the arms
    within the strata; it is the reported p, ``p_t`` stands beside it, ``p_adj`` is adjusted within
    the family (`hiaim_sc.compare.families.judge`). With fewer than ``min_patients_per_arm``
    patients in an arm there are estimates and no p.

    Parameters
    ----------
    trial
        Endpoints, allocation and design.
    blinded
        Whether the arms are random labels.
    prespecified
        Whether the plan was frozen before the arms were opened, and has not changed since.

    Returns
    -------
    A row per endpoint, tissue, visit, phase and treated arm. ``estimate`` is treated minus
    reference on the analysed ``scale``, ``effect_g`` the same over the standard deviation within
    the arms (Hedges' g); ``reason_empty`` says why an estimate or a p is missing.
    ``p_missing`` is Fisher's exact test of whether patients without a value are more of one arm:
    where a sample is too small or was not taken because of the treatment, those with a value are no
    longer as randomised. ``batch_inflation`` is what the estimate's variance would be multiplied by
    were it adjusted for batches (`hiaim_sc.compare.aliasing.inflate_by_batch`), empty without an
    estimate.
    """
    design = trial.config.design
    visits = design.follow_ups or (design.baseline,)
    follow_up = trial.endpoints[trial.endpoints["visit"].isin(visits)]
    rows = [
        trial.compare(Place(*place), treated)
        for place, _ in follow_up.groupby(PLACE, sort=True)
        for treated in design.arms[1:]
    ]
    columns = list(RELEASE_TABLES["comparisons"])
    if not rows:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in columns})
    table = pd.DataFrame(rows).reindex(columns=columns)
    table[_NUMBERS] = table[_NUMBERS].astype("float64")
    table["blinded"] = blinded
    table["p_missing"] = _test_missing(table, follow_up, trial)
    table["batch_inflation"] = _inflate(table, trial)
    table = moderate(judge(table, trial, prespecified=prespecified and not blinded), trial)
    order = {visit: i for i, visit in enumerate(design.visits)}
    return table.sort_values(
        ["family", *PLACE, "contrast"],
        key=lambda column: column.map(order) if column.name == "visit" else column,
        ignore_index=True,
    )


def _test_missing(table: pd.DataFrame, endpoints: pd.DataFrame, trial: Trial) -> list[float]:
    """P of Fisher's exact test of arm against having a value, of those expected to have one."""
    seen = endpoints["value_analysed"].notna()
    arm = endpoints["patient_id"].map(trial.arms)
    counts = seen.groupby([*(endpoints[name] for name in PLACE), arm]).agg(["sum", "size"])
    found = []
    for *place, contrast in table[[*PLACE, "contrast"]].itertuples(index=False, name=None):
        sides = [counts.reindex([(*place, name)], fill_value=0) for name in contrast.split(" - ")]
        n_seen, n_expected = pd.concat(sides).to_numpy(dtype=int).T
        found.append(float(fisher_exact([n_seen, n_expected - n_seen]).pvalue))
    return found


def _inflate(table: pd.DataFrame, trial: Trial) -> list[float]:
    """What batches would cost each estimate."""
    found = []
    for *key, contrast, estimate in table[[*PLACE, "contrast", "estimate"]].itertuples(
        index=False, name=None
    ):
        place, treated = Place(*key), contrast.split(" - ", maxsplit=1)[0]
        outcome, first = trial.outcome(place, treated), trial.config.design.baseline
        has_before = outcome.baseline is not None or place.endpoint in CHANGES
        visits = {place.visit, first} if has_before else {place.visit}
        is_empty = not np.isfinite(estimate)
        found.append(np.nan if is_empty else inflate_by_batch(trial.layout, outcome, place, visits))
    return found
