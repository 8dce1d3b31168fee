"""A patient who has withdrawn: what goes, what stays, and that nothing of them comes back."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager, nullcontext

import pandas as pd
import pytest
from titled_study import Place

from flows._folder import open_study, registry_of
from flows._order import run_stages
from flows._presence import only_one
from flows._progress import NoProgress
from flows._run import StudyRun
from flows._status import library_states
from hiaim_sc.storage import stored_tables
from hiaim_sc.study.arrivals import says_something

PATIENT, OTHER = "P02", "P01"
ARRIVING = ("libraries.tsv", "samples.tsv", "measurements.tsv")


def without_patient(path):
    header, *rows = path.read_text().splitlines(keepends=True)
    path.write_text("".join([header, *(row for row in rows if PATIENT not in row)]))


@pytest.fixture(scope="module")
def built(simulate, tmp_path_factory):
    """Two patients, in one release; before that a release of the first patient alone."""
    folder = tmp_path_factory.mktemp("purge") / "study"
    shutil.copytree(simulate(n_patients=2, cells_per_library=10, seed=8) / "study", folder)
    place = Place(folder)
    texts = {name: (folder / name).read_text() for name in ARRIVING if (folder / name).exists()}
    for name in texts:
        without_patient(folder / name)
    place.run("20260101T000000Z-aaaaaaaa")
    for name, text in texts.items():
        (folder / name).write_text(text)
    place.run("20260102T000000Z-bbbbbbbb")
    people = pd.read_csv(folder / "participants.tsv", sep="\t", dtype=str)
    people["withdrawn_on"] = [
        ("2026-02-03" if p == PATIENT else None) for p in people["patient_id"]
    ]
    people.to_csv(folder / "participants.tsv", sep="\t", index=False)
    return place


@pytest.fixture
def place(built, tmp_path, monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    shutil.copytree(built.study, tmp_path / "study", symlinks=True)
    return Place(tmp_path / "study")


@pytest.fixture
def theirs(place):
    study = open_study(place.study, place.store)
    return set(study.layout().query(f"patient_id == '{PATIENT}'")["library_id"])


def test_only_those_who_withdrew_may_be_purged(place):
    unknown = place.purge("P99", "--yes")
    assert unknown.exit_code == 2
    assert "participants.tsv" in unknown.output
    assert place.purge("P99", "--yes", "--force").exit_code == 2
    stays = place.purge(OTHER, "--yes")
    assert stays.exit_code == 2
    assert "withdrawn_on" in stays.output
    assert f"the date on which {OTHER} withdrew consent" in stays.output
    assert registry_of(place.store).read().purged == {}


def test_nothing_is_removed_without_a_yes(place):
    before = place.keys()
    for typed in ("n\n", ""):
        done = place.purge(PATIENT, typed=typed)
        assert done.exit_code == 1
        assert "would be removed" in done.output
    assert place.keys() == before
    assert registry_of(place.store).read().purged == {}


def test_what_another_user_wrote_is_named_before_anything_is_removed(place, monkeypatch):
    before, releases = place.keys(), sorted(place.results.rglob("*"))
    theirs = max(place.results.glob("2*")) / "tables"
    may = os.access
    monkeypatch.setattr(
        "flows._purge.os.access", lambda path, mode: may(path, mode) and path != theirs
    )
    done = place.purge(PATIENT, "--yes")
    assert done.exit_code == 2
    assert f"{theirs}: " in done.output
    assert "purge as the user who owns the store" in done.output
    assert place.keys() == before
    assert sorted(place.results.rglob("*")) == releases
    assert registry_of(place.store).read().purged == {}


def test_what_was_made_from_them_is_gone_and_the_rest_stays(place, theirs):
    before = place.keys()
    done = place.purge(PATIENT, typed="y\n")
    assert done.exit_code == 0, done.output
    assert all(name in done.output for name in theirs)
    assert str(place.study / "libraries" / min(theirs)) in done.output  # to be deleted by hand
    left = [json.loads(p.read_text()) for p in place.store.root.glob("artefacts/*/*/artefact.json")]
    recipes = [record["recipe"] for record in left]
    assert not [r for r in recipes if r["library_id"] in theirs]
    assert not [n for r in recipes for n in r["inputs"] if n.partition("/")[2] in theirs]
    told = [
        name
        for name, _, table in stored_tables(place.store)
        if says_something(name, table, PATIENT)
    ]
    assert not told
    # per-library artefacts of the other patient stay; so does the folder that was only read
    assert {r["library_id"] for r in recipes} - {None} == set(
        pd.read_csv(place.study / "libraries.tsv", sep="\t")["library_id"]
    ) - theirs
    assert place.keys() < before
    assert (place.study / "libraries" / min(theirs)).is_dir()


def test_releases_that_hold_them_leave_their_record_only(place):
    assert place.purge(PATIENT, "--yes").exit_code == 0
    first, second = sorted(place.results.glob("2*"))
    assert (place.results / "latest").resolve() == first.resolve()
    assert (first / "tables" / "cells.parquet").is_file()
    assert sorted(path.name for path in second.rglob("*") if path.is_file()) == [
        *("deviations.parquet", "manifest.json")
    ]
    record = json.loads((second / "manifest.json").read_text())
    assert record["blinded"] is False  # the arms were seen, which later plans are held against
    assert record["purged"].startswith("20")
    assert record["artefacts"] == {}


def test_a_second_purge_finds_nothing_and_a_rerun_brings_nothing_back(place, theirs):
    assert place.purge(PATIENT, "--yes").exit_code == 0
    lines = registry_of(place.store).path.read_text()
    run = place.run("20260103T000000Z-cccccccc")
    samples = run.study.expected_samples().query(f"patient_id == '{PATIENT}'")
    assert set(samples["status"]) == {"withdrew"}
    assert not {record.library_id for record in run.records} & theirs
    assert {record.status for record in run.records if record.name == "ingest"} == {"reused"}
    states = {s.library_id: s for s in library_states(run.study, place.store)}
    assert {states[name].state for name in theirs} == {"quarantined"}
    assert all("purged on" in states[name].reason for name in theirs)
    done = place.purge(PATIENT, "--yes")
    assert done.exit_code == 0
    assert "0 artefacts" in done.output
    assert (place.results / "latest" / "tables" / "cells.parquet").is_file()
    assert registry_of(place.store).path.read_text() == lines


def test_when_their_files_and_rows_are_gone_runs_go_on(place, theirs):
    assert place.purge(PATIENT, "--yes").exit_code == 0
    for name in theirs:
        shutil.rmtree(place.study / "libraries" / name)
    assert theirs <= set(open_study(place.study, place.store).not_processable())
    for table in ("libraries", "samples", "measurements", "participants", "allocation"):
        without_patient(place.study / f"{table}.tsv")
    assert open_study(place.study, place.store).not_processable() == {}
    assert place.purge(PATIENT, "--yes").exit_code == 0


def test_force_purges_one_whose_row_is_gone(place, theirs):
    for table in ("libraries", "samples", "measurements", "participants", "allocation"):
        without_patient(place.study / f"{table}.tsv")
    assert place.purge(PATIENT, "--yes").exit_code == 2
    assert place.purge(PATIENT, "--yes", "--force").exit_code == 0
    left = [json.loads(p.read_text()) for p in place.store.root.glob("artefacts/*/*/artefact.json")]
    assert not [r for r in left if r["recipe"]["library_id"] in theirs]
    assert registry_of(place.store).read().purged[PATIENT].libraries == theirs


def test_a_purge_that_was_killed_is_finished_by_the_next(place, monkeypatch):
    def die(_release):
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr("flows._releases.leftovers", die)
        done = place.purge(PATIENT, "--yes")
    assert done.exit_code == 130
    assert "goes on with what is left" in done.output
    assert registry_of(place.store).read().purged.keys() == {PATIENT}
    second = sorted(place.results.glob("2*"))[1]
    assert (second / "tables" / "cells.parquet").exists()
    assert place.purge(PATIENT, "--yes").exit_code == 0
    assert not (second / "tables" / "cells.parquet").exists()


def test_gc_after_a_purge_keeps_what_the_next_run_needs(place):
    assert place.purge(PATIENT, "--yes").exit_code == 0
    place.run("20260103T000000Z-cccccccc")
    before = place.keys()
    done = place.call("gc", "--dry-run")
    assert done.exit_code == 0, done.output
    assert "would be removed" in done.output
    assert place.keys() == before
    assert place.call("gc").exit_code == 0
    run = StudyRun(open_study(place.study, place.store), place.store, NoProgress())
    run_stages(run, blinded=False)
    assert {record.status for record in run.records} == {"reused"}


def test_what_a_run_left_that_died_while_it_wrote_a_release_is_removed(place):
    def half():
        folder = place.results / ".20260103T000000Z-cccccccc.4711"
        (folder / "tables").mkdir(parents=True)
        return folder

    left = half()
    assert place.call("gc", "--dry-run").exit_code == 0
    assert left.exists()
    assert place.call("gc").exit_code == 0
    assert not left.exists()
    left = half()
    assert place.purge(PATIENT, "--yes").exit_code == 0
    assert not left.exists()


@pytest.mark.parametrize("own_at_work", [False, True])
def test_the_configured_server_and_the_stores_own_forget_once(place, monkeypatch, own_at_work):
    @contextmanager
    def own_server(home, _port):
        assert home == place.store.root / "prefect"
        monkeypatch.setenv("PREFECT_API_URL", "http://own/api")
        yield

    asked = []

    def remove(study, releases):
        asked.append((os.environ["PREFECT_API_URL"], study, releases))
        return 3

    monkeypatch.setattr("flows._reach.require_answer", lambda: None)
    monkeypatch.setattr("flows._server.local_server", own_server)
    monkeypatch.setattr("flows._artifacts.remove_artifacts", remove)
    monkeypatch.setenv("PREFECT_API_URL", "http://configured/api")
    (place.store.root / "prefect").mkdir()
    (place.store.root / "prefect" / "prefect.db").touch()
    serve = only_one(place.store.root, "server", api="http://configured/api")
    with serve if own_at_work else nullcontext():
        done = place.purge(PATIENT, "--yes")
    urls = ["http://configured/api", "http://own/api"][: 1 if own_at_work else 2]
    assert asked == [(url, "simulated", ["20260102T000000Z-bbbbbbbb"]) for url in urls]
    assert f"{3 * len(urls)} artifacts of the Prefect UI removed" in done.output
