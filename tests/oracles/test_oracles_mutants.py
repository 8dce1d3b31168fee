"""The table of mutants speaks of the code as it is."""

from __future__ import annotations

import ast
import inspect

import pytest

from benchmarks.mutants import ROOT, read_mutants
from hiaim_sc import stats

MUTANTS = read_mutants()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.of}-{mutant.file}")
def test_each_mutant_changes_one_line_and_its_tests_exist(mutant):
    source = (ROOT / "hiaim_sc" / mutant.file).read_text(encoding="utf-8")
    broken = mutant.apply(source)
    assert ast.dump(ast.parse(broken)) != ast.dump(ast.parse(source))
    assert (ROOT / "tests" / mutant.tests).is_file()


def test_every_public_statistic_is_broken_at_least_once():
    functions = {name for name in stats.__all__ if inspect.isfunction(getattr(stats, name))}
    assert functions <= {mutant.of for mutant in MUTANTS}
