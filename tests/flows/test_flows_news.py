"""A run that nobody asked for: whether the last release still is what it would make."""

from __future__ import annotations

import logging
import shutil
from types import SimpleNamespace
from uuid import uuid4

import pytest
from titled_study import OPENED, Place

from flows._folder import open_study
from flows._news import release_as_it_would_be
from flows._opening import Opening
from flows._request import RunRequest
from flows.study import study_flow
from hiaim_sc.study import FrozenPlan

BLINDED = Opening(blinded=True)
FIRST, SECOND = "20260101T000000Z-aaaaaaaa", "20260102T000000Z-bbbbbbbb"


@pytest.fixture
def place(simulate, tmp_path):
    folder = shutil.copytree(simulate(n_patients=2, cells_per_library=10) / "study", tmp_path / "s")
    return Place(folder)


def found(place, opening=BLINDED):
    study = open_study(place.study, place.store)
    release = release_as_it_would_be(study, place.store, place.results, opening)
    return release and release.name


def mark(place, table, old, new):
    path = place.study / table
    path.write_text(path.read_text().replace(old, new, 1))


def test_a_release_of_the_same_artefacts_stays_and_other_artefacts_are_news(place):
    assert found(place) is None
    place.run(FIRST, BLINDED)
    assert found(place) == FIRST
    mark(place, "libraries.tsv", "\tdelivered\t", "\texpected\t")
    assert found(place) is None


def test_an_older_release_of_what_is_there_again_is_not_the_last(place):
    place.run(FIRST, BLINDED)
    mark(place, "libraries.tsv", "\tdelivered\t", "\texpected\t")
    place.run(SECOND, BLINDED)
    mark(place, "libraries.tsv", "\texpected\t", "\tdelivered\t")
    assert found(place) is None
    place.run("20260103T000000Z-aaaaaaaa", BLINDED)
    assert found(place) == "20260103T000000Z-aaaaaaaa"


def test_a_release_of_another_kind_is_passed_over(place):
    place.run(FIRST, BLINDED)
    place.run(SECOND, OPENED)
    assert found(place) == FIRST
    assert found(place, OPENED) == SECOND
    frozen = FrozenPlan("h", "2026-01-01T00:00:00+00:00", "1", {})
    assert found(place, Opening(frozen=frozen)) is None


def test_what_a_run_that_died_left_undone_and_half_done_is_put_right(place, monkeypatch):
    place.run(FIRST, BLINDED)
    place.run(SECOND, BLINDED)
    (place.results / "latest").unlink()
    (place.results / "latest").symlink_to(FIRST)
    half = place.results / f".{SECOND}.4711"
    half.mkdir()
    mark(place, "study.yaml", "options: {}", "options: {arrivals: {still_seconds: 0}}")
    monkeypatch.setattr("flows.study.flow_run", SimpleNamespace(get_id=uuid4))
    monkeypatch.setattr("flows.study.end_with_server", lambda: None)
    monkeypatch.setattr("flows.study.get_run_logger", logging.getLogger)
    state = study_flow.fn(str(place.study), RunRequest(only_if_new=True))
    assert state.message == f"nothing new: release {SECOND} stays"
    assert (place.results / "latest").resolve().name == SECOND
    assert not half.exists()
