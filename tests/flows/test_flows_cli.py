"""The command line: what it says, and with which exit code."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from getpass import getuser
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from flows._cli_options import faults_reported
from flows._presence import only_one
from flows._profile import read_profile
from flows._server import free_port
from flows.cli import app
from hiaim_sc.errors import UserInputError

COMMANDS = [
    *("simulate", "validate", "plan", "run", "freeze", "power", "status", "release-library"),
    *("serve", "deploy", "watch", "ui", "gc", "diff", "purge"),
]


def call(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    done = call("simulate", "--out", folder / "study", "--patients", 2, "--cells", 30, "--seed", 5)
    assert done.exit_code == 0, done.output
    return folder / "study"


def test_help_names_every_command_and_the_exit_codes():
    done = call("--help")
    assert done.exit_code == 0
    assert all(command in done.output for command in COMMANDS)
    assert "Exit codes" in done.output


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command):
    done = call(command, "--help")
    assert done.exit_code == 0
    assert len(done.output.splitlines()) > 8


def test_simulate_keeps_the_truth_apart(study):
    assert (study / "study.yaml").is_file()
    truth = study.with_name("study_truth")
    assert sorted(path.name for path in truth.glob("*.tsv")) == ["cells.tsv", "effects.tsv"]
    assert not list(study.glob("*truth*"))


def test_simulate_does_not_overwrite(study):
    done = call("simulate", "--out", study)
    assert done.exit_code == 2
    assert str(study) in done.output.replace("\n", "")


def test_a_simulated_study_is_valid(study):
    done = call("validate", study)
    assert done.exit_code == 0
    assert "no fault found; 2 patients, 8 expected samples, 8 delivered libraries" in done.output


def test_validate_notes_batches_that_nearly_follow_the_arms_and_finds_no_fault(study, monkeypatch):
    monkeypatch.setattr("hiaim_sc.study.note_batches", lambda found, arms: ["batches nearly"])
    done = call("validate", study)
    assert done.exit_code == 0
    assert done.output.splitlines()[-1] == "note: batches nearly"


def test_validate_opens_the_allocation_and_prints_only_its_faults(study):
    allocation = study / "allocation.tsv"
    text = allocation.read_text()
    try:
        allocation.write_text(text.replace("control", "placebo"))
        done = call("validate", study)
    finally:
        allocation.write_text(text)
    assert done.exit_code == 2
    assert "allocation.tsv" in done.output
    assert "placebo" in done.output
    assert "P01\texercise" not in done.output


def test_plan_computes_everything_once_and_writes_nothing(study):
    done = call("plan", study)
    assert done.exit_code == 0
    assert " to compute, 0 to reuse" in done.output
    for stage in ("ingest", "receptors", "qc", "genes", "specificity"):
        assert len(re.findall(rf"│ {stage} +│ L\d+ ", done.output)) == 8
    for stage in ("clones", "comparisons"):
        assert len(re.findall(rf"│ {stage} +│ +│", done.output)) == 1
    assert not (study / ".hiaim").exists()


def test_status_says_that_libraries_have_arrived(study):
    done = call("status", study)
    assert done.exit_code == 0
    assert done.output.count("arrived") == 8


def test_ui_without_a_run_says_what_to_do(study):
    done = call("ui", study)
    assert done.exit_code == 1
    assert "run the study first" in done.output


def test_ui_on_a_port_that_is_taken_is_refused(tmp_path):
    (tmp_path / "prefect").mkdir()
    (tmp_path / "prefect" / "prefect.db").touch()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = call("ui", tmp_path, "--store", tmp_path, "--port", port)
    assert done.exit_code == 2
    assert f"--port: '{port}'" in done.output


def test_the_ui_that_another_command_serves_is_named(tmp_path):
    with only_one(tmp_path, "server", api="http://127.0.0.1:4711/api"):
        done = call("ui", tmp_path, "--store", tmp_path)
    assert done.exit_code == 0
    assert "http://127.0.0.1:4711/runs " in done.output


def test_the_ui_beside_a_run_of_its_own_server_is_refused(tmp_path):
    (tmp_path / "prefect").mkdir()
    (tmp_path / "prefect" / "prefect.db").touch()
    with only_one(tmp_path, "server"):
        done = call("ui", tmp_path, "--store", tmp_path)
    assert done.exit_code == 2
    assert "another is at work" in done.output


def test_a_run_starts_no_server_beside_the_one_that_looks_after_the_store(study, monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "ERROR")
    with only_one(study / ".hiaim", "server", api="http://127.0.0.1:4200/api"):
        done = call("run", study, "--blinded")
    shutil.rmtree(study / ".hiaim")
    assert done.exit_code == 2
    assert "set PREFECT_API_URL=http://127.0.0.1:4200/api" in done.output
    assert not (study / "results").exists()


class Refuses(BaseHTTPRequestHandler):
    """A server that knows nobody."""

    def do_GET(self):
        self.send_error(401)

    def log_message(self, *_):
        return


@pytest.fixture
def api():
    """The address of a server that refuses everybody, while it is there."""
    server = HTTPServer(("127.0.0.1", 0), Refuses)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://me:secret@127.0.0.1:{server.server_port}/api"
    server.shutdown()
    thread.join()
    server.server_close()


def call_with_server(api, *words):
    return subprocess.run(
        [Path(sys.executable).with_name("hiaim-sc"), *map(str, words)],
        env={**os.environ, "PREFECT_API_URL": api},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.parametrize("command", ["deploy", "watch", "run"])
def test_a_server_that_is_not_there_is_named(study, command):
    api = f"http://127.0.0.1:{free_port()}/api"
    done = call_with_server(api, command, study)
    assert done.returncode == 1
    assert f"PREFECT_API_URL: {api} cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_server_that_lets_nobody_in_is_named_without_the_password(study, api):
    done = call_with_server(api, "deploy", study)
    assert done.returncode == 1
    assert "/api refuses us (401): is PREFECT_API_AUTH_STRING" in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_study_is_the_users_fault(tmp_path):
    for command in ("validate", "plan", "run", "status"):
        done = call(command, tmp_path / "nowhere")
        assert done.exit_code == 2
        assert "nowhere" in done.output.replace("\n", "")


def test_an_unknown_profile_names_the_known_ones():
    with pytest.raises(UserInputError, match="one of dask, local, slurm, or a YAML file"):
        read_profile("cloud")
    assert read_profile("local", workers=3).n_workers == 3
    assert read_profile("local").n_workers >= 1


def test_logs_of_a_cluster_lie_in_the_store_or_where_the_profile_says(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("{runner: slurm, log_directory: logs}")
    assert read_profile(str(mine), store=tmp_path).log_directory == tmp_path / "logs"
    mine.write_text("{runner: slurm, log_directory: /scratch/logs}")
    found = read_profile(str(mine), workers=7, store=tmp_path)
    assert found.log_directory == Path("/scratch/logs")
    assert found.library.max_jobs == 7
    shipped = read_profile("slurm", store=tmp_path)
    assert shipped.log_directory == tmp_path / "slurm-logs"
    assert shipped.library.max_jobs == 20


def test_what_the_machine_refuses_is_said_in_words(capsys):
    with pytest.raises(typer.Exit) as caught, faults_reported():
        Path("/proc/nobody/here").write_text("")
    assert caught.value.exit_code == 1
    said = f"No such file or directory: /proc/nobody/here (as user {getuser()})\n"
    assert capsys.readouterr().err == said
    ours = OSError("of ours")
    with pytest.raises(OSError, match="of ours"), faults_reported():
        raise ours


@pytest.mark.parametrize("text", ["workers: many", "threads: 2", "workers: [1"])
def test_a_faulty_profile_is_the_users_fault(tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(UserInputError):
        read_profile(str(tmp_path / "mine.yaml"))


def test_validating_imports_nothing_heavy(study):
    code = (
        "import sys; from typer.testing import CliRunner; from flows.cli import app; "
        f"CliRunner().invoke(app, ['validate', {str(study)!r}]); "
        "print([m for m in ('scanpy', 'anndata', 'prefect', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_diff_says_what_changed_and_refuses_what_is_no_release(tmp_path):
    manifest = {"plan_hash": "p", "blinded": True, "code": {}, "tasks": [], "inputs": {}}
    for name, inputs in (("a", {"samples.tsv": "1"}), ("b", {"samples.tsv": "2"})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(json.dumps({**manifest, "inputs": inputs}))
    done = call("diff", tmp_path / "a", tmp_path / "b")
    assert done.exit_code == 0, done.output
    assert "samples.tsv" in done.output
    assert "no difference" in call("diff", tmp_path / "a", tmp_path / "a").output
    done = call("diff", tmp_path / "a", tmp_path)
    assert done.exit_code == 2
    assert "the folder of a release" in done.output.replace("\n", " ")


def test_power_needs_a_release_and_tells_what_is_detectable(study):
    done = call("power", study)
    assert done.exit_code == 2
    assert "hiaim-sc run --blinded" in done.output
    # P03 and later have left the study since
    patients = [f"P{i:02d}" for i in range(1, 9)]
    rows = [
        (patient, "", visit, "rest", "flow:NK", float(i % 5), "ln")
        for i, (patient, visit) in enumerate(
            (patient, visit) for visit in ("baseline", "week6") for patient in patients
        )
    ]
    columns = ["patient_id", "tissue", "visit", "session_phase", "endpoint"]
    table = pd.DataFrame(rows, columns=[*columns, "value_analysed", "scale"])
    tables = study / "results" / "latest" / "tables"
    tables.mkdir(parents=True)
    table.to_parquet(tables / "endpoints.parquet")
    done = call("power", study, "--patients", "27")
    assert done.exit_code == 0, done.output
    assert "flow:NK" in done.output
    assert " 27 " in done.output
    assert " 2 " in done.output
