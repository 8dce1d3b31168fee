"""docs/operations.md: what it tells people to type is typed here, or in the tests it names."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from operations_guide import block, blocks

pytestmark = pytest.mark.long

# Heading and first words of each block: the file of the test that takes it from the guide.
TYPED_BY = {
    ("Installation", "cd /srv/hiaim-sc"): "test_system_guide.py",
    ("One machine", "hiaim-sc serve STUDY"): "test_system_serve.py",
    ("One machine", "[Service]"): "test_system_serve.py",
    ("On a Prefect server that is there", "export"): "one_deployment/conftest.py",
    ("On a Prefect server that is there", "[Service]"): "one_deployment/conftest.py",
    ("A server for a team", "apt-get"): "test_system_team_server.py",
    ("A server for a team", "PREFECT_SERVER_DATABASE_CONNECTION_URL"): "test_system_team_server.py",
    ("A server for a team", "[Service]"): "test_system_team_server.py",
    ("A server for a team", "export"): "test_system_team_server.py",
    ("A cluster", "hiaim-sc run"): "test_system_cluster.py",
    ("Arrivals", "library_id"): "test_system_guide.py",
    ("Arrivals", "options:"): "one_deployment/conftest.py",
    ("A quarantined library", "hiaim-sc release-library"): "test_system_guide.py",
    ("A patient who withdraws consent", "hiaim-sc purge"): "test_system_guide.py",
    ("What is kept where", "hiaim-sc gc"): "test_system_guide.py",
}


def test_every_block_is_typed_by_a_test():
    unused = {
        (heading, starts)
        for heading, starts in TYPED_BY
        if not any(b.heading == heading and b.text.startswith(starts) for b in blocks())
    }
    assert not unused
    assert len(blocks()) == len(TYPED_BY)
    for (heading, starts), name in TYPED_BY.items():
        (path,) = Path(__file__).parents[1].glob(f"**/{name}")
        source = path.read_text()
        assert f'"{starts.split()[0]}' in source, (heading, starts, name)


@pytest.fixture
def typed(hiaim):
    """Types a block of the guide into a shell; what it prints."""

    def type_in(heading, starts, answer="", **places):
        bin_folder = Path(hiaim.command).parent
        done = subprocess.run(
            ["bash", "-euc", block(heading, starts).filled(**places)],
            env=hiaim.environment | {"PATH": f"{bin_folder}:{os.environ['PATH']}"},
            input=answer,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return type_in


def test_an_installation_is_ready_for_a_study(typed, simulate):
    study = simulate(n_patients=2, cells_per_library=30, seed=6) / "study"
    repository = Path(__file__).parents[3]
    said = typed("Installation", "cd /srv", **{"/srv/hiaim-sc": repository, "STUDY": study})
    assert "no fault found" in said


def test_a_patient_who_leaves_and_a_library_that_arrives(deployed, typed):
    """On a server that is there: withdrawn consent, and files that a person lets in."""
    study = deployed.study
    patients = pd.read_csv(study / "samples.tsv", sep="\t").set_index("sample_id")["patient_id"]
    other, gone = patients[deployed.row["sample_id"]], min(patients)
    assert gone != other
    people = pd.read_csv(study / "participants.tsv", sep="\t", dtype=str)
    people["withdrawn_on"] = ["2026-03-01" if p == gone else None for p in people["patient_id"]]
    people.to_csv(study / "participants.tsv", sep="\t", index=False)
    before = deployed.releases()
    said = typed("A patient who withdraws consent", "hiaim-sc purge", "y\n", STUDY=study, P017=gone)
    assert str(study / "libraries" / "L001") in said
    assert not (study / "results" / "latest").exists()
    shown = deployed.ask("/artifacts/filter", artifacts={"key": {"like_": "deployed-"}})
    assert shown == []

    name, n_runs = deployed.row["library_id"], len(deployed.runs())
    lines = block("Arrivals", "library_id").filled(L017=name, S017=deployed.row["sample_id"])
    header, cells = (line.split("\t") for line in lines.splitlines())
    row = dict(zip(header, cells, strict=True))
    table = pd.read_csv(study / "libraries.tsv", sep="\t", dtype=str)
    table = pd.concat([table, pd.DataFrame([row])])
    table.to_csv(study / "libraries.tsv", sep="\t", index=False)
    shutil.copytree(deployed.library, (study / row["gex"]).parent)
    typed("A quarantined library", "hiaim-sc release-library", STUDY=study, L017=name)
    deployed.wait_for(lambda: len(deployed.releases()) == len(before) + 1)
    deployed.wait_for(lambda: {r["state_type"] for r in deployed.runs()} == {"COMPLETED"})
    assert [run["name"].split()[3] for run in deployed.runs()[n_runs:]] == ["arrivals,"]

    release = study / "results" / "latest"
    manifest = json.loads((release / "manifest.json").read_text())
    assert manifest["let_in"][name].startswith("released by")
    cells = pd.read_parquet(release / "tables" / "cells.parquet")
    assert set(cells["patient_id"].dropna()) == {other}
    assert name in set(cells["library_id"])
    values = pd.read_parquet(release / "tables" / "endpoints.parquet")
    values = values[values["patient_id"] == gone]
    assert values["value"].isna().all()
    assert "withdrew" in set(values["reason_missing"])
    states = pd.read_parquet(release / "tables" / "libraries_qc.parquet").set_index("library_id")
    assert "purged on" in states.loc["L001", "reason"]
    said = typed("What is kept where", "hiaim-sc gc", STUDY=study, RELEASE=manifest["release_id"])
    # of the first run, and of no patient
    assert re.match(
        r"(\d+) artefacts, 0.0 MB would be removed\n\1 artefacts, 0.0 MB removed\n", said
    )
    assert " why " in said
    assert " inputs " not in said  # the release does not differ from itself
