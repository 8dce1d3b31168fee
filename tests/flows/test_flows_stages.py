"""What a stage depends on: exactly what it names."""

from __future__ import annotations

import dis
import inspect
import re

import pytest

from flows._stages import STAGES, code_of, settings_of, visible_config
from hiaim_sc.config import StudyConfig
from hiaim_sc.storage import fingerprint_code

DESIGN = {"arms": ["control", "exercise"], "visits": {"baseline": 0}, "tissues": ["blood"]}


def config(**options):
    return StudyConfig.model_validate({"study": "trial", "design": DESIGN, "options": options})


@pytest.mark.parametrize("stage", STAGES)
def test_every_setting_a_stage_names_exists(stage):
    assert set(settings_of(stage, config())) == set(STAGES[stage].settings)


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_runs_code_of_the_report_or_the_simulator(stage):
    modules = fingerprint_code(*STAGES[stage].packages).modules
    assert modules
    assert not any(name.startswith(("hiaim_sc.report", "hiaim_sc.simulate")) for name in modules)


def test_an_option_reaches_only_the_stages_that_name_it():
    changed = config(qc={"min_genes": 7})
    moved = {s for s in STAGES if settings_of(s, changed) != settings_of(s, config())}
    assert moved == {"qc"}
    assert visible_config("qc", changed)["options"]["qc"]["min_genes"] == 7
    hidden = StudyConfig.model_validate(visible_config("receptors", changed))
    assert hidden.options.qc == config().options.qc


def test_the_name_of_the_study_reaches_no_stage():
    assert all(visible_config(stage, config())["study"] == "hidden" for stage in STAGES)


def test_code_differs_between_stages_and_names_its_libraries():
    source, versions = code_of("qc")
    assert source != code_of("receptors")[0]
    assert "python" in versions
    assert "numpy" in versions


@pytest.mark.parametrize("stage", STAGES)
def test_all_code_that_a_step_calls_is_in_the_stages_digest(stage):
    """Its imports are of packages that the stage names, and it calls no neighbour in its module."""
    step = STAGES[stage].step
    imported = set(re.findall(r"from (hiaim_sc\.\w+) import", inspect.getsource(step)))
    assert imported <= set(STAGES[stage].packages)
    used = {i.argval for i in dis.get_instructions(step) if i.opname == "LOAD_GLOBAL"}
    neighbours = vars(inspect.getmodule(step)).values()
    own = {f.__name__ for f in neighbours if inspect.isfunction(f)}
    assert not {name for name in used & own if step.__globals__[name].__module__ == step.__module__}


def test_the_digest_moves_with_the_reading_of_inputs(monkeypatch):
    before = code_of.__wrapped__("receptors")
    monkeypatch.setattr(inspect, "getsource", lambda found: f"changed {found.__name__}")
    assert code_of.__wrapped__("receptors") != before
