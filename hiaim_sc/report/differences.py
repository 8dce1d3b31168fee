"""What changed between two releases, and why."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from hiaim_sc.errors import Fault, UserInputError
from hiaim_sc.names import RELEASE_TABLES
from hiaim_sc.storage import read_payload

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PLACE = ("patient_id", "tissue", "visit", "session_phase", "endpoint")
# Table -> columns that name a row, and columns whose change is told row by row.
_TOLD = {
    "libraries_qc": (("library_id",), ("verdict", "reason", "n_cells_kept")),
    "identity_checks": (("sample_id", "library_id", "check", "partner"), ("verdict",)),
    "endpoints": (_PLACE, ("value", "reason_missing")),
    "comparisons": (
        ("endpoint", "tissue", "visit", "session_phase", "contrast"),
        ("estimate", "p_perm", "p_adj", "reason_empty", "blinded"),
    ),
}
_ABSENT = ""


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same in both releases.

    Attributes
    ----------
    where
        ``inputs``, ``config``, ``plan``, ``code``, ``versions``, ``quarantined``, ``let_in``,
        ``why`` (what was computed for the later one), or a table.
    item
        What it is.
    before, after
        As text; empty where it is not there.
    """

    where: str
    item: str
    before: str
    after: str


def compare_releases(before: Path, after: Path) -> list[Difference]:
    """Every difference of two releases' inputs, settings, code and tables.

    Tables of samples and endpoints are told row by row, the others by their number of rows.

    Raises
    ------
    UserInputError
        When one of the folders is no release.
    """
    old, new = _read_manifest(before), _read_manifest(after)
    found = []
    for where in ("inputs", "config", "versions", "quarantined", "let_in"):
        found += _compare(where, _flatten(old.get(where, {})), _flatten(new.get(where, {})))
    found += _compare("plan", {"hash": old["plan_hash"]}, {"hash": new["plan_hash"]})
    found += _compare("plan", {"blinded": str(old["blinded"])}, {"blinded": str(new["blinded"])})
    found += _compare("code", _flatten(old["code"]), _flatten(new["code"]))
    for table in RELEASE_TABLES:
        found += _compare_tables(table, _read_table(before, table), _read_table(after, table))
    reasons = Counter(t["why"] for t in new["tasks"] if t["status"] == "recomputed")
    found += [Difference("why", why, "", f"{n} stages") for why, n in sorted(reasons.items())]
    return found


def _read_manifest(release: Path) -> dict[str, Any]:
    path = release / "manifest.json"
    if not path.is_file():
        allowed = "the folder of a release, with its manifest.json"
        raise UserInputError([Fault("command line", 0, "RELEASE", str(release), allowed)])
    manifest = json.loads(path.read_text(encoding="utf-8"))
    if "purged" in manifest:
        allowed = (
            f"a release that is whole; this one was emptied by a purge on {manifest['purged']}"
        )
        raise UserInputError([Fault("command line", 0, "RELEASE", str(release), allowed)])
    return manifest


def _read_table(release: Path, name: str) -> pd.DataFrame:
    path = release / "tables" / f"{name}.parquet"
    return read_payload(path) if path.is_file() else pd.DataFrame()


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            flat |= _flatten(value, f"{name}.")
        else:
            flat[name] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return flat


def _compare(where: str, before: Mapping[str, str], after: Mapping[str, str]) -> list[Difference]:
    return [
        Difference(where, key, before.get(key, _ABSENT), after.get(key, _ABSENT))
        for key in sorted({*before, *after})
        if before.get(key, _ABSENT) != after.get(key, _ABSENT)
    ]


def _compare_tables(name: str, before: pd.DataFrame, after: pd.DataFrame) -> list[Difference]:
    rows = _compare(name, {"rows": str(len(before))}, {"rows": str(len(after))})
    keys, values = _TOLD.get(name, ((), ()))
    if not keys:
        return rows
    return rows + _compare(name, _cells(before, keys, values), _cells(after, keys, values))


def _cells(table: pd.DataFrame, keys: tuple[str, ...], values: tuple[str, ...]) -> dict[str, str]:
    """``<key>: <column>`` of each row: value as text, numbers to six digits."""
    columns = [name for name in values if name in table]
    return {
        f"{' '.join(_show(row[key]) for key in keys if _show(row[key]))}: {name}": _show(row[name])
        for row in table.to_dict("records")
        for name in columns
    }


def _show(value: object) -> str:
    if pd.isna(value):
        return _ABSENT
    return f"{value:.6g}" if isinstance(value, float) else str(value)
