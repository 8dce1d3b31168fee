"""How well the batches mix and the cell types stay apart, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hiaim_sc.report import views
from hiaim_sc.report.formats import format_amount, format_count, format_names, format_number
from hiaim_sc.report.values import read_number, read_text

if TYPE_CHECKING:
    import pandas as pd

_GROUPS: Final = {"batch": "batches", "patient": "patients", "cell_type": "cell types"}
_STATES: Final = ("before", "after")


def describe_mixing(metrics: pd.DataFrame, clusters: pd.DataFrame) -> list[str]:
    """What the integration did, in sentences; none where no cell was embedded.

    Parameters
    ----------
    metrics, clusters
        Release tables `integration_metrics` and `cluster_composition`.
    """
    rows = [row for row in metrics.to_dict("records") if read_number(row["n_cells"]) > 1]
    if not rows:
        return []
    reason = read_text(rows[0]["reason_not_integrated"])
    told = [f"The cells were not integrated: {reason}."] if reason else []
    told.append(_describe_index(rows, is_integrated=not reason))
    told += [_describe_dominated(clusters, level) for level in ("patient", "batch")]
    return [sentence for sentence in told if sentence]


def _describe_index(rows: list[dict[str, object]], *, is_integrated: bool) -> str:
    told = []
    for row in rows:
        n_groups = read_number(row["n_groups"])
        before, after = (format_number(read_number(row[name]), digits=2) for name in _STATES)
        if n_groups > 1:
            found = f"{before} and {after}" if is_integrated else before
            told.append(f"{found} of {format_count(n_groups)} {_GROUPS[str(row['level'])]}")
    when = " before and after the integration" if is_integrated else ""
    what = f"How many groups a cell's nearest neighbours are effectively of{when} (median LISI)"
    return f"{what}: {format_names(told)}." if told else ""


def _describe_dominated(clusters: pd.DataFrame, level: str) -> str:
    of_level = clusters[clusters["level"] == level]
    found = of_level[of_level["is_dominated"].astype(bool)]
    if of_level.empty or (of_level["share_of_all"].astype(float) >= 1).all():
        return ""
    if found.empty:
        return f"No cluster is dominated by one {level}."
    names = [f"{row.leiden} ({row.largest})" for row in found.itertuples()]
    were = "is" if len(found) == 1 else "are"
    amount = format_amount(len(found), "cluster", "clusters")
    return (
        f"{amount} of {len(of_level)} {were} dominated by one {level}: {format_names(names)}; what"
        f" such a cluster shows may be that {level}'s alone."
    )


def view_dominated(clusters: pd.DataFrame) -> views.View:
    """The clusters that one patient or batch dominates."""
    rows = clusters[clusters["is_dominated"].astype(bool)]
    return views.view_table(
        rows.drop(columns="is_dominated"), "Clusters dominated by one patient or batch."
    )
