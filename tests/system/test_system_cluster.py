"""The same study on processes, on a local Dask and on SLURM; jobs and workers that are lost."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
import yaml
from operations_guide import block
from slurm_node import ask, one_node_cluster

pytestmark = [pytest.mark.long]


@pytest.fixture(scope="module")
def small(simulate):
    return simulate(n_patients=2, cells_per_library=150, seed=5) / "study"


@pytest.fixture(scope="module")
def by_processes(small, hiaim, tmp_path_factory):
    """Release of the study computed by processes of this machine."""
    study = tmp_path_factory.mktemp("processes") / "study"
    shutil.copytree(small, study)
    return hiaim.release(study, "--workers", 2, "--blinded")


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    with one_node_cluster(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment


class Cluster(NamedTuple):
    """The command line on a SLURM cluster."""

    environment: dict[str, str]
    profile: Path

    def command(self, number: int, study: Path) -> list[str]:
        """A command of the guide, for this study and profile."""
        text = block("A cluster", "hiaim-sc run").filled(
            **{"STUDY": study, "/srv/hiaim-sc/cluster.yaml": self.profile}
        )
        program, *words = shlex.split(text.splitlines()[number])
        return [str(Path(sys.executable).with_name(program)), *words]

    def start(self, study: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(0, study),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def release(self, run: subprocess.Popen[str]) -> Path:
        out, _ = run.communicate(timeout=500)
        assert run.returncode == 0, out
        line = next(line for line in out.splitlines() if line.startswith("release: "))
        return Path(line.removeprefix("release: ").strip())

    def jobs(self, name: str) -> list[str]:
        """Ids of the jobs of this name that wait or run."""
        return ask(self.environment, "squeue", "-h", "-n", name, "-o", "%i").split()

    def at_work(self, name: str) -> list[str]:
        """Ids of the running jobs of this name whose worker has reported to the scheduler."""
        words = ("squeue", "-h", "-t", "R", "-n", name, "-o", "%i")
        running = ask(self.environment, *words).split()
        logs = {job: self.profile.parent / "logs" / f"{name}-{job}.err" for job in running}
        told = {job: log.read_text() if log.exists() else "" for job, log in logs.items()}
        return [job for job in running if "Registered to" in told[job]]


@pytest.fixture
def cluster(hiaim, slurm, tmp_path):
    profile = tmp_path / "slurm.yaml"
    settings = {
        "runner": "slurm",
        "library": {"memory": "3GiB", "walltime": "00:20:00", "queue": "main", "max_jobs": 2},
        "cohort": {"memory": "4GiB", "walltime": "00:20:00", "queue": "main"},
        "interface": "lo",
        "log_directory": str(tmp_path / "logs"),
        "local_directory": str(tmp_path / "scratch"),
    }
    profile.write_text(yaml.safe_dump(settings))
    return Cluster({**hiaim.environment, **slurm}, profile)


def tables_of(release: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((release / "tables").iterdir())}


def tasks_of(release: Path) -> list[dict[str, str]]:
    return json.loads((release / "manifest.json").read_text())["tasks"]


def stored(study: Path) -> dict[str, int]:
    """Artefact: inode of its record, which changes when it is written anew."""
    records = (study / ".hiaim" / "artefacts").glob("*/*/artefact.json")
    return {path.parent.name: path.stat().st_ino for path in records}


def wait_until(condition, seconds=240):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)


def test_a_local_dask_gives_the_same_bytes(small, by_processes, hiaim, tmp_path):
    shutil.copytree(small, tmp_path / "study")
    words = ("--profile", "dask", "--workers", 2, "--blinded")
    release = hiaim.release(tmp_path / "study", *words)
    assert tables_of(release) == tables_of(by_processes)


@pytest.mark.slurm
def test_lost_jobs_and_workers_cost_only_what_they_had_in_hand(
    small, by_processes, cluster, tmp_path
):
    study = tmp_path / "study"
    shutil.copytree(small, study)
    run = cluster.start(study)
    # the first job, before its worker has reported
    wait_until(lambda: cluster.jobs("hiaim-library"))
    assert not cluster.at_work("hiaim-library")
    ask(cluster.environment, "scancel", *cluster.jobs("hiaim-library"))
    wait_until(lambda: len(stored(study)) >= 4 and cluster.at_work("hiaim-library"))
    before = stored(study)
    cancelled = cluster.at_work("hiaim-library")[0]
    ask(cluster.environment, "scancel", cancelled)
    wait_until(lambda: cluster.at_work("hiaim-cohort"))
    heard_at = kill_worker(cluster.at_work("hiaim-cohort")[0])
    release = cluster.release(run)
    assert heard_at == {"0100007F"}  # `interface` and loopback are one here; nothing on all of them
    assert tables_of(release) == tables_of(by_processes)
    after = stored(study)
    assert {key: after[key] for key in before} == before
    keys = [task["key"] for task in tasks_of(release)]
    assert len(keys) == len(set(keys))
    assert {task["status"] for task in tasks_of(release)} == {"recomputed"}
    wait_until(lambda: not ask(cluster.environment, "squeue", "-h"), 60)
    said = "".join(log.read_text() for log in cluster.profile.parent.glob("logs/*.err"))
    assert re.search(r"Registered to: +tls://", said)
    assert "tcp://" not in said
    assert not list(cluster.profile.parent.glob("logs/.dask-*"))  # the keys of the run


def kill_worker(job: str) -> set[str]:
    """Kill -9 the Dask worker process of a job; its nanny starts another. Where it listened."""
    found: list[int] = []

    def look() -> bool:
        processes = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
        found[:] = [pid for pid in processes if own(pid)]
        return bool(found)

    def own(pid: int) -> bool:
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False
        return f"SLURM_JOB_ID={job}\0".encode() in environment and b"spawn_main" in words

    wait_until(look)
    heard_at = addresses_of(found[0])
    os.kill(found[0], signal.SIGKILL)
    return heard_at


def addresses_of(pid: int) -> set[str]:
    """The addresses, as the kernel writes them, that a process listens at."""
    sockets = {str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()}
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {
        line[1].split(":")[0]
        for line in lines
        if line[3] == "0A" and f"socket:[{line[9]}]" in sockets
    }


@pytest.mark.slurm
def test_a_cluster_needs_a_server_that_its_nodes_reach(small, cluster, hiaim):
    environment = {k: v for k, v in cluster.environment.items() if k != "PREFECT_API_URL"}
    done = subprocess.run(
        [hiaim.command, "run", str(small), "--profile", str(cluster.profile)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "PREFECT_API_URL" in done.stderr


@pytest.mark.slurm
def test_a_deployment_runs_on_the_cluster(small, cluster, prefect_server, tmp_path):
    study = Path(shutil.copytree(small, tmp_path / "study"))
    settings = study / "study.yaml"
    settings.write_text(settings.read_text().replace("study: simulated", "study: on-slurm"))
    subprocess.run(cluster.command(1, study), env=cluster.environment, check=True)
    found = httpx.get(f"{prefect_server}/deployments/name/study/on-slurm", trust_env=False).json()
    assert found["parameters"]["request"]["profile"] == str(cluster.profile)
    assert found["schedules"][0]["schedule"]["cron"] == "0 5 * * *"
