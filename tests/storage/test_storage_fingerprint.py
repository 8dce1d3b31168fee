"""Digests, seeds, and the code a stage runs."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiaim_sc.storage import (
    digest_file,
    digest_table,
    digest_value,
    fingerprint,
    fingerprint_code,
    generator,
)

# published with the analysis-plan hash: sorted keys, no spaces, nothing escaped
PLAN = {"alpha": 0.05, "arms": ["control", "exercise"], "primary": "blood_nk_log_abs"}
PLAN_DIGEST = "b5abf6eae87c7d902dd1cfe1706330eea93d7cb4ff2abb8e06838743d2261107"


def test_digest_of_a_value_is_the_published_one():
    assert digest_value({**PLAN, "seed": 4263467}) == PLAN_DIGEST


def test_digest_of_a_value_does_not_depend_on_the_order_of_keys():
    assert digest_value({"a": 1, "b": [1, 2]}) == digest_value({"b": [1, 2], "a": 1})
    assert digest_value({"b": [2, 1], "a": 1}) != digest_value({"b": [1, 2], "a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest_value({"a": float("nan")})


@given(st.binary(max_size=200))
def test_digest_of_a_file_is_that_of_its_bytes(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("digest") / "file"
    path.write_bytes(content)
    assert digest_file(path) == hashlib.sha256(content).hexdigest()


def test_digest_of_a_folder_sees_names_and_content(tmp_path):
    (tmp_path / "a").write_text("1")
    first = digest_file(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    second = digest_file(tmp_path)
    (tmp_path / "b").write_text("2")
    assert len({first, second, digest_file(tmp_path)}) == 3


def test_digest_of_a_table_sees_values_columns_and_order():
    table = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", None]})
    others = [table.iloc[::-1], table.rename(columns={"a": "c"}), table.assign(a=[1.0, 2.5])]
    assert digest_table(table) == digest_table(table.copy())
    assert digest_table(table) not in {digest_table(other) for other in others}


def test_random_numbers_follow_their_words_alone():
    draw = generator("qc", "L1").random(3)
    np.testing.assert_array_equal(draw, generator("qc", "L1").random(3))
    assert not np.array_equal(draw, generator("qc", "L2").random(3))
    assert not np.array_equal(generator("ab", "c").random(3), generator("a", "bc").random(3))


def test_the_fingerprint_covers_what_is_imported_and_nothing_else():
    qc = fingerprint_code("hiaim_sc.storage")
    assert "hiaim_sc.storage.store" in qc.modules
    assert not any(name.startswith("hiaim_sc.report") for name in qc.modules)
    assert {"python", "pandas", "grimp"} <= qc.versions.keys()
    assert qc.source != fingerprint_code("hiaim_sc.names").source


def test_options_reach_a_key_as_values_and_not_as_source():
    """An option that is added or described anew leaves the stages that do not read it as they are;
    the defaults of a read layout, which no option holds, are source."""
    modules = fingerprint_code("hiaim_sc.tcr").modules
    assert {"hiaim_sc.names", "hiaim_sc.stats.clones"} <= set(modules)
    by_source = {
        name for name in modules if name.startswith(("hiaim_sc.config", "hiaim_sc.errors"))
    }
    assert by_source == {"hiaim_sc.config.read_layout"}


@pytest.mark.parametrize(("table", "counts"), [("gene_sets.tsv", True), ("signatures.tsv", False)])
def test_a_packaged_table_beside_the_code_is_part_of_it(monkeypatch, table, counts):
    before = fingerprint_code("hiaim_sc.qc").source
    digest = fingerprint.digest_file
    monkeypatch.setattr(
        fingerprint, "digest_file", lambda path: "new" if path.name == table else digest(path)
    )
    caches = (fingerprint.fingerprint_code, fingerprint._tables_digest)
    try:
        for cached in caches:
            cached.cache_clear()
        assert (fingerprint_code("hiaim_sc.qc").source != before) == counts
    finally:
        for cached in caches:
            cached.cache_clear()
