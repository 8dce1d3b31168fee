"""What Prefect is told of faults in the user's input: where they are, and nothing of a patient."""

from __future__ import annotations

import pickle
import shutil
from types import SimpleNamespace
from uuid import uuid4

import pytest
import typer

from flows import _tasks
from flows._cli_options import faults_reported
from flows._closed_faults import ClosedInputError, faults_closed
from flows._request import RunRequest
from flows.study import study_flow
from hiaim_sc.errors import Fault, UserInputError

PATIENT = "MRN-0042-Jensen"
FAULTS = (
    Fault("allocation.tsv", 0, "patient_id", PATIENT, f"an arm for {PATIENT}"),
    Fault("allocation.tsv", 0, "patient_id", "P2", "an arm"),
    Fault("samples.tsv", 1, PATIENT, "", "a name for column 2"),
    Fault("samples.tsv", 7, "patient_id", PATIENT, f"a patient (did you mean {PATIENT}?)"),
    Fault("study.yaml", 0, "design.strata", "[]", "the columns that were randomised in"),
)


def fail(_call=None):
    raise UserInputError(FAULTS)


def test_places_are_told_and_what_stands_there_is_not():
    with pytest.raises(ClosedInputError) as caught, faults_closed():
        fail()
    assert str(caught.value).splitlines() == [
        "5 faults in the input:",
        "  allocation.tsv, patient_id",
        "  samples.tsv line 1",
        "  samples.tsv line 7, patient_id",
        "  study.yaml, design.strata: '[]': the columns that were randomised in",
        "`hiaim-sc validate STUDY` lists them, or the same run on a terminal",
    ]
    assert PATIENT not in "".join(map(str, caught.value.args))
    assert caught.value.__suppress_context__


def test_on_the_terminal_all_of_it_is_told(capsys):
    with pytest.raises(typer.Exit) as caught, faults_reported(), faults_closed():
        fail()
    assert caught.value.exit_code == 2
    assert capsys.readouterr().err == f"{UserInputError(FAULTS)}\n"


def test_a_stage_in_a_worker_tells_places_only(monkeypatch):
    monkeypatch.setattr(_tasks, "execute", fail)
    with pytest.raises(ClosedInputError) as caught:
        _tasks.run_stage.fn(None, "comparisons")
    arrived = pickle.loads(pickle.dumps(caught.value))
    assert str(arrived) == str(caught.value)
    assert arrived.faults == FAULTS


@pytest.fixture
def run(simulate, tmp_path, monkeypatch):
    """Call the flow, on a study in which some text of a table was replaced."""
    folder = shutil.copytree(simulate(n_patients=2, cells_per_library=10) / "study", tmp_path / "s")
    monkeypatch.setattr("flows.study.flow_run", SimpleNamespace(get_id=uuid4))
    monkeypatch.setattr("flows.study.end_with_server", lambda: None)

    def call(table, old, new, **request):
        path = folder / table
        path.write_text(path.read_text().replace(old, new))
        return study_flow.fn(str(folder), RunRequest(**request))

    return call


def test_a_run_by_itself_names_no_unknown_patient(run):
    with pytest.raises(ClosedInputError, match=r"samples\.tsv line \d+, patient_id\n") as caught:
        run("samples.tsv", "\tP01\t", f"\t{PATIENT}\t", only_if_new=True)
    assert PATIENT not in str(caught.value)
    assert PATIENT in {fault.value for fault in caught.value.faults}


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [("P01\t", f"{PATIENT}\t", "patient_id"), ("control", "placebo", "arm")],
)
def test_a_faulty_allocation_is_refused_before_any_stage_and_stays_sealed(run, old, new, where):
    with pytest.raises(ClosedInputError, match=rf"allocation\.tsv.*, {where}") as caught:
        run("allocation.tsv", old, new, arms="explore")
    assert not {PATIENT, "placebo", "P01"} & set(str(caught.value).replace("'", " ").split())
