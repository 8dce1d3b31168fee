"""The form in the Prefect UI, and which failures are worth another try."""

from __future__ import annotations

import errno
import pickle
from pathlib import Path
from types import SimpleNamespace

import pytest
from prefect.utilities.callables import parameter_schema
from pydantic import ValidationError

from flows._library_steps import ingest
from flows._opening import ArmsRequest
from flows._request import RunRequest, request_run
from flows._screen_steps import screen_counts
from flows.study import study_flow
from hiaim_sc.config import Options
from hiaim_sc.errors import LibraryFaultError, UserInputError, can_recover


def form():
    schema = parameter_schema(study_flow).model_dump_for_openapi()
    return schema["properties"], schema["definitions"]["RunRequest"]


def test_every_field_of_the_form_explains_itself():
    properties, request = form()
    assert set(properties) == {"study", "request"}
    assert "study folder" in properties["study"]["description"]
    assert all(len(field["description"]) > 20 for field in request["properties"].values())


def test_the_form_has_choices_and_bounds_and_no_other_field():
    fields = form()[1]["properties"]
    assert fields["arms"]["enum"] == ["blinded", "explore", "unblind"]
    assert fields["arms"]["default"] == "blinded"
    assert (fields["workers"]["minimum"], fields["workers"]["maximum"]) == (0, 512)
    # a choice of types, as of a field that may be None, is told in words of schemas
    assert not [name for name, field in fields.items() if "anyOf" in field]
    assert form()[1]["additionalProperties"] is False
    with pytest.raises(ValidationError):
        RunRequest(arms="treated")


@pytest.mark.parametrize(
    ("word", "asked"),
    [
        ("blinded", ArmsRequest(blinded=True)),
        ("explore", ArmsRequest()),
        ("unblind", ArmsRequest(unblind=True)),
    ],
)
def test_what_is_asked_of_the_allocation(word, asked):
    assert RunRequest(arms=word).arms_request == asked
    assert asked.word == word


def test_the_command_line_names_every_field_that_is_wrong():
    with pytest.raises(UserInputError) as caught:
        request_run(workers=-1, deviation="x" * 501)
    assert {fault.column for fault in caught.value.faults} == {"--workers", "--deviation"}


def caused(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (OSError(errno.ESTALE, "stale"), True),
        (OSError(errno.EIO, "input/output"), True),
        (TimeoutError(), True),
        (ConnectionResetError(), True),
        (caused(LibraryFaultError("cannot be read"), OSError(errno.EIO, "input/output")), True),
        (FileNotFoundError(errno.ENOENT, "none"), False),
        (PermissionError(errno.EACCES, "no"), False),
        (OSError(errno.ENOSPC, "full"), False),
        (OSError("truncated file"), False),
        (LibraryFaultError("a web page"), False),
        (UserInputError([]), False),
        (MemoryError(), False),
    ],
)
def test_only_what_passes_by_itself_is_tried_again(error, passes):
    assert can_recover(error) is passes


def test_a_storage_that_fails_is_not_remembered_as_a_faulty_library(monkeypatch):
    import hiaim_sc.ingest

    inputs = SimpleNamespace(
        keys={}, library_files=None, options=Options(), table=lambda _name: None
    )

    def fail(cause):
        def read(*_, **__):
            msg = "L1.h5 cannot be read"
            raise LibraryFaultError(msg) from cause

        monkeypatch.setattr(hiaim_sc.ingest, "read_library", read)

    fail(OSError(errno.EIO, "input/output"))
    with pytest.raises(LibraryFaultError):
        ingest(inputs)
    fail(OSError("truncated file"))
    assert ingest(inputs) == {"fault": {"reason": "L1.h5 cannot be read", "gate": ""}}


def test_a_storage_that_fails_is_not_remembered_as_a_faulty_screen(monkeypatch):
    import hiaim_sc.dna_barcodes.bulk
    import hiaim_sc.study.read_layouts
    import hiaim_sc.study.tag_files

    files = SimpleNamespace(
        layout=Path("layout.yaml"), sample_tags=None, tags_a=None, tags_b=None, reads=()
    )
    inputs = SimpleNamespace(screen_files=files, options=Options())
    monkeypatch.setattr(hiaim_sc.study.read_layouts, "read_layout", lambda *_: None)
    monkeypatch.setattr(hiaim_sc.study.tag_files, "read_tags", lambda *_: None)

    def fail(cause):
        def count(*_):
            msg = "reads.fastq.gz cannot be read"
            raise LibraryFaultError(msg) from cause

        monkeypatch.setattr(hiaim_sc.dna_barcodes.bulk, "count_screen", count)

    fail(OSError(errno.ESTALE, "stale file handle"))
    with pytest.raises(LibraryFaultError):
        screen_counts(inputs)
    fail(EOFError("cut short"))
    assert screen_counts(inputs) == {"fault": {"reason": "reads.fastq.gz cannot be read"}}


def test_a_fault_keeps_its_gate_on_its_way_between_processes():
    fault = pickle.loads(pickle.dumps(LibraryFaultError("few", gate="join_rate")))
    assert (fault.reason, fault.gate) == ("few", "join_rate")
