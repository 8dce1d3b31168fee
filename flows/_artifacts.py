"""What a run shows in the Prefect UI, under keys that are stable per study: they have a history."""

from __future__ import annotations

import base64
import csv
import json
import os
import re
from typing import TYPE_CHECKING

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter
from prefect.settings import PREFECT_API_URL, temporary_settings

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import Artifact

_RELEASE = "release"
_TABLES = {
    "libraries-qc": ("libraries_qc", "Quality of each library"),
    "sample-flow": ("flow_of_samples", "What came in and what was left out, with reasons"),
    "identity-checks": ("identity_checks", "Is each sample of the patient it is said to be of?"),
    "comparisons": ("comparisons", "Arm against arm, patients as units"),
}
_PICTURES = {
    "sample-flow-figure": ("sample_flow", "What came in and what was left out"),
    "libraries-qc-figure": ("library_qc", "Cells kept and lost per library"),
    "umap": ("umap_cell_type", "What the cells are"),
    "clone-tracking": ("clone_tracking", "The largest clones over visits and tissues"),
    "forest": ("forest", "Difference between arms with 95 % intervals"),
}


def show_release(study: str, release: Path) -> None:
    """Create the artifacts of a release in the current flow run.

    Parameters
    ----------
    study
        The study's name; it begins every artifact's key.
    release
        The release's folder.
    """
    manifest = json.loads((release / "manifest.json").read_text(encoding="utf-8"))
    mark = "BLINDED: arm labels are random. " if manifest["blinded"] else ""
    # the first to come and the last to go: by it a purge finds the others
    create_markdown_artifact(
        f"# Release {release.name}\n\n{mark}The report: `{release / 'report.html'}`",
        key=artifact_key(study, _RELEASE),
        description=f"{mark}Release {release.name}",
    )
    for name, (table, title) in _TABLES.items():
        rows = _rows(release / "tables" / f"{table}.tsv")
        note = mark if name == "comparisons" else ""
        create_table_artifact(rows, key=artifact_key(study, name), description=note + title)
    for name, (figure, title) in _PICTURES.items():
        note = mark if name == "forest" else ""
        picture = release / "figures" / f"{figure}.png"
        if picture.is_file():
            create_markdown_artifact(
                f"# {note}{title}\n\n{_inline(picture, title)}",
                key=artifact_key(study, name),
                description=note + title,
            )
    create_table_artifact(
        manifest["tasks"],
        key=artifact_key(study, "reuse"),
        description="What was computed, what was reused, and why",
    )


def remove_artifacts(study: str, releases: Collection[str]) -> int:
    """Have the Prefect server that is configured now forget what it shows of releases; how many."""
    key = artifact_key(study, _RELEASE)
    # what Prefect read when it was imported may have named another server
    here = {PREFECT_API_URL: os.environ["PREFECT_API_URL"]}
    with temporary_settings(here), get_client(sync_client=True) as client:
        runs = {
            shown.flow_run_id
            for shown in _read(client, {"key": {"any_": [key]}})
            if str(shown.data).partition("\n")[0].removeprefix("# Release ") in releases
        }
        found = [
            shown for run in runs for shown in _read(client, {"flow_run_id": {"any_": [str(run)]}})
        ]
        for shown in sorted(found, key=lambda shown: shown.key == key):
            client.delete_artifact(shown.id)
    return len(found)


def _read(client: SyncPrefectClient, wanted: dict[str, dict[str, list[str]]]) -> list[Artifact]:
    found: list[Artifact] = []
    only = ArtifactFilter.model_validate(wanted)
    while page := client.read_artifacts(artifact_filter=only, limit=50, offset=len(found)):
        found += page
    return found


def artifact_key(study: str, name: str) -> str:
    """Key of a study's artifact: lower case letters, digits and dashes, as Prefect wants it."""
    slug = re.sub(r"[^a-z0-9]+", "-", study.lower()).strip("-")
    return f"{slug}-{name}"


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def _inline(picture: Path, title: str) -> str:
    content = base64.b64encode(picture.read_bytes()).decode()
    return f"![{title}](data:image/png;base64,{content})"
