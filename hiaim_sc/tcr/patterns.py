"""Which tissues a clone is in at a visit, and what became of the cells from visit to visit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hiaim_sc.names import RELEASE_TABLES, TRACKING_CLASSES
from hiaim_sc.stats import detection_limit

if TYPE_CHECKING:
    from collections.abc import Sequence

_VISIT: Final = ["patient_id", "visit"]
_PAIR: Final = ["patient_id", "tissue", "visit_from", "visit_to"]
_TEXT: Final = (*_VISIT, *_PAIR, "clone_key", "pattern", "class")
_FRACTIONS: Final = ("frac_from", "frac_to", "unseen_below")


def pattern_clones(clones: pd.DataFrame, visits: Sequence[str]) -> pd.DataFrame:
    """Each clone of tumour or blood at a visit: the release table ``clone_patterns``.

    Of visits at which the patient has cells of both tissues, in resting samples and cells that pass
    QC; without the other tissue a pattern cannot be told. Other tissues have no say. Counts are as
    they are: a clone that is not seen in a tissue can be there below its detection limit.

    Parameters
    ----------
    clones
        As `tabulate_clones` returns them.
    visits
        In the order of the design.

    Returns
    -------
    pandas.DataFrame
        `pattern` is ``tumor_singleton`` (one cell in the tumour, none in blood),
        ``tumor_expanded`` (two or more, none in blood), ``dual_expanded`` (two or more in both),
        ``shared`` (in both otherwise) or ``blood_only``. ``depth``: all cells with a clone. Sorted
        by patient, visit (design's order) and clone.

    References
    ----------
    After Wu et al. 2020, doi:10.1038/s41586-020-2056-8, whose second tissue is normal adjacent.
    """
    is_counted = (clones["session_phase"] == "rest") & (clones["n_cells_qc"] > 0)
    found = clones.loc[is_counted, [*_VISIT, "clone_key", "tissue", "n_cells_qc"]]
    for tissue in ("tumor", "blood"):
        found[f"n_{tissue}"] = found["n_cells_qc"].where(found["tissue"] == tissue, 0)
    found = found[found["tissue"].isin(["tumor", "blood"])]
    table = found.groupby([*_VISIT, "clone_key"], as_index=False)[["n_tumor", "n_blood"]].sum()
    depth = table.groupby(_VISIT)[["n_tumor", "n_blood"]].transform("sum")
    table["depth_tumor"], table["depth_blood"] = depth["n_tumor"], depth["n_blood"]
    table = table[(depth > 0).all(axis=1)]
    if table.empty:
        return _empty_table("clone_patterns")
    table = table.assign(pattern=_classify(table["n_tumor"], table["n_blood"]))
    order = {visit: i for i, visit in enumerate(visits)}
    table = table.sort_values(
        [*_VISIT, "clone_key"],
        key=lambda column: column.map(order) if column.name == "visit" else column,
        ignore_index=True,
    )
    return table[list(RELEASE_TABLES["clone_patterns"])]


def _classify(n_tumor: pd.Series, n_blood: pd.Series) -> pd.Series:
    masks = {
        "blood_only": n_tumor == 0,
        "tumor_singleton": (n_tumor == 1) & (n_blood == 0),
        "tumor_expanded": n_blood == 0,
        "dual_expanded": (n_tumor >= 2) & (n_blood >= 2),
    }
    names = np.select([np.asarray(m) for m in masks.values()], list(masks), default="shared")
    return pd.Series(names, index=n_tumor.index, dtype="str")


def summarise_turnover(tracking: pd.DataFrame) -> pd.DataFrame:
    r"""What became of the cells between two visits: the release table ``clone_turnover``.

    Parameters
    ----------
    tracking
        As `track_clones` returns it.

    Returns
    -------
    pandas.DataFrame
        A row per patient, tissue, pair of visits and class, with the clones of the class, their
        cells and share of all cells with a clone at each visit; over the classes the shares add up
        to 1. ``unseen_below`` is, for novel clones, the upper 95 % bound :math:`1 - 0.05^{1/n}` of
        each one's frequency at the earlier visit of n cells, and for lost ones at the later: new is
        what was not seen, not what was not there. In the order of `tracking`, then of the classes.
    """
    if tracking.empty:
        return _empty_table("clone_turnover")
    pairs = tracking[[*_PAIR, "depth_from", "depth_to"]].drop_duplicates()
    rows = pairs.merge(pd.DataFrame({"class": TRACKING_CLASSES}, dtype="str"), how="cross")
    counts = tracking.groupby([*_PAIR, "class"], as_index=False).agg(
        n_clones=("clone_key", "size"), n_from=("n_from", "sum"), n_to=("n_to", "sum")
    )
    rows = rows.merge(counts, on=[*_PAIR, "class"], how="left", validate="one_to_one")
    numbers = ["n_clones", "n_from", "n_to"]
    rows[numbers] = rows[numbers].fillna(0).astype(np.int64)
    rows["frac_from"] = rows["n_from"] / rows["depth_from"]
    rows["frac_to"] = rows["n_to"] / rows["depth_to"]
    unseen_in = rows["depth_from"].where(rows["class"] == "novel")
    unseen_in = unseen_in.mask(rows["class"] == "lost", rows["depth_to"])
    rows["unseen_below"] = unseen_in.map(detection_limit, na_action="ignore")
    return rows[list(RELEASE_TABLES["clone_turnover"])]


def _empty_table(name: str) -> pd.DataFrame:
    dtypes = dict.fromkeys(_TEXT, "str") | dict.fromkeys(_FRACTIONS, "float64")
    return pd.DataFrame(
        {column: pd.Series(dtype=dtypes.get(column, "int64")) for column in RELEASE_TABLES[name]}
    )
