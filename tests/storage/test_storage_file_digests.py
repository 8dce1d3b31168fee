"""Digests are remembered while files look unchanged, and never beyond that."""

from __future__ import annotations

import hashlib
import json
import os
import time

import pytest

from hiaim_sc.storage import FileDigests, Recipe, Store, digest_file, sign_file

LATER_NS = 10_000_000_000


def later():
    return time.time_ns() + LATER_NS


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "data" / "a.csv"
    path.parent.mkdir()
    path.write_bytes(b"first")
    return path


@pytest.fixture
def kept(tmp_path):
    return tmp_path / "store" / "digests.json"


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def forge(kept, path, digest="forged"):
    """A remembered digest that is wrong: whoever answers with it has not read the file."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps({str(path): [sign_file(path), digest]}))


def test_a_file_that_looks_unchanged_is_not_read_again(file, kept):
    forge(kept, file)
    assert FileDigests(kept).of(file) == "forged"


def test_what_was_read_is_remembered_by_the_next_process(file, kept):
    digests = FileDigests(kept, clock=later)
    assert digests.of(file) == sha256(b"first")
    digests.save()
    assert json.loads(kept.read_text()) == {str(file): [list(sign_file(file)), sha256(b"first")]}


def test_a_file_younger_than_a_tick_is_not_remembered(file, kept):
    digests = FileDigests(kept)
    digests.of(file)
    digests.save()
    assert not kept.exists()


def change_content(file):
    file.write_bytes(b"other")


def change_content_and_set_the_time_back(file):
    status = file.stat()
    file.write_bytes(b"other")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def move_another_file_there(file):
    status = file.stat()
    other = file.with_name("b.csv")
    other.write_bytes(b"other")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(file)


@pytest.mark.parametrize(
    "change", [change_content, change_content_and_set_the_time_back, move_another_file_there]
)
def test_a_changed_file_of_the_same_size_is_read_again(file, kept, change):
    forge(kept, file)
    change(file)
    assert FileDigests(kept).of(file) == sha256(b"other")


def test_verifying_reads_what_looks_unchanged_and_remembers_what_it_found(file, kept):
    forge(kept, file)
    digests = FileDigests(kept, reread=True, clock=later)
    assert digests.of(file) == sha256(b"first")
    digests.save()
    assert FileDigests(kept).of(file) == sha256(b"first")


def test_a_folder_is_digested_as_without_memory(file, kept):
    (file.parent / "b.csv").write_bytes(b"second")
    digests = FileDigests(kept, clock=later)
    assert digests.of(file.parent) == digest_file(file.parent) != digest_file(file)
    digests.save()
    assert len(json.loads(kept.read_text())) == 2


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 1}', '{"a": [[1, 2], "b"]}'])
def test_a_damaged_memory_is_no_memory(file, kept, content):
    kept.parent.mkdir()
    kept.write_text(content)
    assert FileDigests(kept).of(file) == sha256(b"first")


def test_files_that_are_gone_are_forgotten(file, kept):
    forge(kept, file)
    file.unlink()
    other = file.with_name("b.csv")
    other.write_bytes(b"second")
    digests = FileDigests(kept, clock=later)
    digests.of(other)
    digests.save()
    assert list(json.loads(kept.read_text())) == [str(other)]


def test_a_store_finds_damage_in_files_it_remembers_and_verifies_those_that_look_unchanged(
    tmp_path,
):
    store = Store(tmp_path)
    recipe = Recipe("qc", "L1", {}, {}, "c0")
    artefact = store.put(recipe, {"report": {"n": 3}})
    path = artefact.folder / "report.json"
    right = digest_file(path)
    path.write_text(path.read_text().replace("3", "4"))
    assert Store(tmp_path).look(recipe).why == "damaged: report.json"
    forge(tmp_path / "digests.json", path, right)  # as if the disk had turned a bit unseen
    assert Store(tmp_path).look(recipe).status == "reused"
    assert Store(tmp_path, verify=True).look(recipe).why == "damaged: report.json"
