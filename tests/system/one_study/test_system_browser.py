"""The Prefect UI after a run, as a person sees it in a browser."""

from __future__ import annotations

import csv
import json
import subprocess
from uuid import UUID

import httpx
import pytest
from web_browser import ALONE

pytestmark = [pytest.mark.slow, pytest.mark.browser]

CHROMIUM = [
    "chromium",
    "--headless",
    *ALONE,
    "--virtual-time-budget=30000",
    "--window-size=1600,4000",
]


@pytest.fixture
def page(tmp_path):
    """The text of a page after its scripts have run."""

    def load(url: str) -> str:
        done = subprocess.run(
            [*CHROMIUM, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", url],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return done.stdout

    return load


@pytest.fixture(scope="module")
def api(prefect_server):
    with httpx.Client(base_url=prefect_server, trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def flow_run(finished, api):
    """The flow run that made the first release of the study."""
    runs = api.post("/flow_runs/filter", json={}).json()
    mine = [run for run in runs if run["parameters"]["study"] == str(finished.study)]
    assert len(mine) == 1
    return mine[0]


def find_artifact(api, flow_run, key):
    wanted = {"artifacts": {"flow_run_id": {"any_": [flow_run["id"]]}, "key": {"any_": [key]}}}
    found = api.post("/artifacts/filter", json=wanted).json()
    assert len(found) == 1, f"{len(found)} artifacts {key}"
    return found[0]


def test_the_run_page_counts_the_computed_stages(finished, flow_run, prefect_server, page):
    tasks = json.loads((finished.release / "manifest.json").read_text())["tasks"]
    n_computed = sum(task["status"] == "recomputed" for task in tasks)
    assert n_computed == len(tasks)
    text = page(f"{prefect_server.removesuffix('/api')}/runs/flow-run/{UUID(flow_run['id'])}")
    assert flow_run["name"] in text
    assert "Completed" in text
    assert f"{n_computed} Task runs" in " ".join(text.split())


def test_the_comparisons_artifact_shows_the_values_of_the_release(
    finished, flow_run, api, prefect_server, page
):
    artifact = find_artifact(api, flow_run, "simulated-comparisons")
    with (finished.release / "tables/comparisons.tsv").open(newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    assert json.loads(artifact["data"]) == rows
    text = page(f"{prefect_server.removesuffix('/api')}/artifacts/artifact/{artifact['id']}")
    estimates = [row["estimate"] for row in rows if row["estimate"]]
    assert estimates
    assert all(estimate in text for estimate in estimates)


@pytest.mark.parametrize("name", ["umap", "forest", "sample-flow-figure"])
def test_pictures_are_inside_their_artifacts(flow_run, api, prefect_server, page, name):
    artifact = find_artifact(api, flow_run, f"simulated-{name}")
    assert len(artifact["data"]) < 400_000  # 300 kB of PNG in base64
    text = page(f"{prefect_server.removesuffix('/api')}/artifacts/artifact/{artifact['id']}")
    assert "data:image/png;base64," in text


def test_the_reuse_artifact_is_the_manifests(finished, flow_run, api):
    artifact = find_artifact(api, flow_run, "simulated-reuse")
    tasks = json.loads((finished.release / "manifest.json").read_text())["tasks"]
    assert json.loads(artifact["data"]) == tasks
