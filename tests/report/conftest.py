"""A small synthetic release: 8 patients in two arms, blood and tumour, baseline and week 6."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from hiaim_sc.compare import tabulate_repertoires
from hiaim_sc.config import CompareOptions, Design, TcrOptions
from hiaim_sc.names import COARSE_OF_CELL_TYPE, RELEASE_TABLES
from hiaim_sc.report.canvas import render_svg
from hiaim_sc.report.figures import draw_figures
from hiaim_sc.tcr import pattern_clones, summarise_turnover, track_clones

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TISSUES = ("blood", "tumor")
VISITS = ("baseline", "week6")
PATIENTS = tuple(f"P{i:02d}" for i in range(1, 9))
# sample -> why it gave no cells; the third is a library with unusable files
LOST = {
    "P02_tumor_week6": "lesion_unsafe",
    "P05_blood_week6": "died",
    "P05_tumor_week6": "died",
    "P07_tumor_baseline": "failed_qc",
    "P08_tumor_week6": "not_yet_sequenced",
}
TYPES = {
    "blood": {
        "CD4 T": 0.4, "CD8 T": 0.24, "NK CD56dim": 0.1, "NK CD56bright": 0.02, "B": 0.1,
        "monocyte": 0.12, "unassigned": 0.02,
    },
    "tumor": {
        "epithelial": 0.34, "CD8 T": 0.2, "CD4 T": 0.12, "Treg": 0.05, "NK CD56dim": 0.03,
        "macrophage": 0.14, "fibroblast": 0.06, "endothelial": 0.04, "ambiguous": 0.02,
    },
}  # fmt: skip


def make_cells(rng: np.random.Generator, *, n_cells: int = 300) -> pd.DataFrame:
    parts = []
    for patient in PATIENTS:
        for tissue in TISSUES:
            for visit in VISITS:
                sample = f"{patient}_{tissue}_{visit}"
                if sample not in LOST:
                    parts.append(_make_sample(rng, patient, tissue, visit, n_cells))
    cells = pd.concat(parts, ignore_index=True)
    return cells.sort_values(["library_id", "cell_barcode"], ignore_index=True)


def _make_sample(rng, patient, tissue, visit, n_cells):
    n = int(n_cells * rng.uniform(0.6, 1.4))
    types = rng.choice(list(TYPES[tissue]), size=n, p=list(TYPES[tissue].values()))
    reason = rng.choice(
        ["", "low_counts;low_genes", "high_mt", "doublet", "no_gex"],
        size=n,
        p=[0.84, 0.05, 0.04, 0.05, 0.02],
    )
    passed = reason == ""
    is_t = np.isin(types, ["CD8 T", "CD4 T", "Treg"]) & passed & (rng.random(n) < 0.8)
    weights = 1.0 / np.arange(1, 400) ** 0.9
    rank = rng.choice(399, size=n, p=weights / weights.sum())
    coarse = pd.Series(types).map(COARSE_OF_CELL_TYPE).to_numpy()
    lineage = np.where(coarse == "T", pd.Series(types).str.removesuffix(" T"), coarse)
    return pd.DataFrame(
        {
            "library_id": f"L_{patient}_{tissue}_{visit}",
            "cell_barcode": [f"CELL{i:05d}-1" for i in range(n)],
            "sample_id": f"{patient}_{tissue}_{visit}",
            "patient_id": patient,
            "tissue": tissue,
            "visit": visit,
            "session_phase": "rest",
            "total_counts": rng.lognormal(8, 0.4, n).astype(int),
            "n_genes_by_counts": rng.lognormal(7, 0.3, n).astype(int),
            "pct_counts_mt": rng.gamma(4, 1.2, n),
            "doublet_score": rng.random(n),
            "qc_pass": passed,
            "qc_reason": reason,
            "cell_type": np.where(passed, types, ""),
            "cell_type_lineage": np.where(passed, lineage, ""),
            "cell_type_coarse": np.where(passed, coarse, ""),
            "clone_key": [
                f"{patient}|TRA:c{r}|TRB:c{r}" if t else None
                for r, t in zip(rank, is_t, strict=True)
            ],
            "chain_pairing": np.where(is_t, "single pair", "no IR"),
            "invariant": "",
        }
    )


def make_clones(cells: pd.DataFrame) -> pd.DataFrame:
    keys = ["clone_key", "patient_id", "sample_id", "library_id", "tissue", "visit"]
    found = cells[cells["clone_key"].notna()].groupby([*keys, "session_phase"], as_index=False)
    clones = found.size().rename(columns={"size": "n_cells"})
    return clones.assign(
        locus_1="TRA",
        junction_1="TGTGCC",
        locus_2="TRB",
        junction_2="TGTGCA",
        clone_source="paired",
        n_cells_qc=clones["n_cells"],
    )


def make_repertoires(cells: pd.DataFrame) -> pd.DataFrame:
    """Of every expected sample; two are below the depth of blood."""
    places = [(p, t, v) for p in PATIENTS for t in TISSUES for v in VISITS]
    located = pd.DataFrame(places, columns=["patient_id", "tissue", "visit"])
    names = located["patient_id"] + "_" + located["tissue"] + "_" + located["visit"]
    located = located.assign(
        session_phase="rest", sample_id=names, reason_missing=names.map(LOST).fillna("")
    )
    design = Design(
        arms=("control", "exercise"), visits={"baseline": 0, "week6": 42}, tissues=TISSUES
    )
    options = CompareOptions(depth={"blood": 40, "tumor": 30}, diversity_draws=3)
    return tabulate_repertoires(cells, located, design=design, options=options)


def make_sharing(clones: pd.DataFrame) -> pd.DataFrame:
    owner = clones.groupby("sample_id")["patient_id"].first()
    rows = [
        (a, b, owner[a] == owner[b], 40, 0.1, 0.35 if owner[a] == owner[b] else 0.0)
        for i, a in enumerate(owner.index)
        for b in owner.index[i + 1 :]
    ]
    return pd.DataFrame(rows, columns=list(RELEASE_TABLES["sharing"]))


def make_libraries(cells: pd.DataFrame) -> pd.DataFrame:
    found = cells.groupby("library_id")
    table = pd.DataFrame(
        {
            "sample_id": found["sample_id"].first(),
            "batch": found["visit"].first().map({"baseline": "run1", "week6": "run2"}),
            "n_cells_read": found.size(),
            "n_cells_kept": found["qc_pass"].sum(),
            "n_doublets": found["qc_reason"].agg(lambda reasons: (reasons == "doublet").sum()),
            "median_counts": found["total_counts"].median(),
            "median_genes": found["n_genes_by_counts"].median(),
            "pct_mt": found["pct_counts_mt"].median(),
            "ambient_fraction": np.nan,
            "join_rate": 0.97,
            "verdict": "pass",
            "reason": None,
        }
    ).reset_index()
    table.loc[3, ["verdict", "reason"]] = ["warn", "fewer cells than expected"]
    lost = {
        "library_id": "L_P07_tumor_baseline",
        "sample_id": "P07_tumor_baseline",
        "batch": "run1",
        "n_cells_read": 0,
        "n_cells_kept": 0,
        "verdict": "quarantined",
        "reason": "filtered_feature_bc_matrix.h5 is truncated: deliver it again",
    }
    table = pd.concat([table, pd.DataFrame([lost])], ignore_index=True)
    return table.sort_values("library_id", ignore_index=True)


def make_flow() -> pd.DataFrame:
    rows = []
    for tissue in TISSUES:
        for visit in VISITS:
            left = len(PATIENTS)
            for step, reasons in {
                "collected": ("lesion_unsafe", "died"),
                "sequenced": ("not_yet_sequenced",),
                "passed quality control": ("failed_qc",),
            }.items():
                n_in = left
                lost = {
                    reason: sum(
                        sample.endswith(f"{tissue}_{visit}") and why == reason
                        for sample, why in LOST.items()
                    )
                    for reason in reasons
                }
                left -= sum(lost.values())
                found = {reason: n for reason, n in lost.items() if n} or {None: 0}
                group = f"{tissue} {visit}"
                rows += [("sample", step, group, n_in, left, n, why) for why, n in found.items()]
    rows.append(("patient", "enrolled", "all", 8, 8, 0, None))
    return pd.DataFrame(rows, columns=list(RELEASE_TABLES["flow_of_samples"]))


ENDPOINTS = (
    ("blood_nk_frac", "blood", "logit", "blood_composition", 0.17),
    ("nexp_m", "blood", "ln", "blood_clonal", 9.0),
    ("n_called_m", "blood", "ln", "blood_clonal", 3.0),
    ("expfrac_m", "blood", "logit", "blood_clonal", 0.3),
    ("tum_T_frac", "tumor", "logit", "tumour_composition", 0.4),
    ("tum_NK_frac", "tumor", "logit", "tumour_composition", 0.03),
    ("nexp_m", "tumor", "ln", "tumour_clonal", 8.0),
    ("expfrac_m", "tumor", "logit", "tumour_clonal", 0.35),
    ("blood_tumour_dual", "tumor", "logit", "tumour_clonal", 0.2),
    ("clonality_m", "blood", "identity", "other", 0.3),
)


def make_endpoints(rng: np.random.Generator) -> pd.DataFrame:
    rows = []
    for endpoint, tissue, _, _, level in ENDPOINTS:
        for patient in PATIENTS:
            for visit in VISITS:
                sample = f"{patient}_{tissue}_{visit}"
                reason = LOST.get(sample)
                if reason is None and endpoint == "nexp_m" and sample == "P03_tumor_baseline":
                    reason = "below_depth"
                value = np.nan if reason else level * rng.lognormal(0, 0.25)
                rows.append(
                    (patient, sample, tissue, visit, "rest", endpoint, value, value, 210, reason)
                )
    table = pd.DataFrame(rows, columns=list(RELEASE_TABLES["endpoints"]))
    return table.sort_values(["patient_id", "tissue", "visit", "endpoint"], ignore_index=True)


def make_comparisons(*, blinded: bool = False) -> pd.DataFrame:
    estimates = (0.55, 0.62, 0.4, 0.5, 0.1, -0.2, 0.3, 0.15, np.nan, 0.02)
    rows = []
    for (endpoint, tissue, scale, family, _), b in zip(ENDPOINTS, estimates, strict=True):
        n = (4, 3) if tissue == "blood" else (3, 2)
        se = 0.03 if scale == "identity" else 0.21 + 0.1 * (tissue == "tumor")
        p = {0.55: 0.029, 0.62: 0.0286, 0.5: 0.057}.get(b, 0.4) if tissue == "blood" else np.nan
        rows.append(
            {
                "endpoint": endpoint,
                "tissue": tissue,
                "visit": "week6",
                "session_phase": "rest",
                "family": family,
                "gate": "",
                "contrast": "exercise - control",
                "n_reference": n[0],
                "n_treated": n[1],
                "estimate": b,
                "se": se,
                "df": 3.0,
                "ci_low": b - 2.2 * se,
                "ci_high": b + 2.2 * se,
                "scale": scale,
                "p_t": p,
                "p_perm": p,
                "p_adj": p if endpoint == "blood_nk_frac" else 2 * p,
                "effect_g": b / (2 * se),
                "prespecified": False,
                "reason_empty": "too few patients" if np.isnan(b) else None,
                "method": "ancova+permutation",
                "blinded": blinded,
                "alpha": 0.05,
                "p_missing": 1.0,
                "batch_inflation": 1.0,
            }
        )
    return pd.DataFrame(rows)[list(RELEASE_TABLES["comparisons"])]


def make_sensitivity(comparisons: pd.DataFrame) -> pd.DataFrame:
    """nexp_m of blood: two settings, one of them with the other sign, and two patients left out."""
    planned = comparisons[comparisons["endpoint"] == "nexp_m"].iloc[0]
    settings = (
        ("as planned", "", planned["estimate"]),
        ("depth", "m/2", 0.4),
        ("depth", "2m", np.nan),
        ("rho", "0.1", -0.2),
        ("leave one patient out", "P01", 0.3),
        ("leave one patient out", "P02", 0.7),
    )
    rows = [
        {
            **{name: planned[name] for name in ("endpoint", "tissue", "visit", "contrast")},
            **{name: planned[name] for name in ("family", "scale", "n_reference", "blinded")},
            "setting": setting,
            "value": value,
            "estimate": estimate,
            "ci_low": estimate - 0.5,
            "ci_high": estimate + 0.5,
            "p_perm": 0.03 if estimate > 0.35 else 0.4,
            "same_sign": None if np.isnan(estimate) else estimate > 0,
        }
        for setting, value, estimate in settings
    ]
    table = pd.DataFrame(rows).reindex(columns=list(RELEASE_TABLES["sensitivity"]))
    return table.astype({"same_sign": "boolean"})


def make_missing_data(comparisons: pd.DataFrame) -> pd.DataFrame:
    planned = comparisons[comparisons["endpoint"] == "nexp_m"].iloc[0]
    known = {name: planned[name] for name in ("endpoint", "tissue", "visit", "contrast", "scale")}
    known |= {"n_missing": 2, "n_died": 1, "blinded": planned["blinded"]}
    numbers = {"estimate": 0.45, "ci_low": 0.1, "ci_high": 0.8, "p_value": 0.02}
    rows = [
        {**known, "method": "clda", **numbers},
        {**known, "method": "mi", "reason_empty": "too few values to impute from"},
        {**known, "method": "tipping", "delta": -1.25},
    ]
    return pd.DataFrame(rows).reindex(columns=list(RELEASE_TABLES["missing_data"]))


def make_specificity(cells: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    called = cells[cells["clone_key"].notna()].sample(120, random_state=1).sort_index()
    return pd.DataFrame(
        {
            "library_id": called["library_id"],
            "cell_barcode": called["cell_barcode"],
            "clone_key": called["clone_key"],
            "dna_barcode": rng.choice(
                ["GLCTLVAML", "NLVPMVATV", "GILGFVFTL"], 120, p=[0.6, 0.3, 0.1]
            ),
            "n_umi": rng.integers(10, 90, 120),
            "score": 90.0,
            "q_value": 0.01,
            "qc_pass": called["qc_pass"],
        }
    ).reset_index(drop=True)


def make_tables(*, blinded: bool = False) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(7)
    cells = make_cells(rng)
    clones = make_clones(cells)
    tables = {name: pd.DataFrame(columns=list(columns)) for name, columns in RELEASE_TABLES.items()}
    comparisons = make_comparisons(blinded=blinded)
    tracking = track_clones(clones, VISITS, TcrOptions())
    return tables | {
        "cells": cells,
        "clones": clones,
        "clone_tracking": tracking,
        "clone_turnover": summarise_turnover(tracking),
        "clone_patterns": pattern_clones(clones, VISITS),
        "repertoires": make_repertoires(cells),
        "sharing": make_sharing(clones),
        "libraries_qc": make_libraries(cells),
        "flow_of_samples": make_flow(),
        "endpoints": make_endpoints(rng),
        "comparisons": comparisons,
        "sensitivity": make_sensitivity(comparisons),
        "missing_data": make_missing_data(comparisons),
        "specificity": make_specificity(cells, rng),
    }


def make_points(cells: pd.DataFrame) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    kept = cells[cells["qc_pass"]].reset_index(drop=True)
    names = sorted(COARSE_OF_CELL_TYPE)
    angle = kept["cell_type"].map({name: i for i, name in enumerate(names)}) * 2.399
    shift = kept["visit"].map({"baseline": 0.0, "week6": 0.4})
    return pd.DataFrame(
        {
            "umap_1": 4 * np.cos(angle) * np.sqrt(angle) / 3
            + rng.normal(0, 0.6, len(kept))
            + shift,
            "umap_2": 4 * np.sin(angle) * np.sqrt(angle) / 3 + rng.normal(0, 0.6, len(kept)),
            "cell_type": kept["cell_type"],
            "tissue": kept["tissue"],
            "batch": kept["visit"].map({"baseline": "run1", "week6": "run2"}),
        }
    )


@pytest.fixture(scope="session")
def tables() -> dict[str, pd.DataFrame]:
    """Every release table; treat them as read-only."""
    return make_tables()


@pytest.fixture(scope="session")
def drawn(tables: dict[str, pd.DataFrame], points: pd.DataFrame) -> dict[str, Figure]:
    """Every figure of that release."""
    return dict(draw_figures(tables, points, tissues=TISSUES, visits=VISITS))


@pytest.fixture(scope="session")
def pictures(drawn: dict[str, Figure]) -> dict[str, bytes]:
    """The same as SVG."""
    return {name: render_svg(figure) for name, figure in drawn.items()}


@pytest.fixture(scope="session")
def points(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """UMAP positions of the cells that pass."""
    return make_points(tables["cells"])
