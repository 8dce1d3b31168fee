"""Is each sample of the patient it is said to be of? Receptors, sex genes, and joining barcodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiaim_sc.integrate import SEX_GENES
from hiaim_sc.names import RELEASE_TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hiaim_sc.config import IdentityOptions

_MIN_SEX_COUNTS = 20
_CLEAR_SEX = 0.8


def count_sex_genes(gene_stats: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Counts of XIST and of Y genes per library: ``library_id female male total``.

    Parameters
    ----------
    gene_stats
        Gene statistics by library_id.
    """
    rows = [
        (
            library_id,
            *(
                int(stats.loc[stats["symbol"].isin(genes), "sum"].sum())
                for genes in SEX_GENES.values()
            ),
            int(stats["sum"].sum()),
        )
        for library_id, stats in sorted(gene_stats.items())
    ]
    return pd.DataFrame(rows, columns=["library_id", *SEX_GENES, "total"])


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
        As `count_sex_genes` returns them.
    layout
        Sample of each library.
    participants
        ``patient_id sex``; sex female or male, missing where not recorded.
    reports
        What ingest reported by library_id, for the join rate.
    options
        Thresholds.

    Returns
    -------
    A row per sample (or library) and check. ``swap``: the highest Morisita-Horn overlap with
    another patient's sample, against ``max_foreign_overlap``; fail with that sample as
    ``partner`` when it is also higher than the overlap with every own sample. ``contamination``:
    the same, warn, where own samples overlap more. ``sex``: share of sex-gene counts on XIST;
    fail when it contradicts the recorded sex. ``join_rate``: as ingest gated it.
    """
    rows = [
        *_check_sharing(sharing, clones, options),
        *_check_sex(sex_counts, layout, participants),
        *_check_join_rates(layout, reports),
    ]
    columns = list(RELEASE_TABLES["identity_checks"])
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(["check", "sample_id", "library_id"], ignore_index=True)


def _check_sharing(
    sharing: pd.DataFrame, clones: pd.DataFrame, options: IdentityOptions
) -> list[tuple[Any, ...]]:
    depth = clones.groupby("sample_id")["n_cells"].sum()
    judged = set(depth.index[depth >= options.min_cells])
    pairs = sharing[sharing["sample_id_1"].isin(judged) & sharing["sample_id_2"].isin(judged)]
    mirrored = pairs.rename(columns={"sample_id_1": "sample_id_2", "sample_id_2": "sample_id_1"})
    both = pd.concat([pairs, mirrored], ignore_index=True)
    limit = options.max_foreign_overlap
    rows = []
    for sample in sorted(judged):
        mine = both[both["sample_id_1"] == sample]
        own = mine[mine["same_patient"]]["morisita_horn"].max() if len(mine) else np.nan
        foreign = mine[~mine["same_patient"]].sort_values(
            ["morisita_horn", "sample_id_2"], ascending=[False, True]
        )
        top = float(foreign["morisita_horn"].iloc[0]) if len(foreign) else 0.0
        partner = str(foreign["sample_id_2"].iloc[0]) if len(foreign) else ""
        is_high = top > limit
        is_swap = is_high and not (own >= top)
        verdict = "fail" if is_swap else "pass"
        rows.append((sample, "", "swap", top, limit, verdict, partner if is_swap else ""))
        verdict = "warn" if is_high and not is_swap else "pass"
        named = partner if verdict == "warn" else ""
        rows.append((sample, "", "contamination", top, limit, verdict, named))
    return rows


def _check_sex(
    sex_counts: pd.DataFrame, layout: pd.DataFrame, participants: pd.DataFrame
) -> list[tuple[Any, ...]]:
    table = sex_counts.merge(layout[["library_id", "sample_id", "patient_id"]], on="library_id")
    table = table.merge(participants, on="patient_id", how="left")
    rows = []
    for row in table.itertuples():
        n_counts = row.female + row.male
        if n_counts < _MIN_SEX_COUNTS or row.sex not in SEX_GENES:
            continue
        share = row.female / n_counts
        expected = share if row.sex == "female" else 1 - share
        verdict = (
            "fail" if expected < 1 - _CLEAR_SEX else "warn" if expected < _CLEAR_SEX else "pass"
        )
        rows.append((row.sample_id, row.library_id, "sex", share, _CLEAR_SEX, verdict, ""))
    return rows


def _check_join_rates(
    layout: pd.DataFrame, reports: Mapping[str, Mapping[str, Any]]
) -> list[tuple[Any, ...]]:
    rows = []
    for row in layout.itertuples():
        rate = reports.get(str(row.library_id), {}).get("join_rate")
        if rate is not None:
            verdict = "pass" if rate >= _CLEAR_SEX else "warn"
            rows.append((row.sample_id, row.library_id, "join_rate", rate, _CLEAR_SEX, verdict, ""))
    return rows
