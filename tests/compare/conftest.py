"""Builders of small tables of cells, samples and libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from hiaim_sc.config import CompareOptions, Design, Options, StudyConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def build_cells(
    library_id: str,
    sample_id: str,
    coarse: Mapping[str, int],
    clones: Sequence[int] = (),
    *,
    vdj: bool = True,
    gex: bool = True,
) -> pd.DataFrame:
    """Cells of a library: so many of each compartment; the first T are CD8, clone after clone."""
    types = [name for name in sorted(coarse, reverse=True) for _ in range(coarse[name])]
    types.sort(key=lambda name: name != "T")
    keys = [f"{sample_id[:2]}:{i:03d}" for i, size in enumerate(clones) for _ in range(size)]
    keys += [None] * (len(types) - len(keys))
    has_clone = pd.Series(keys).notna()
    return pd.DataFrame(
        {
            "library_id": library_id,
            "cell_barcode": [f"{library_id}-{i:05d}" for i in range(len(types))],
            "sample_id": sample_id,
            "patient_id": sample_id[:2],
            "tissue": "",
            "total_counts": pd.array([1000 if gex else None] * len(types), dtype="Int64"),
            "qc_pass": True,
            "qc_reason": "",
            "cell_type_lineage": [
                "CD8" if k and gex else t for k, t in zip(keys, types, strict=True)
            ],
            "cell_type": ["CD8 T" if k and gex else t for k, t in zip(keys, types, strict=True)],
            "cell_type_coarse": types,
            "clone_key": pd.Series(keys, dtype="str"),
            "chain_pairing": pd.Series("single pair", range(len(types)), dtype="str").where(
                has_clone & vdj
            ),
            "invariant": "",
        }
    )


def build_expected(rows: Sequence[tuple[str, ...]]) -> pd.DataFrame:
    """Expected samples from ``(patient, visit, tissue[, status[, phase]])``."""
    columns = ["patient_id", "visit", "tissue", "status", "session_phase"]
    full = [(*row, *("collected", "rest")[len(row) - 3 :]) for row in rows]
    table = pd.DataFrame(full, columns=columns, dtype="str")
    names = [
        f"{p}-{v}-{t}-{f}" for p, v, t, _, f in table[columns].itertuples(index=False, name=None)
    ]
    counted = {"wbc_1e9_per_l": 6.0, "lymphocyte_pct": 30.0}
    counted |= {"days_from_plan": 1.0, "days_since_infusion": 14.0}
    return table.assign(sample_id=pd.Series(names, dtype="str"), reason=None, **counted)


def build_states(samples: Sequence[str], states: Mapping[str, str] | None = None) -> pd.DataFrame:
    """One library per sample, delivered unless said otherwise; its id is the sample's with L."""
    state = [(states or {}).get(name, "delivered") for name in samples]
    return pd.DataFrame(
        {
            "library_id": [f"L{name}" for name in samples],
            "sample_id": list(samples),
            "batch": "B1",
            "state": state,
            "reason": [{"quarantined": "empty file"}.get(name) for name in state],
        }
    ).astype("str")


def build_identity(failed: Sequence[str] = ()) -> pd.DataFrame:
    """Identity checks in which these samples fail the swap check."""
    columns = ["sample_id", "library_id", "check", "statistic", "threshold", "verdict", "partner"]
    rows = [(name, "", "swap", 0.5, 0.01, "fail", "") for name in failed]
    return pd.DataFrame(rows, columns=columns)


def build_config(**design: object) -> StudyConfig:
    """A study of two arms, two visits, blood and tumour, with few draws."""
    known: dict[str, object] = {
        "arms": ("control", "exercise"),
        "visits": {"baseline": 0, "week6": 42},
        "tissues": ("blood", "tumor"),
    }
    options = Options(compare=CompareOptions(n_draws=199))
    return StudyConfig(study="toy", design=Design(**{**known, **design}), options=options)


@pytest.fixture(scope="session")
def make_cells() -> Callable[..., pd.DataFrame]:
    return build_cells


@pytest.fixture(scope="session")
def make_expected() -> Callable[..., pd.DataFrame]:
    return build_expected


@pytest.fixture(scope="session")
def make_states() -> Callable[..., pd.DataFrame]:
    return build_states


@pytest.fixture(scope="session")
def make_identity() -> Callable[..., pd.DataFrame]:
    return build_identity


@pytest.fixture(scope="session")
def make_config() -> Callable[..., StudyConfig]:
    return build_config
