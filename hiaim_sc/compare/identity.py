"""Is each sample of the patient it is said to be of? By receptors, sex genes and join rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from hiaim_sc.compare.swaps import find_swaps
from hiaim_sc.names import RELEASE_TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hiaim_sc.config import IdentityOptions

    type _Row = tuple[Any, ...]

_MIN_SHARED = 3
_MIN_SEX_COUNTS = 20
_CLEAR_SEX = 0.8
_CLEAR_JOIN_RATE = 0.8
_DISCORDANT = "discordant"
_SEX_CODES = {"female": 1, "male": -1}


def check_identity(
    sharing: pd.DataFrame,
    clones: pd.DataFrame,
    sex_counts: pd.DataFrame,
    layout: pd.DataFrame,
    participants: pd.DataFrame,
    reports: Mapping[str, Mapping[str, Any]],
    options: IdentityOptions,
) -> pd.DataFrame:
    """The release table ``identity_checks``; no arm is used.

    Parameters
    ----------
    sharing, clones
        Release tables.
    sex_counts
        ``library_id sample_id female male``: counts of genes of one sex in cells that pass
        (`hiaim_sc.qc.count_sex_genes`); `sample_id` may be missing in a library of one sample.
    layout
        Sample of each library; several of a pooled one.
    participants
        ``patient_id sex``; sex female or male, missing where not recorded.
    reports
        What ingest reported by library_id, for the join rate.
    options
        Thresholds.

    Returns
    -------
    A row per sample (or library) and check, with statistic and threshold.

    - ``swap``: highest Morisita-Horn overlap with another patient's sample, against
      ``max_foreign_overlap``. Fail, with the other as ``partner``, for the samples whose change of
      patient explains the overlaps best (`hiaim_sc.compare.swaps.find_swaps`): two that changed
      places, or one that stands under a wrong name. The other samples of the two patients pass. A
      warning only, when none of them has three clones and ``min_swap_share`` of its cells in common
      with the other samples of the patient it would be of: a few foreign cells do that.
    - ``contamination``: the same overlap after these changes; above the threshold is a warning.
    - ``sex``: share of the sex-gene counts that is on XIST and TSIX, against the recorded sex or,
      without one, that of most of the patient's libraries. Pass, when at least 0.8 of the counts
      agree with it, fail, when less than 0.2 do or as many libraries say one as the other.
      Of a pooled library each sample is judged by its own cells. With fewer than 20 counts nothing
      is judged.
    - ``join_rate``: share of VDJ cell barcodes that are GEX cell barcodes, as ingest reported it.
    """
    sexes = _place_counts(sex_counts, layout)
    rows = [
        *_check_sharing(sharing, clones, _sexes(sexes, participants), options),
        *_check_sex(sexes, participants),
        *_check_join_rates(layout, reports),
    ]
    columns = list(RELEASE_TABLES["identity_checks"])
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(["check", "sample_id", "library_id"], ignore_index=True)


def _check_sharing(
    sharing: pd.DataFrame,
    clones: pd.DataFrame,
    sexes: tuple[pd.Series, pd.Series],
    options: IdentityOptions,
) -> list[_Row]:
    depth = clones.groupby("sample_id")["n_cells"].sum()
    samples = depth.index[depth >= options.min_cells].sort_values()
    patient_of = clones.drop_duplicates("sample_id").set_index("sample_id")["patient_id"]
    owner, patients = pd.factorize(patient_of.reindex(samples), sort=True)
    overlap = _square(sharing, samples)
    limit = options.max_foreign_overlap
    of_sample, of_patient = sexes
    swaps = find_swaps(
        overlap,
        owner,
        of_sample.reindex(samples, fill_value=0).to_numpy(dtype=np.int64),
        of_patient.reindex(patients, fill_value=0).to_numpy(dtype=np.int64),
        limit=limit,
    )
    receptors = _count_receptors(clones, samples)
    clear = {
        swaps.owner[i]
        for i in swaps.partner
        if _belongs(receptors, swaps.owner, i, options.min_swap_share)
    }
    as_recorded = np.where(owner[:, None] == owner, 0.0, overlap)
    as_explained = np.where(swaps.owner[:, None] == swaps.owner, 0.0, overlap)
    rows: list[_Row] = []
    for i, sample in enumerate(samples):
        other = swaps.partner.get(i)
        verdict = "pass" if other is None else "warn"
        if other is not None and not clear.isdisjoint(swaps.owner[[i, other]]):
            verdict = "fail"
        partner = "" if other is None else str(samples[other])
        rows.append((sample, "", "swap", as_recorded[i].max(), limit, verdict, partner))
        top = float(as_explained[i].max())
        verdict = "warn" if top > limit else "pass"
        partner = str(samples[int(as_explained[i].argmax())]) if top > limit else ""
        rows.append((sample, "", "contamination", top, limit, verdict, partner))
    return rows


def _count_receptors(clones: pd.DataFrame, samples: pd.Index) -> sparse.csr_array:
    """Cells of each receptor in each sample, shape (n_samples, n_receptors)."""
    judged = clones[clones["sample_id"].isin(samples)]
    receptor, unique = pd.factorize(judged["clone_key"].str.replace(r"^[^|]*", "", regex=True))
    at = (samples.get_indexer(judged["sample_id"]), receptor)
    shape = (len(samples), len(unique))
    return sparse.coo_array((judged["n_cells"].to_numpy(float), at), shape=shape).tocsr()


def _belongs(receptors: sparse.csr_array, owner: np.ndarray, i: int, min_share: float) -> bool:
    """Whether a sample has enough in common with the others of its patient."""
    siblings = owner == owner[i]
    siblings[i] = False
    own = receptors[[i]].toarray()[0]
    shared = (own > 0) & (receptors[siblings].sum(axis=0) > 0)
    return bool(shared.sum() >= _MIN_SHARED and own[shared].sum() >= min_share * own.sum())


def _square(sharing: pd.DataFrame, samples: pd.Index) -> np.ndarray:
    """Overlap of each sample with each, 0 where there is no pair."""
    rows, columns = (samples.get_indexer(sharing[f"sample_id_{i}"]) for i in (1, 2))
    is_judged = (rows >= 0) & (columns >= 0)
    rows, columns = rows[is_judged], columns[is_judged]
    overlap = np.zeros((len(samples), len(samples)))
    overlap[rows, columns] = sharing["morisita_horn"].to_numpy(dtype=float)[is_judged]
    return np.maximum(overlap, overlap.T)


def _place_counts(sex_counts: pd.DataFrame, layout: pd.DataFrame) -> pd.DataFrame:
    """The counts with `sample_id` and `patient_id`; of samples in the layout only."""
    of_one = layout.drop_duplicates("library_id", keep=False)
    only = sex_counts["library_id"].map(of_one.set_index("library_id")["sample_id"])
    numbers = dict.fromkeys(("female", "male"), "int64")  # of no library they are texts
    counts = sex_counts.assign(sample_id=sex_counts["sample_id"].fillna(only)).astype(numbers)
    places = layout[["library_id", "sample_id", "patient_id"]]
    return counts.merge(places, on=["library_id", "sample_id"])


def _sexes(sex_counts: pd.DataFrame, participants: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Sex of each sample by its counts and of each patient as recorded, 0 where not known."""
    counts = sex_counts.groupby("sample_id")[["female", "male"]].sum()
    n_counts = counts.sum(axis=1)
    share = counts["female"] / n_counts.clip(lower=1)
    called = (share >= _CLEAR_SEX).astype("int64") - (share <= 1 - _CLEAR_SEX).astype("int64")
    recorded = participants.set_index("patient_id")["sex"].map(_SEX_CODES).fillna(0)
    return called.where(n_counts >= _MIN_SEX_COUNTS, 0), recorded.astype("int64")


def _check_sex(sex_counts: pd.DataFrame, participants: pd.DataFrame) -> list[_Row]:
    table = sex_counts[sex_counts["female"] + sex_counts["male"] >= _MIN_SEX_COUNTS]
    table = table.assign(share=table["female"] / (table["female"] + table["male"]))
    recorded = participants.set_index("patient_id")["sex"]
    rows: list[_Row] = []
    for patient, found in table.groupby("patient_id"):
        sex = recorded.get(patient)
        expected = sex if sex in _SEX_CODES else _expect_sex(found["share"])
        for row in found.itertuples():
            agreeing = {"female": row.share, "male": 1 - row.share}.get(str(expected))
            if agreeing is None and expected != _DISCORDANT:
                continue
            verdict = "pass" if agreeing and agreeing >= _CLEAR_SEX else "warn"
            verdict = "fail" if not agreeing or agreeing < 1 - _CLEAR_SEX else verdict
            rows.append((row.sample_id, row.library_id, "sex", row.share, _CLEAR_SEX, verdict, ""))
    return rows


def _expect_sex(shares: pd.Series) -> str:
    """Sex of a patient without record by most libraries; empty where there is nothing to compare.

    Discordant when as many libraries are clearly female as are clearly male.
    """
    n_female, n_male = int((shares >= _CLEAR_SEX).sum()), int((shares <= 1 - _CLEAR_SEX).sum())
    if n_female + n_male < 2:
        return ""
    if n_female == n_male:
        return _DISCORDANT
    return "female" if n_female > n_male else "male"


def _check_join_rates(layout: pd.DataFrame, reports: Mapping[str, Mapping[str, Any]]) -> list[_Row]:
    rows: list[_Row] = []
    for row in layout.itertuples():
        rate = reports.get(str(row.library_id), {}).get("join_rate")
        if rate is not None:
            limit = _CLEAR_JOIN_RATE
            verdict = "pass" if rate >= limit else "warn"
            rows.append((row.sample_id, row.library_id, "join_rate", rate, limit, verdict, ""))
    return rows
