"""What the watcher tells Prefect: once per library, and one run for all that came together."""

from __future__ import annotations

import errno
import shutil
import threading
import time

import httpx
import pandas as pd
import pytest
import yaml

from flows import watch_arrivals
from flows._folder import open_study, registry_of, release_from_quarantine
from flows._progress import NoProgress
from flows._run import StudyRun, compute_here
from flows._status import library_states
from flows.process_library import process_libraries
from flows.watch_arrivals import Arrivals
from hiaim_sc.errors import UserInputError
from hiaim_sc.storage import Store
from hiaim_sc.study.arrivals import watcher

# of the tests' clock; no file on the disk is that old
STILL = 10_000
OPTIONS = {"arrivals": {"still_seconds": STILL, "gather_seconds": 5, "look_seconds": 0.01}}


@pytest.fixture(scope="module")
def simulated(simulate):
    """A study whose libraries are all expected, and the folder that they come from."""
    study = simulate(n_patients=2, cells_per_library=60, seed=2) / "study"
    (study / "libraries").rename(study.with_name("core"))
    table = pd.read_csv(study / "libraries.tsv", sep="\t", dtype=str)
    table.assign(state="expected").to_csv(study / "libraries.tsv", sep="\t", index=False)
    settings = yaml.safe_load((study / "study.yaml").read_text())
    (study / "study.yaml").write_text(yaml.safe_dump({**settings, "options": OPTIONS}))
    return study.parent


class Place:
    """A study, its store, a clock, and everything that was sent."""

    def __init__(self, simulated, folder):
        self.core = simulated / "core"
        self.study = folder / "study"
        shutil.copytree(simulated / "study", self.study)
        self.store = Store(folder / "store")
        self.time = 0.0
        self.sent, self.told = [], []
        self.fail_after = None
        self.start()

    def start(self):
        self.arrivals = Arrivals(
            self.study, self.store, send=self.send, tell=self.told.append, clock=lambda: self.time
        )

    def send(self, events):
        self.sent.extend(events)
        if self.fail_after == events[0]["event"]:
            raise KilledError

    def look(self, *times):
        for step in times or (0,):
            self.time += step
            self.arrivals.look()

    def names(self):
        return sorted(path.name for path in self.core.iterdir())

    def deliver(self, *names):
        for name in names or self.names():
            shutil.copytree(self.core / name, self.study / "libraries" / name, dirs_exist_ok=True)

    def events(self, name):
        return [event for event in self.sent if event["event"] == name]

    def states(self):
        return {s.library_id: s for s in library_states(self.open(), self.store)}

    def open(self):
        return open_study(self.study, self.store)


class KilledError(BaseException):
    pass


@pytest.fixture
def place(simulated, tmp_path):
    return Place(simulated, tmp_path)


def test_all_that_come_together_make_one_run(place):
    first, *rest = place.names()
    place.deliver(first)
    place.look(0)
    place.deliver(*rest)
    place.look(3, STILL - 3)  # the first is taken in
    assert len(place.events("hiaim.library.arrived")) == 1
    place.look(3)  # and the others, before the time is up
    assert len(place.events("hiaim.library.arrived")) == len(place.names())
    assert place.events("hiaim.arrivals.settled") == []
    place.look(4)
    place.look(1, 1, 1, 100)
    (settled,) = place.events("hiaim.arrivals.settled")
    assert settled["payload"] == {"n_libraries": len(place.names())}
    assert settled["resource"]["prefect.resource.id"].startswith("hiaim.study.")
    assert {state.state for state in place.states().values()} == {"arrived"}


def test_a_stream_that_never_pauses_is_run_all_the_same(place):
    for name in place.names():
        place.deliver(name)
    place.look(0, STILL)
    for number in range(30):
        registry_of(place.store).take_in(place.names()[0], {"gex": str(number)})
        place.look(4)
    assert 1 <= len(place.events("hiaim.arrivals.settled")) <= 2


POINTS = ["hiaim.library.arrived", "hiaim.arrivals.settled"]


@pytest.mark.parametrize("point", POINTS)
def test_a_watcher_killed_after_it_told_tells_it_under_the_same_id(place, point):
    place.deliver()
    place.fail_after = point
    with pytest.raises(KilledError):
        place.look(0, STILL, 5)
    place.fail_after = None
    place.start()
    place.look(0, STILL, 5, 5, 100)
    for name, count in (("hiaim.library.arrived", len(place.names())), (POINTS[1], 1)):
        assert len({event["id"] for event in place.events(name)}) == count
    assert registry_of(place.store).read().unannounced() == ()


def test_a_server_that_is_away_is_told_when_it_is_back(place):
    stop, attempts = threading.Event(), []

    def send(events):
        attempts.append(events)
        if len(attempts) < 3:
            msg = "no answer"
            raise httpx.ConnectError(msg)
        stop.set()

    place.deliver(place.names()[0])
    place.look(0)
    arrivals = Arrivals(
        place.study, place.store, send=send, tell=place.told.append, clock=lambda: place.time
    )
    arrivals.look()
    place.time += STILL
    thread = threading.Thread(target=arrivals.watch, args=(stop,))
    thread.start()
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert attempts[0] == attempts[1] or len(attempts) == 3
    assert any("does not answer" in words for words in place.told)


def test_a_storage_that_is_away_ends_no_watch(place, monkeypatch):
    stop, really = threading.Event(), watch_arrivals.sign_file
    failures = [OSError(errno.ESTALE, "Stale file handle")]

    def sign(path):
        if failures:
            raise failures.pop()
        stop.set()
        return really(path)

    monkeypatch.setattr(watch_arrivals, "sign_file", sign)
    monkeypatch.setattr(watch_arrivals, "_ALIVE_SECONDS", 0.01)
    place.arrivals.watch(stop)
    assert any("storage does not answer" in words for words in place.told)


def test_a_library_whose_storage_fails_is_told_and_waited_for(place, monkeypatch):
    def fail(path):
        raise OSError(errno.EIO, "Input/output error", str(path))

    place.deliver()
    with monkeypatch.context() as patch:
        patch.setattr(watcher, "digest_whole", fail)
        place.look(0, STILL, 0, STILL)
    assert len([words for words in place.told if "not decided yet" in words]) == len(place.names())
    assert place.sent == []
    place.look(0, STILL)
    assert len(place.events("hiaim.library.arrived")) == len(place.names())


def test_faulty_tables_are_told_once_and_waited_for(place):
    libraries = place.study / "libraries.tsv"
    text = libraries.read_text()
    libraries.write_text(text.replace("\texpected\t", "\texspected\t", 1))
    place.deliver()
    place.look(0, STILL, STILL)
    assert len([words for words in place.told if "libraries.tsv line 2, state" in words]) == 1
    assert place.sent == []
    libraries.write_text(text)
    place.look(0, STILL, 5)
    assert len(place.events("hiaim.arrivals.settled")) == 1


def test_a_fault_mended_outside_the_tables_is_seen(place):
    settings, root = place.study / "study.yaml", place.study.with_name("reads")
    settings.write_text(settings.read_text() + "data_roots: [../reads]\n")
    place.deliver()
    place.look(0, STILL)
    assert len([words for words in place.told if "an existing folder" in words]) == 1
    root.mkdir()  # its storage is mounted
    place.look(0, STILL, 5)
    assert len(place.events("hiaim.arrivals.settled")) == 1


def test_a_bad_library_is_told_with_its_reason_and_the_others_go_on(place):
    first = place.names()[0]
    place.deliver()
    for path in (place.study / "libraries" / first).glob("*.h5"):
        path.write_bytes(path.read_bytes()[:5000])
    place.look(0, STILL, 5)
    (event,) = place.events("hiaim.library.quarantined")
    assert "copy it again" in event["payload"]["reason"]
    states = place.states()
    assert states[first].state == "quarantined"
    assert {states[name].state for name in place.names()[1:]} == {"arrived"}


def test_status_says_what_became_of_a_library_that_is_gone(place):
    place.deliver()
    place.look(0, STILL)
    shutil.rmtree(place.study / "libraries" / place.names()[0])
    state = place.states()[place.names()[0]]
    assert state.state == "missing"
    assert "is not there any more" in state.reason
    open_study(place.study, place.store, automatic=True)
    shutil.rmtree(place.study / "libraries")
    with pytest.raises(UserInputError, match="is their storage mounted"):
        open_study(place.study, place.store, automatic=True)


def test_an_automatic_run_waits_for_files_that_nobody_has_taken_in(place):
    libraries = place.study / "libraries.tsv"
    libraries.write_text(libraries.read_text().replace("\texpected\t", "\tdelivered\t"))
    place.deliver()
    assert len(place.open().delivered_libraries()) == len(place.names())
    assert open_study(place.study, place.store, automatic=True).delivered_libraries() == ()


def test_a_low_join_rate_is_released_by_a_person_and_read_without_that_check(place):
    name = place.names()[0]
    place.deliver(name)
    contigs = place.study / "libraries" / name / "filtered_contig_annotations.csv"
    header, *lines = contigs.read_text().splitlines()
    strange = [f"{chr(65 + i % 4) * 16}{line[16:]}" for i, line in enumerate(lines)]
    contigs.write_text("\n".join([header, *strange]) + "\n")
    place.look(0, STILL)

    def process():
        run = StudyRun(place.open(), place.store, NoProgress(), compute_here)
        return process_libraries(run)

    assert "cell barcodes are cells" in process().quarantined[name]
    release_from_quarantine(place.study, place.store, name, who="ann", reason="few T cells")
    processed = process()
    assert processed.quarantined == {}
    assert processed.libraries() == (name,)
    state = place.states()[name]
    assert state.state == "processed"
    assert state.reason.startswith("released by ann on ")
    table = place.open().library_states().set_index("library_id")
    assert "few T cells (was: " in table.loc[name, "reason"]


def test_a_tick_between_two_looks_is_short(place):
    """350 libraries that are all registered cost next to nothing to look at."""
    place.deliver()
    place.look(0, STILL, 5)
    start = time.process_time()
    place.look(1)
    assert time.process_time() - start < 1
