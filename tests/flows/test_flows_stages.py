"""What a stage depends on: exactly what it names."""

from __future__ import annotations

import dis
import inspect
import re

import pandas as pd
import pytest

from flows._stage_calls import code_of, settings_of, visible_config
from flows._stages import STAGES
from hiaim_sc.config import StudyConfig, TcrOptions
from hiaim_sc.storage import fingerprint_code
from hiaim_sc.tcr import call_receptors, define_clones, track_clones

DESIGN = {"arms": ["control", "exercise"], "visits": {"baseline": 0}, "tissues": ["blood"]}
CONTIG = {
    "v_call": "V1",
    "d_call": None,
    "j_call": "J1",
    "c_call": "C1",
    "junction": "TGTGCCTTT",
    "junction_aa": "CAF",
    "productive": True,
    "umi_count": 3,
    "consensus_count": 9,
    "is_cell": True,
    "high_confidence": True,
}
PLACE = {"patient_id": "P1", "tissue": "blood", "session_phase": "rest"}


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


@pytest.mark.parametrize(
    ("option", "stages"),
    [
        ({"min_umis": 2}, {"receptors"}),
        ({"dual_ir": "all"}, {"clones"}),
        ({"tracking_rho": 0.1}, {"clone_tables"}),
        ({"require_gex": False}, {"ingest", "cells"}),
    ],
)
def test_an_option_of_receptors_recomputes_no_stage_above_it(option, stages):
    changed = config(tcr=option)
    moved = {s for s in STAGES if settings_of(s, changed) != settings_of(s, config())}
    assert moved == stages


class Watched:
    """Options that remember which of them were read."""

    def __init__(self, options):
        self.options, self.read = options, set()

    def __getattr__(self, name):
        self.read.add(name)
        return getattr(self.options, name)


def test_the_stages_of_receptors_read_no_option_that_they_do_not_name():
    contigs = pd.DataFrame(
        [
            {**CONTIG, "cell_barcode": cell, "contig_id": f"{cell}_{locus}", "locus": locus}
            for cell in ("a", "b")
            for locus in ("TRA", "TRB")
        ]
    )
    options = {name: Watched(TcrOptions()) for name in ("receptors", "clones", "clone_tables")}
    receptors = call_receptors(contigs, options["receptors"])
    owned = receptors.assign(library_id="L1", patient_id="P1", predicted_doublet=False)
    clones = define_clones(owned, options["clones"])
    visits = ("baseline", "week3")
    table = pd.DataFrame(
        [
            {"n_cells_qc": 9, "visit": v, **PLACE, "clone_key": clones["clone_key"][0]}
            for v in visits
        ]
    )
    track_clones(table, visits, options["clone_tables"])
    for stage, watched in options.items():
        named = {key.split(".")[2] for key in STAGES[stage].settings if key.startswith("options.")}
        assert watched.read == named, stage


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
