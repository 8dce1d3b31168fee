"""Tables on disk: the same bytes, the declared columns, nothing lost on the way."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiaim_sc.names import RELEASE_TABLES
from hiaim_sc.report.tables import MissingColumnsError, arrange_table, check_tables, write_tables

ALIASES = RELEASE_TABLES["clone_aliases"]


def test_all_tables_are_always_there_with_their_columns(tmp_path):
    write_tables({}, tmp_path / "tables")
    for name, columns in RELEASE_TABLES.items():
        assert (tmp_path / "tables" / f"{name}.tsv").read_text() == "\t".join(columns) + "\n"
        assert tuple(pq.read_schema(tmp_path / "tables" / f"{name}.parquet").names) == columns


def test_same_tables_same_bytes(tables, tmp_path):
    for name in ("a", "b"):
        write_tables({key: table.copy() for key, table in tables.items()}, tmp_path / name)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes(), file.name


def test_values_are_written_as_promised(tmp_path):
    table = pd.DataFrame(
        {
            "extra": [1.0, np.nan],
            "patient_id": ["P1", "P\u00e5"],
            "value": [0.1 + 0.2, np.nan],
            "n_cells": pd.array([3, None], dtype="Int64"),
            "reason_missing": [None, ""],
            "is_new": [True, False],
        }
    )
    missing = {name: "x" for name in RELEASE_TABLES["endpoints"] if name not in table}
    write_tables({"endpoints": table.assign(**missing)}, tmp_path)
    lines = (tmp_path / "endpoints.tsv").read_bytes().decode("utf-8").split("\n")
    assert lines[0].split("\t") == [*RELEASE_TABLES["endpoints"], "extra", "is_new"]
    first, second = (
        dict(zip(lines[0].split("\t"), line.split("\t"), strict=True)) for line in lines[1:3]
    )
    assert (first["value"], first["n_cells"], first["is_new"]) == ("0.3", "3", "True")
    assert (second["value"], second["n_cells"], second["reason_missing"]) == ("", "", "")
    assert second["patient_id"] == "P\u00e5"
    stored = pd.read_parquet(tmp_path / "endpoints.parquet")
    assert stored["value"].iloc[0] == 0.1 + 0.2
    assert stored["reason_missing"].isna().all()


def test_rows_stay_as_given(tmp_path):
    table = pd.DataFrame([("b", "x", "m"), ("a", "y", "r")], columns=list(ALIASES), index=[7, 3])
    write_tables({"clone_aliases": table}, tmp_path)
    assert (tmp_path / "clone_aliases.tsv").read_text().splitlines()[1:] == ["b\tx\tm", "a\ty\tr"]


def test_every_missing_column_is_named_before_anything_is_written(tables, tmp_path):
    broken = dict(tables) | {
        "sharing": tables["sharing"].drop(columns="jaccard"),
        "cells": tables["cells"].drop(columns=["visit", "tissue"]),
        "odd": pd.DataFrame(),
    }
    with pytest.raises(MissingColumnsError) as caught:
        write_tables(broken, tmp_path / "tables")
    message = str(caught.value)
    assert "cells: without tissue, visit" in message
    assert "sharing: without jaccard" in message
    assert "odd: not a table of a release" in message
    assert not (tmp_path / "tables").exists()


def test_complete_tables_pass(tables):
    check_tables(tables)


def test_mixed_objects_become_numbers_and_categories_text():
    table = pd.DataFrame(
        {
            "old_key": pd.Categorical(["a", "b"]),
            "new_key": np.array([1, None], dtype=object),
            "reason": np.array([True, False], dtype=object),
        }
    )
    found = arrange_table(table, ALIASES)
    assert found["old_key"].tolist() == ["a", "b"]
    assert found["new_key"].dtype == float
    assert found["reason"].dtype == bool


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=8)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT, TEXT), max_size=5))
def test_any_text_survives_writing_and_reading(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("tables")
    write_tables({"clone_aliases": pd.DataFrame(rows, columns=list(ALIASES))}, folder)
    back = pd.read_csv(
        folder / "clone_aliases.tsv",
        sep="\t",
        keep_default_na=False,
        dtype=str,
        lineterminator="\n",
    )
    assert list(back.itertuples(index=False, name=None)) == rows
