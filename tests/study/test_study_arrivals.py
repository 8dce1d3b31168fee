"""A library is taken in once, when it is whole; everything else has a defined outcome."""

from __future__ import annotations

import errno
import gzip
import json
import os
import shutil
import time
from pathlib import Path

import pytest

from hiaim_sc.errors import UserInputError
from hiaim_sc.storage import FileDigests, digest_file
from hiaim_sc.study import read_study
from hiaim_sc.study.arrivals import Registry, Watcher, hold_against, let_library_in
from hiaim_sc.study.arrivals.registry import DamagedRegistryError

LIBRARIES = """\
library_id	sample_id	batch	gex	vdj	state
L1	S1	run1	drop/L1/gex.h5	drop/L1/vdj.csv.gz	expected
L2	S2	run1	drop/L2/gex.h5		expected
"""
STILL_SECONDS = 30
ALWAYS = ("participants.tsv", "samples.tsv", "study.yaml")


class Drop:
    """A drop folder, a watcher with a clock of its own, and the registry it writes."""

    def __init__(self, study, tmp_path):
        self.study = study
        self.time = 0.0
        self._tables = None
        self.path = tmp_path / "store" / "arrivals.jsonl"
        self.registry = Registry(self.path)
        self.restart()

    def restart(self):
        digests = FileDigests(self.path.with_name("digests.json"), clock=time_long_after)
        self.watcher = Watcher(self.registry, digests, clock=lambda: self.time)

    def look(self, after=0.0):
        self.time += after
        return self.watcher.look(self.read())

    def settle(self):
        """Look, wait for the still time, look again."""
        self.look()
        return self.look(STILL_SECONDS)

    def read(self):
        tables = [(self.study / name).read_text() for name in ("libraries.tsv", "study.yaml")]
        if tables != self._tables:
            self._tables = tables
            self._read = read_study(self.study.path, may_be_gone="all")
        return self._read

    def standing(self):
        """The study as a run would see it."""
        return hold_against(self.read(), self.registry.read(), digest_file)

    def states(self):
        study = self.standing()
        return study.library_states(study.not_processable()).set_index("library_id")

    def deliver(self, name, n_cells, **files):
        folder = self.study / "drop" / name
        folder.mkdir(parents=True, exist_ok=True)
        self.study.write_matrix(folder / "gex.h5", n_cells=n_cells)
        for file, content in files.items():
            (folder / file).write_bytes(content)
        return folder

    def contigs(self, row="AAAC0-1"):
        plain = self.study / "plain.csv"
        self.study.write_contigs(plain)
        return gzip.compress(plain.read_bytes() + f"#{row}\n".encode())

    def entry(self, name):
        return self.registry.read().entries[name]


def time_long_after():
    return time.time_ns() + 10**13


@pytest.fixture
def drop(small_study, tmp_path):
    for path in small_study.path.glob("*.tsv"):
        if path.name not in ALWAYS:
            path.unlink()
    (small_study / "libraries.tsv").write_text(LIBRARIES)
    with (small_study / "study.yaml").open("a") as file:
        file.write(f"options: {{arrivals: {{still_seconds: {STILL_SECONDS}}}}}\n")
    return Drop(small_study, tmp_path)


def deliver_first(drop):
    folder = drop.deliver("L1", 11)
    (folder / "vdj.csv.gz").write_bytes(drop.contigs())
    return folder


def test_a_library_is_taken_in_when_all_its_files_have_been_still(drop):
    folder = drop.deliver("L1", 11)
    assert drop.settle() == ()  # its contigs are not there
    (folder / "vdj.csv.gz").write_bytes(drop.contigs())
    assert drop.look() == ()
    assert drop.look(STILL_SECONDS - 1) == ()
    assert drop.look(1) == ("L1",)
    assert drop.look(STILL_SECONDS) == ()
    expected = {"gex": folder / "gex.h5", "vdj": folder / "vdj.csv.gz"}
    assert drop.entry("L1").files == {name: digest_file(path) for name, path in expected.items()}
    assert list(drop.states()["state"]) == ["delivered", "expected"]


def test_a_file_copied_in_pieces_is_waited_for(drop):
    content = drop.contigs()
    folder = drop.deliver("L1", 11)
    for end in range(0, len(content), 40):
        (folder / "vdj.csv.gz").write_bytes(content[:end])
        assert drop.look(STILL_SECONDS + 1) == ()
    (folder / "vdj.csv.gz").write_bytes(content)
    assert drop.settle() == ("L1",)
    assert drop.entry("L1").quarantine is None


def test_a_file_that_moves_while_it_is_read_is_waited_for(drop):
    folder = deliver_first(drop)
    looks = iter(["a", "a", "b", "b", "b", "b"])
    drop.watcher._look = lambda paths: next(looks) if "vdj" in paths else None
    drop.look()
    assert drop.look(STILL_SECONDS) == ()  # "b" after reading
    assert not drop.path.exists()
    drop.look()
    assert drop.look(STILL_SECONDS) == ("L1",)
    assert folder.is_dir()


@pytest.mark.parametrize("marker", ["{library_id}.done", "COMPLETE"])
@pytest.mark.parametrize("where", ["drop/L1", "drop"])
def test_a_marker_says_when_a_library_is_complete(drop, marker, where):
    drop.study.replace("study.yaml", "still_seconds:", f'marker: "{marker}", still_seconds:')
    folder = deliver_first(drop)
    assert drop.settle() == ()
    name = marker.replace("{library_id}", "L1")
    (drop.study / where / name).touch()
    is_beside = (drop.study / where) == folder
    assert drop.settle() == (("L1",) if is_beside else ())


def test_a_row_that_says_delivered_needs_no_marker_but_stillness(drop):
    drop.study.replace("study.yaml", "still_seconds:", 'marker: "COMPLETE", still_seconds:')
    deliver_first(drop)
    drop.study.replace("libraries.tsv", "vdj.csv.gz\texpected", "vdj.csv.gz\tdelivered")
    assert drop.look() == ()
    assert drop.look(STILL_SECONDS) == ("L1",)


def cut_gzip(folder):
    path = folder / "vdj.csv.gz"
    path.write_bytes(path.read_bytes()[:-9])


def damage_gzip(folder):
    path = folder / "vdj.csv.gz"
    content = path.read_bytes()
    path.write_bytes(content[:-8] + bytes(8))


def cut_hdf5(folder):
    path = folder / "gex.h5"
    path.write_bytes(path.read_bytes()[:-500])


def write_page(folder):
    (folder / "vdj.csv.gz").write_bytes(b"<html>Please log in</html>")


FAULTS = {
    cut_gzip: "cut short",
    damage_gzip: "cannot be read",
    cut_hdf5: "cut short",
    write_page: "web page",
}


@pytest.mark.parametrize("damage", FAULTS)
def test_an_unusable_library_is_kept_out_until_it_is_delivered_again(drop, damage):
    damage(deliver_first(drop))
    assert drop.settle() == ("L1",)
    assert drop.look(STILL_SECONDS) == ()
    states = drop.states()
    assert states.loc["L1", "state"] == "quarantined"
    assert FAULTS[damage] in states.loc["L1", "reason"]
    with pytest.raises(UserInputError, match="cannot be let in"):
        release(drop, "L1")
    deliver_first(drop)
    assert list(drop.states()["state"]) == ["expected", "expected"]  # new bytes, not yet judged
    assert drop.settle() == ("L1",)
    assert drop.states().loc["L1", "state"] == "delivered"


def refuse(number):
    """Stands in for `Path.open`: contigs cannot be read. (Tests run as one who may read all.)"""
    really = Path.open

    def open_file(path, *options, **more):
        if path.name.startswith("vdj"):
            raise OSError(number, os.strerror(number), str(path))
        return really(path, *options, **more)

    return open_file


def test_a_library_that_may_not_be_read_is_kept_out_until_it_may(drop, monkeypatch):
    deliver_first(drop)
    drop.deliver("L2", 12)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse(errno.EACCES))
        assert drop.settle() == ("L1", "L2")
        assert drop.settle() == ()
        assert drop.entry("L1").quarantine.files == {"gex": "", "vdj": ""}
        assert not drop.entry("L1").quarantine.can_be_released
        assert "vdj.csv.gz cannot be read (Permission denied)" in drop.states().loc["L1", "reason"]
        assert drop.entry("L2").quarantine is None
        with pytest.raises(UserInputError, match="Permission denied"):
            release(drop, "L1")
    assert drop.settle() == ("L1",)
    assert drop.entry("L1").quarantine is None


def test_a_storage_that_fails_decides_nothing(drop, monkeypatch):
    deliver_first(drop)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse(errno.ESTALE))
        assert drop.settle() == ()
        assert not drop.path.exists()
        assert "its storage failed" in drop.watcher.undecided["L1"]
    assert drop.settle() == ("L1",)
    assert drop.entry("L1").quarantine is None
    assert drop.watcher.undecided == {}


def test_a_path_that_leads_in_circles_is_no_file_yet(drop):
    folder = deliver_first(drop)
    whole = (folder / "gex.h5").read_bytes()
    (folder / "gex.h5").unlink()
    (folder / "gex.h5").symlink_to("gex.h5")
    drop.deliver("L2", 12)
    assert drop.settle() == ("L2",)
    (folder / "gex.h5").unlink()
    (folder / "gex.h5").write_bytes(whole)
    assert drop.settle() == ("L1",)


def release(drop, name, fault=None, reason="checked with the core"):
    let_library_in(drop.read(), drop.registry, name, who="ann", reason=reason, fault=fault)


def test_other_bytes_are_kept_out_until_somebody_lets_them_in(drop):
    deliver_first(drop)
    drop.settle()
    old = drop.entry("L1").files["gex"]
    drop.deliver("L1", 12)
    # a run that comes before the watcher sees it too
    assert "changed after it was registered" in drop.states().loc["L1", "reason"]
    assert drop.settle() == ("L1",)
    reason = drop.states().loc["L1", "reason"]
    new = digest_file(drop.study / "drop/L1/gex.h5")
    assert f"gex: old digest {old[:12]}, new digest {new[:12]}" in reason
    release(drop, "L1")
    states = drop.states().loc["L1"]
    assert states["state"] == "delivered"
    assert states["reason"].startswith("released by ann on ")
    assert "checked with the core (was: changed after" in states["reason"]
    assert drop.settle() == ()
    drop.deliver("L1", 13)  # the release was for those bytes only
    assert drop.settle() == ("L1",)
    assert drop.states().loc["L1", "state"] == "quarantined"


def test_bytes_that_come_back_need_nobody(drop):
    folder = deliver_first(drop)
    drop.settle()
    shutil.copy(folder / "gex.h5", drop.study / "kept.h5")
    drop.deliver("L1", 12)
    drop.settle()
    shutil.copy(drop.study / "kept.h5", folder / "gex.h5")
    assert drop.states().loc["L1", "state"] == "delivered"
    assert drop.settle() == ("L1",)
    assert drop.entry("L1").quarantine is None


def test_the_same_library_twice_is_no_news(drop):
    deliver_first(drop)
    drop.settle()
    before = drop.path.read_bytes()
    folder = drop.study / "drop" / "L1"
    for path in folder.iterdir():
        again = path.with_name("again")
        shutil.copyfile(path, again)
        again.replace(path)
    drop.restart()
    assert drop.settle() == ()
    assert drop.path.read_bytes() == before


def test_two_libraries_with_one_files_bytes_keep_the_second_out(drop):
    deliver_first(drop)
    drop.settle()
    folder = drop.deliver("L2", 12)
    shutil.copy(drop.study / "drop/L1/gex.h5", folder / "gex.h5")
    assert drop.settle() == ("L2",)
    reason = drop.states().loc["L2", "reason"]
    assert "same bytes as gex of library L1" in reason
    with pytest.raises(UserInputError, match="same bytes"):
        release(drop, "L2")
    # the first one was the wrong copy
    drop.deliver("L1", 13)
    assert drop.settle() == ("L1", "L2")
    assert list(drop.states()["state"]) == ["quarantined", "delivered"]
    release(drop, "L1")
    assert drop.settle() == ()
    assert list(drop.states()["state"]) == ["delivered", "delivered"]


def test_a_library_whose_row_was_renamed_is_no_twin_of_itself(drop):
    drop.deliver("L2", 12)
    drop.settle()
    drop.study.replace("libraries.tsv", "L2\tS2", "L9\tS2")
    assert drop.settle() == ("L9",)
    assert drop.entry("L9").quarantine is None


def test_a_file_that_is_gone_is_a_reason_and_no_fault_of_the_table(drop):
    folder = deliver_first(drop)
    drop.settle()
    kept = folder.rename(drop.study / "elsewhere")
    states = drop.states().loc["L1"]
    assert states["state"] == "quarantined"
    assert f"{folder / 'gex.h5'}, {folder / 'vdj.csv.gz'} is not there any more" in states["reason"]
    assert drop.settle() == ()
    with pytest.raises(UserInputError, match="is not there"):
        release(drop, "L1")
    kept.rename(folder)
    assert drop.states().loc["L1", "state"] == "delivered"


def test_a_path_out_of_the_study_is_kept_out(drop, tmp_path):
    drop.study.write_matrix(tmp_path / "outside.h5", n_cells=4)
    drop.study.replace("libraries.tsv", "drop/L2/gex.h5", "../outside.h5")
    assert drop.settle() == ("L2",)
    assert "data_roots" in drop.states().loc["L2", "reason"]


def test_a_soft_fault_of_the_reader_can_be_released_and_a_hard_one_cannot(drop):
    deliver_first(drop)
    drop.settle()
    with pytest.raises(UserInputError, match="this one is in"):
        release(drop, "L1")
    with pytest.raises(UserInputError, match="cannot be let in: no T cells"):
        release(drop, "L1", fault={"reason": "no T cells"})
    release(drop, "L1", fault={"reason": "3 % join", "gate": "join_rate"})
    let_in = drop.standing().let_in["L1"]
    assert let_in.gate == "join_rate"
    assert "(was: 3 % join)" in let_in.words


def test_a_library_without_its_marker_can_be_let_in(drop):
    drop.study.replace("study.yaml", "still_seconds:", 'marker: "COMPLETE", still_seconds:')
    deliver_first(drop)
    release(drop, "L1")
    assert drop.states().loc["L1", "state"] == "delivered"
    assert drop.settle() == ()


@pytest.mark.parametrize(("name", "reason"), [("L8", "why"), ("L1", " ")])
def test_only_a_library_of_the_table_is_let_in_and_only_with_a_reason(drop, name, reason):
    deliver_first(drop)
    with pytest.raises(UserInputError):
        release(drop, name, reason=reason)
    assert not drop.path.exists()


class KilledError(Exception):
    pass


STEPS = ["before the line", "amid the line", "after the line"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("line", range(3))
def test_a_watcher_killed_at_any_step_loses_nothing_and_does_nothing_twice(
    drop, monkeypatch, step, line
):
    deliver_first(drop)
    cut_hdf5(drop.deliver("L2", 12))

    def announce():
        if new := drop.registry.read().unannounced():
            drop.registry.announce(max(entry.line for entry in new))

    add, written = Registry._add, []

    def add_and_die(self, event, **facts):
        if len(written) != line:
            written.append(event)
            return add(self, event, **facts)
        if step != "before the line":
            add(self, event, **facts)
        if step == "amid the line":
            self.path.write_bytes(self.path.read_bytes()[:-15])
        raise KilledError

    monkeypatch.setattr(Registry, "_add", add_and_die)

    def settle_and_announce():
        drop.settle()
        announce()

    with pytest.raises(KilledError):
        settle_and_announce()
    monkeypatch.undo()
    drop.restart()
    drop.settle()
    announce()
    drop.settle()
    assert drop.registry.read().unannounced() == ()
    events = [json.loads(text) for text in drop.path.read_text().splitlines()]
    told = [(event["event"], event.get("library_id")) for event in events]
    assert told == [("registered", "L1"), ("quarantined", "L2"), ("announced", None)]


def test_a_damaged_registry_is_said_to_be_so(drop):
    deliver_first(drop)
    drop.settle()
    drop.path.write_bytes(b"{}\n" + drop.path.read_bytes())
    with pytest.raises(DamagedRegistryError, match=r"line 1 is damaged.*never remove the file"):
        drop.registry.read()


def test_what_was_let_in_after_the_look_is_still_to_be_announced(drop):
    deliver_first(drop)
    drop.settle()
    seen = max(entry.line for entry in drop.registry.read().unannounced())
    drop.deliver("L2", 12)
    release(drop, "L2")  # by another process, meanwhile
    drop.registry.announce(seen)
    assert [entry.library_id for entry in drop.registry.read().unannounced()] == ["L2"]


def test_files_nobody_has_taken_in_wait_while_they_move(drop):
    drop.study.replace("libraries.tsv", "gex.h5\t\texpected", "gex.h5\t\tdelivered")
    drop.deliver("L2", 12)
    moving = hold_against(drop.read(), drop.registry.read(), digest_file, is_moving=bool)
    assert moving.delivered_libraries() == ()
    assert drop.standing().delivered_libraries() == ("L2",)


def test_files_copied_again_after_a_quarantine_wait_while_they_move(drop):
    drop.study.replace("libraries.tsv", "gex.h5\t\texpected", "gex.h5\t\tdelivered")
    cut_hdf5(drop.deliver("L2", 12))
    assert drop.settle() == ("L2",)
    drop.deliver("L2", 12)
    moving = hold_against(drop.read(), drop.registry.read(), digest_file, is_moving=bool)
    assert moving.delivered_libraries() == ()
    assert drop.standing().delivered_libraries() == ("L2",)
