"""Clones held against databases of receptors with known antigens."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hiaim_sc.names import MATCH_LEVELS, RELEASE_TABLES, STRONG_MATCH_LEVELS
from hiaim_sc.study import agree_hla
from hiaim_sc.tcr.databases.genes import spell_gene
from hiaim_sc.tcr.databases.similar import find_similar

if TYPE_CHECKING:
    from hiaim_sc.config import DatabaseOptions

MATCH_COLUMNS: Final = (
    *RELEASE_TABLES["database_matches"],
    "patient_id",
    "is_strong",
    "bystander",
    "hla_match",
    "mhc",
    "score",
    "n_records",
)
_SAME: Final = ["database", "epitope", "antigen", "organism"]
_CHAINS: Final = ["v_call_1", "junction_aa_1", "v_call_2", "junction_aa_2"]
_BESIDE_BETA: Final = ("v_call_1", "junction_aa_1", "v_call_2")
_AGREEMENT: Final = ("yes", "unknown", "no")


def match_databases(
    clones: pd.DataFrame, records: pd.DataFrame, hla: pd.DataFrame, options: DatabaseOptions
) -> pd.DataFrame:
    """Release table ``database_matches``: a row per clone and epitope of a database.

    `match_level` is the closest of: ``pair``, both junctions (amino acids) and V genes are the
    same; ``VDJ+V``, junction and V of the beta chain; ``VDJ``, its junction alone; ``similar``,
    beta chains of one V gene and length that differ in one place; ``VJ+V``, junction and V of the
    alpha chain. The last three are weak: many people share short or alpha junctions whatever they
    recognise. Alpha chains of MAIT and iNKT are shared by all, so they are not matched by it.

    Parameters
    ----------
    clones
        Release table `clones`.
    records
        As `hiaim_sc.tcr.databases.pool_databases` returns them.
    hla
        `patient_id hla`; alleles separated by commas.
    options
        Whether similar beta chains are matched.

    Returns
    -------
    pandas.DataFrame
        `MATCH_COLUMNS`, sorted. `n_cells`: of the clone, in all libraries; `is_strong`: pair or
        VDJ+V; `bystander`: CMV, EBV, influenza or empty; `hla_match`: whether the patient has the
        HLA of a record at this level: yes, unknown (not typed, or not said) or no; `n_records`:
        records at this level.
    """
    known = _describe(clones)
    pairs = _match(known, records, options)
    pairs = pairs.merge(known[["clone_key", "patient_id", "n_cells"]], on="clone_key")
    described = records[[*_SAME, "mhc", "score", "n_records"]].reset_index(names="record")
    pairs = _keep_closest(pairs.merge(described, on="record"))
    table = _summarise(pairs.assign(agreement=_judge_hla(pairs, hla)))
    table["bystander"] = name_bystanders(table["organism"])
    table["is_strong"] = table["match_level"].isin(STRONG_MATCH_LEVELS)
    return table.sort_values(["clone_key", *_SAME], ignore_index=True)[list(MATCH_COLUMNS)]


def name_bystanders(organisms: pd.Series) -> pd.Series:
    """The common virus that an organism is, CMV, EBV or influenza; else empty."""
    source = files("hiaim_sc.tcr.databases") / "bystanders.tsv"
    with source.open(encoding="utf-8") as handle:
        viruses = pd.read_csv(handle, sep="\t", dtype="str")
    named = pd.Series("", index=organisms.index, dtype="str")
    for virus in viruses.itertuples():
        is_it = organisms.str.contains(virus.pattern, case=False, na=False)
        named = named.mask(is_it & (named == ""), str(virus.virus))
    return named


def _describe(clones: pd.DataFrame) -> pd.DataFrame:
    """A row per clone: its chains, patient, cells over all libraries."""
    n_cells = clones.groupby("clone_key")["n_cells"].sum()
    known = clones.drop_duplicates("clone_key")[["clone_key", "patient_id", *_CHAINS, "invariant"]]
    spelt = {f"v_call_{arm}": spell_gene(known[f"v_call_{arm}"]) for arm in (1, 2)}
    return known.assign(**spelt, n_cells=known["clone_key"].map(n_cells)).reset_index(drop=True)


def _match(clones: pd.DataFrame, records: pd.DataFrame, options: DatabaseOptions) -> pd.DataFrame:
    """`clone_key record level`: each clone, position of a record, and the closest level."""
    found = [_match_beta(clones, records), _match_alpha(clones, records)]
    if options.similar:
        found.append(_match_similar(clones, records))
    pairs = pd.concat(found, ignore_index=True)
    return pairs.groupby(["clone_key", "record"], as_index=False)["level"].min()


def _match_beta(clones: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame:
    pairs = _join(clones, records, ["junction_aa_2"])
    same = {
        name: (pairs[f"{name}_x"] == pairs[f"{name}_y"]).to_numpy(bool) for name in _BESIDE_BETA
    }
    is_pair = same["v_call_2"] & same["v_call_1"] & same["junction_aa_1"]
    level = np.select(
        [is_pair, same["v_call_2"]],
        [MATCH_LEVELS.index("pair"), MATCH_LEVELS.index("VDJ+V")],
        default=MATCH_LEVELS.index("VDJ"),
    )
    return pairs[["clone_key", "record"]].assign(level=level)


def _match_alpha(clones: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame:
    varied = clones[clones["invariant"].fillna("") == ""]
    pairs = _join(varied, records, ["v_call_1", "junction_aa_1"])
    return pairs[["clone_key", "record"]].assign(level=MATCH_LEVELS.index("VJ+V"))


def _match_similar(clones: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame:
    beta = ["v_call_2", "junction_aa_2"]
    mine, theirs = (t[beta].dropna().drop_duplicates(ignore_index=True) for t in (clones, records))
    i, j = find_similar(mine["junction_aa_2"], theirs["junction_aa_2"])
    near = pd.concat(
        [mine.take(i).reset_index(drop=True), theirs.take(j).reset_index(drop=True)], axis=1
    ).set_axis(["v_call_2", "junction_aa_2", "their_v", "their_junction"], axis=1)
    near = near[near["v_call_2"] == near["their_v"]]
    pairs = clones[["clone_key", *beta]].merge(near, on=beta)
    known = (
        records[beta].set_axis(["their_v", "their_junction"], axis=1).reset_index(names="record")
    )
    pairs = pairs.merge(known, on=["their_v", "their_junction"])
    return pairs[["clone_key", "record"]].assign(level=MATCH_LEVELS.index("similar"))


def _join(clones: pd.DataFrame, records: pd.DataFrame, on: list[str]) -> pd.DataFrame:
    left = clones[["clone_key", *_CHAINS]].dropna(subset=on)
    right = records[_CHAINS].reset_index(names="record").dropna(subset=on)
    return left.merge(right, on=on)


def _keep_closest(pairs: pd.DataFrame) -> pd.DataFrame:
    """Of each clone and epitope the records at the closest level."""
    closest = pairs.groupby(["clone_key", *_SAME], dropna=False)["level"].transform("min")
    return pairs[pairs["level"] == closest].reset_index(drop=True)


def _judge_hla(pairs: pd.DataFrame, hla: pd.DataFrame) -> np.ndarray:
    """(n_pairs,) position in `_AGREEMENT`."""
    own = pairs["patient_id"].map(hla.set_index("patient_id")["hla"])
    cases = pd.DataFrame({"own": own, "mhc": pairs["mhc"]}).astype(object).fillna("")
    number = cases.groupby(["own", "mhc"], sort=False).ngroup().to_numpy()
    first = cases.assign(number=number).drop_duplicates("number")
    judged = [_AGREEMENT.index(agree_hla(row.own, row.mhc)) for row in first.itertuples()]
    return np.array(judged, dtype=np.int64)[number]


def _summarise(pairs: pd.DataFrame) -> pd.DataFrame:
    keys = ["clone_key", *_SAME]
    score = pd.to_numeric(pairs["score"], errors="coerce")
    grouped = pairs.assign(score=score).groupby(keys, dropna=False, as_index=False, sort=False)
    table = grouped.agg(
        patient_id=("patient_id", "first"),
        n_cells=("n_cells", "first"),
        level=("level", "first"),
        score=("score", "max"),
        n_records=("n_records", "sum"),
        agreement=("agreement", "min"),
    )
    mhc = pairs[[*keys, "mhc"]].dropna(subset="mhc").drop_duplicates().sort_values([*keys, "mhc"])
    mhc = mhc.groupby(keys, dropna=False)["mhc"].agg("; ".join).reset_index()
    table = table.merge(mhc, on=keys, how="left")
    return table.assign(
        match_level=np.array(MATCH_LEVELS, dtype=object)[table["level"].to_numpy(int)],
        hla_match=np.array(_AGREEMENT, dtype=object)[table["agreement"].to_numpy(int)],
    )
