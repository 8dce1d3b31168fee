"""Under which plan the arms are opened, and what counts as a change of it once they were seen."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from flows._input_files import digest_inputs
from flows._opening import ArmsRequest, open_arms
from hiaim_sc.errors import UserInputError
from hiaim_sc.storage import digest_file
from hiaim_sc.study import freeze_plan, read_study

FREEZE = datetime(2026, 3, 1, 12, tzinfo=UTC)
FILES = {
    "study.yaml": """\
study: trial
design:
  arms: [control, exercise]
  visits: {baseline: 0, week6: 42}
  tissues: [blood]
  strata: [treatment]
options:
  annotate: {panel: ref/panel.tsv}
""",
    "ref/panel.tsv": "gene\tlabel\nNKG7\tNK\n",
    "participants.tsv": "patient_id\ttreatment\nP1\tCPI\nP2\tCPI\n",
    "allocation.tsv": "patient_id\tarm\nP1\tcontrol\nP2\texercise\n",
    "samples.tsv": """\
sample_id	patient_id	visit	tissue	status
S1	P1	week6	blood	collected
S2	P2	week6	blood	collected
""",
    "libraries.tsv": """\
library_id	sample_id	batch	vdj	state
L1	S1	run1	lib/L1.csv	delivered
L2	S2	run1	lib/L2.csv	expected
""",
    "lib/L1.csv": "barcode\n",
}
ARRIVED = {
    "lib/L2.csv": "barcode\n",
    "libraries.tsv": FILES["libraries.tsv"].replace("expected", "delivered"),
}
FAILED = {
    "samples.tsv": FILES["samples.tsv"].replace(
        "P2\tweek6\tblood\tcollected", "P2\tweek6\tblood\tfailed_lab"
    )
}
WHY = "the laboratory found a mix-up"


class Site:
    """A study folder with its releases."""

    def __init__(self, folder):
        self.folder = folder
        self.write(FILES)

    def write(self, files):
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)

    def freeze(self):
        freeze_plan(read_study(self.folder), now=FREEZE, version="0.1")

    def release(self, *, day, blinded=False, **changes):
        """What a release of that day in March says of its making."""
        inputs = digest_inputs(read_study(self.folder), digest_file, with_arms=not blinded)
        manifest = {"started": f"2026-03-{day:02d}T12:00:00+00:00", "blinded": blinded}
        manifest |= {"inputs": inputs, "let_in": {}, **changes}
        folder = self.folder / "results" / f"202603{day:02d}T120000Z-abc"
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(json.dumps(manifest))

    def unblind(self, deviation=None, study=None):
        return open_arms(
            study or read_study(self.folder),
            ArmsRequest(unblind=True, deviation=deviation),
            results=self.folder / "results",
            digest=digest_file,
        )


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def items(opening):
    return [change.item for change in opening.changes]


def test_a_library_that_arrives_while_nobody_has_seen_the_arms_is_no_change(site):
    site.freeze()
    site.release(day=2, blinded=True)
    site.write({**ARRIVED, **FAILED})
    assert site.unblind().prespecified


def test_unchanged_since_the_look_stays_prespecified(site):
    site.freeze()
    site.release(day=2)
    assert site.unblind().prespecified


@pytest.mark.parametrize(
    ("files", "changed"),
    [
        (ARRIVED, ["lib/L2.csv", "libraries.tsv"]),
        (FAILED, ["samples.tsv"]),
        ({"allocation.tsv": "patient_id\tarm\nP1\texercise\nP2\tcontrol\n"}, ["allocation.tsv"]),
        ({"lib/L1.csv": "barcode,chain\n"}, ["lib/L1.csv"]),
    ],
)
def test_what_changes_after_the_arms_were_seen_needs_a_reason(site, files, changed):
    site.freeze()
    site.release(day=2)
    site.write(files)
    with pytest.raises(UserInputError, match="the first that compared the arms") as caught:
        site.unblind()
    assert [fault.table for fault in caught.value.faults] == changed
    opening = site.unblind(WHY)
    assert items(opening) == changed
    assert not opening.prespecified
    site.release(day=3)  # a later look does not make it the first
    assert items(site.unblind(WHY)) == changed
    site.write(FILES)
    assert site.unblind().prespecified


def test_a_changed_panel_and_changed_samples_are_told_once_each(site):
    site.freeze()
    site.release(day=2)
    site.write({"ref/panel.tsv": "gene\tlabel\n", **FAILED})
    with pytest.raises(UserInputError, match=r"ref/panel\.tsv"):
        site.unblind()
    assert items(site.unblind(WHY)) == ["ref/panel.tsv", "samples.tsv"]


def test_a_library_let_in_after_the_look_is_a_change(site):
    site.freeze()
    site.release(day=2)
    study = read_study(site.folder)
    object.__setattr__(study, "let_in", {"L1": SimpleNamespace(words="let in by ann")})
    (change,) = site.unblind(WHY, study).changes
    assert str(change) == "library L1: not let in -> let in by ann"
    site.release(day=1, let_in={"L1": "let in by ann"})
    assert "library L1" not in items(site.unblind(WHY, study))


def test_after_a_purge_of_the_first_look_nothing_can_be_shown_unchanged(site):
    site.freeze()
    site.release(day=2)
    path = site.folder / "results" / "20260302T120000Z-abc" / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["inputs"]
    path.write_text(json.dumps(manifest))
    assert items(site.unblind(WHY)) == ["inputs"]


def test_a_look_before_the_freeze_is_a_change_of_the_plan(site):
    site.release(day=1)
    manifest = site.folder / "results" / "20260301T120000Z-abc" / "manifest.json"
    manifest.write_text(manifest.read_text().replace("T12:", "T11:"))
    site.freeze()
    (change,) = site.unblind().changes
    assert str(change) == "arms: sealed -> compared in release 20260301T120000Z-abc"


def test_inputs_are_listed_wherever_they_lie(site):
    sealed = digest_inputs(read_study(site.folder), digest_file, with_arms=False)
    assert set(sealed) == set(FILES) - {"allocation.tsv"}
    site.write({"notes.tsv": "mine\n", "lib/raw.h5": "x"})
    opened = digest_inputs(read_study(site.folder), digest_file, with_arms=True)
    assert set(opened) == set(FILES)
