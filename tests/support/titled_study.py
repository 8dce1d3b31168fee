"""A study whose stages store their titles only: what a store and its releases do, in seconds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd
from typer.testing import CliRunner

from flows._folder import open_study
from flows._opening import Opening
from flows._order import run_stages
from flows._progress import NoProgress
from flows._releases import point_latest
from flows._run import StudyRun
from flows.cli import app
from hiaim_sc.storage import Store

if TYPE_CHECKING:
    from pathlib import Path

OPENED = Opening()


class Place:
    """A study folder, its store and its releases; stages store their titles only."""

    def __init__(self, study: Path) -> None:
        self.study = study
        self.results = study / "results"

    @property
    def store(self):
        return Store(self.study / ".hiaim")

    def compute(self, calls):
        for one in calls:
            self.store.put(one.recipe, {"report": {"title": one.title, "n_genes": 0}})
            yield one, 0.1, ""

    def run(self, name, opening=OPENED):
        """Complete every stage and write what a release is known by."""
        run = StudyRun(open_study(self.study, self.store), self.store, NoProgress(), self.compute)
        libraries, keys = run_stages(run, blinded=opening.blinded)
        tables = self.results / name / "tables"
        tables.mkdir(parents=True)
        cells = run.study.layout().assign(cell_barcode="AAAC-1")
        cells.to_parquet(tables / "cells.parquet")
        pd.DataFrame({"when": [name]}).to_parquet(tables / "deviations.parquet")
        manifest = {
            **{"release_id": name, "study": "simulated", "started": "2026-01-01T00:00:00+00:00"},
            **{"blinded": opening.blinded, "plan_hash": "h", "frozen_plan": opening.plan_record},
            "artefacts": {**keys, **libraries.keys},
            "tasks": [{"key": record.key} for record in run.records],
        }
        (self.results / name / "manifest.json").write_text(json.dumps(manifest))
        point_latest(self.results, self.results / name)
        return run

    def keys(self):
        return {path.name for path in self.store.root.glob("artefacts/*/*")}

    def call(self, command, *words, typed=""):
        return CliRunner().invoke(app, [command, str(self.study), *words], input=typed)

    def purge(self, *words, typed=""):
        return self.call("purge", *words, typed=typed)
