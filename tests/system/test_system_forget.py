"""What the Prefect UI shows of a release is found again, wherever the run that showed it died."""

from __future__ import annotations

import json
import subprocess
import sys

import httpx
import pytest

from flows._artifacts import remove_artifacts

pytestmark = pytest.mark.slow

RELEASE = "20260101T000000Z-aaaaaaaa"
DIES = """
import sys
from pathlib import Path
from prefect import flow
import flows._artifacts as artifacts

create, shown = artifacts.create_table_artifact, []

def create_or_die(*rows, **said):
    shown.append(said)
    if len(shown) == 3:
        raise SystemExit("died")
    create(*rows, **said)

artifacts.create_table_artifact = create_or_die

@flow
def show(study):
    artifacts.show_release("Forget it", Path(study))

show(sys.argv[1])
"""


@pytest.fixture
def release(tmp_path):
    folder = tmp_path / RELEASE
    (folder / "tables").mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"blinded": True, "tasks": []}))
    for name in ("libraries_qc", "flow_of_samples", "identity_checks", "comparisons"):
        (folder / "tables" / f"{name}.tsv").write_text("patient_id\nP01\n")
    return folder


def keys(api):
    found = httpx.post(f"{api}/artifacts/filter", json={}, trust_env=False, timeout=60).json()
    return sorted(one["key"] for one in found if (one["key"] or "").startswith("forget-it-"))


def test_a_run_that_died_while_it_showed_its_release_is_forgotten(release, hiaim, prefect_server):
    done = subprocess.run(
        [sys.executable, "-c", DIES, str(release)],
        env=hiaim.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.endswith("died\n")
    shown = ["forget-it-libraries-qc", "forget-it-release", "forget-it-sample-flow"]
    assert keys(prefect_server) == shown
    assert remove_artifacts("Forget it", ["20250101T000000Z-bbbbbbbb"]) == 0
    assert keys(prefect_server) == shown
    assert remove_artifacts("Forget it", [RELEASE]) == 3
    assert keys(prefect_server) == []
