"""One number per patient, tissue and visit. No arm is known here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiaim_sc.compare.clonal import (
    called_clones,
    choose_depth,
    count_clones,
    dual_expanded,
    expanded_clones,
    expanded_fraction,
)
from hiaim_sc.compare.composition import FRACTIONS, count_fraction
from hiaim_sc.compare.measurements import measure_analytes
from hiaim_sc.compare.samples import PLACE, group_cells, locate_samples
from hiaim_sc.names import RELEASE_TABLES
from hiaim_sc.stats import empirical_logit
from hiaim_sc.storage import generator

if TYPE_CHECKING:
    from hiaim_sc.config import CompareOptions, Design

_DUAL_TISSUES = ("tumor", "blood")


@dataclass(frozen=True)
class _Samples:
    """Samples of the study, their cells that pass QC, and the depth of each tissue."""

    located: pd.DataFrame
    cells: dict[str, pd.DataFrame]
    clones: dict[str, pd.Series]
    depth: dict[str, int]
    has_receptors: dict[str, bool]


def measure_endpoints(
    cells: pd.DataFrame,
    expected_samples: pd.DataFrame,
    library_states: pd.DataFrame,
    measurements: pd.DataFrame | None,
    identity: pd.DataFrame,
    *,
    design: Design,
    options: CompareOptions,
) -> pd.DataFrame:
    """The release table ``endpoints``: a value or one reason for every expected sample.

    Parameters
    ----------
    cells
        Release table ``cells``.
    expected_samples, library_states
        Every expected sample and every library.
    measurements
        What was measured otherwise, if anything; it becomes endpoints ``<assay>:<analyte>``.
    identity
        Release table ``identity_checks``; a sample that may be another patient's has no value.
    design
        Visits and tissues.
    options
        Minima, depth and what counts as expanded.

    Returns
    -------
    Columns of the release table and ``scale`` (logit, ln or identity) and ``depth``.
    ``value_analysed`` is ``ln((k + 1/2) / (n - k + 1/2))`` for fractions and ``ln(value + 1/2)``
    for numbers of clones.
    """
    samples = _gather(cells, expected_samples, library_states, identity, options)
    rows = [*_fractions(samples, options), *_clonal(samples, options)]
    rows += _called(samples, design, options)
    rows += _dual(samples, options)
    table = pd.DataFrame(rows)
    if measurements is not None:
        table = pd.concat([table, measure_analytes(measurements, design)], ignore_index=True)
    first = list(RELEASE_TABLES["endpoints"])
    table = table.reindex(columns=[*first, "scale", "depth"])
    table["n_cells"] = table["n_cells"].astype("Int64")
    table["depth"] = table["depth"].astype("Int64")
    order = {visit: i for i, visit in enumerate(design.visits)}
    return table.sort_values(
        ["endpoint", "tissue", "patient_id", "visit", "session_phase"],
        key=lambda column: column.map(order) if column.name == "visit" else column,
        ignore_index=True,
    )


def _gather(
    cells: pd.DataFrame,
    expected: pd.DataFrame,
    states: pd.DataFrame,
    identity: pd.DataFrame,
    options: CompareOptions,
) -> _Samples:
    located = locate_samples(expected, states, identity)
    usable = set(located.loc[located["reason_missing"] == "", "sample_id"])
    by_sample = {name: found for name, found in group_cells(cells) if name in usable}
    clones = {name: count_clones(found) for name, found in by_sample.items()}
    tissue_of = located.dropna(subset="sample_id").set_index("sample_id")["tissue"]
    depth = {
        str(tissue): choose_depth(
            [int(found.sum()) for name, found in clones.items() if tissue_of[name] == tissue],
            options,
        )
        for tissue in located["tissue"].unique()
    }
    has_receptors = cells.groupby("sample_id")["chain_pairing"].agg(lambda c: bool(c.notna().any()))
    return _Samples(located, by_sample, clones, depth, has_receptors.to_dict())


def _row(sample: Any, endpoint: str, **known: Any) -> dict[str, Any]:
    return {
        **{name: getattr(sample, name) for name in PLACE},
        "sample_id": sample.sample_id,
        "endpoint": endpoint,
        "value": np.nan,
        "value_analysed": np.nan,
        "reason_missing": sample.reason_missing,
        **known,
    }


def _fractions(samples: _Samples, options: CompareOptions) -> list[dict[str, Any]]:
    rows = []
    for fraction in FRACTIONS:
        for sample in samples.located[samples.located["tissue"] == fraction.tissue].itertuples():
            known: dict[str, Any] = {"scale": "logit"}
            if sample.reason_missing == "":
                cells = samples.cells.get(sample.sample_id)
                part, whole, enough = (
                    (0, 0, False) if cells is None else count_fraction(cells, fraction, options)
                )
                known |= {"n_cells": whole}
                known |= (
                    {"value": part / whole, "value_analysed": float(empirical_logit(part, whole))}
                    if enough
                    else {"reason_missing": "below_cell_min"}
                )
            rows.append(_row(sample, fraction.name, **known))
    return rows


def _too_shallow(samples: _Samples, sample_id: str, depth: int) -> str:
    """Why a sample has no clonal value at this depth; empty when it has."""
    if not samples.has_receptors.get(sample_id, False):
        return "no_vdj"
    counts = samples.clones.get(sample_id)
    return "below_depth" if counts is None or counts.sum() < depth else ""


def _clonal(samples: _Samples, options: CompareOptions) -> list[dict[str, Any]]:
    rows = []
    for sample in samples.located.itertuples():
        depth = samples.depth[sample.tissue]
        number: dict[str, Any] = {"scale": "ln", "depth": depth}
        share: dict[str, Any] = {"scale": "logit", "depth": depth}
        if sample.reason_missing == "":
            counts = samples.clones.get(sample.sample_id, pd.Series(dtype="int64"))
            reason = _too_shallow(samples, sample.sample_id, depth)
            common = {"n_cells": int(counts.sum()), "reason_missing": reason}
            number |= common
            share |= common
            if not reason:
                found = expanded_clones(counts, depth, options)
                number |= {"value": found, "value_analysed": float(np.log(found + 0.5))}
                fraction = expanded_fraction(counts, depth, options)
                logit = float(empirical_logit(fraction * depth, depth))
                share |= {"value": fraction, "value_analysed": logit}
        rows += [_row(sample, "nexp_m", **number), _row(sample, "expfrac_m", **share)]
    return rows


def _called(samples: _Samples, design: Design, options: CompareOptions) -> list[dict[str, Any]]:
    """Clones called expanded since the baseline; the endpoint stands at the later visit."""
    at = samples.located.set_index(PLACE)
    rows = []
    for sample in samples.located.itertuples():
        if sample.visit == design.baseline:
            continue
        place = (sample.patient_id, sample.tissue, design.baseline, "rest")
        first = at.loc[place] if place in at.index else None
        depth = samples.depth[sample.tissue]
        known: dict[str, Any] = {"scale": "ln", "depth": depth}
        reason = sample.reason_missing or (
            "not_collected" if first is None else first["reason_missing"]
        )
        reason = reason or _too_shallow(samples, sample.sample_id, depth)
        if not reason and first is not None:
            reason = _too_shallow(samples, first["sample_id"], depth)
        known["reason_missing"] = reason
        if not reason and first is not None:
            after, before = samples.clones[sample.sample_id], samples.clones[first["sample_id"]]
            rng = generator("n_called_m", *(str(getattr(sample, name)) for name in PLACE))
            found = called_clones(before, after, depth, options, rng=rng)
            known |= {
                "value": found,
                "value_analysed": float(np.log(found + 0.5)),
                "n_cells": int(after.sum()),
            }
        rows.append(_row(sample, "n_called_m", **known))
    return rows


def _dual(samples: _Samples, options: CompareOptions) -> list[dict[str, Any]]:
    """Clones expanded in tumour and in the blood of the same visit."""
    if not set(_DUAL_TISSUES) <= set(samples.depth):
        return []
    at = samples.located.set_index(PLACE)
    depths = (samples.depth["tumor"], samples.depth["blood"])
    rows = []
    for sample in samples.located[samples.located["tissue"] == "tumor"].itertuples():
        place = (sample.patient_id, "blood", sample.visit, "rest")
        blood = at.loc[place] if place in at.index else None
        reason = sample.reason_missing or (
            "not_collected" if blood is None else blood["reason_missing"]
        )
        reason = reason or _too_shallow(samples, sample.sample_id, depths[0])
        if not reason and blood is not None:
            reason = _too_shallow(samples, blood["sample_id"], depths[1])
        known: dict[str, Any] = {"scale": "logit", "depth": depths[0], "reason_missing": reason}
        if not reason and blood is not None:
            tumour = samples.clones[sample.sample_id]
            rng = generator("blood_tumour_dual", *(str(getattr(sample, n)) for n in PLACE))
            share = dual_expanded(
                tumour,
                samples.clones[blood["sample_id"]],
                depths,
                draws=options.called_draws,
                rng=rng,
            )
            known |= {
                "value": share,
                "value_analysed": float(empirical_logit(share * depths[0], depths[0])),
                "n_cells": int(tumour.sum()),
            }
        rows.append(_row(sample, "blood_tumour_dual", **known))
    return rows
