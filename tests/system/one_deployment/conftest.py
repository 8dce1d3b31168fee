"""A small study that is deployed as the guide says, with a worker and a watcher at work."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from operations_guide import block

from flows._server import stop_tree


class Deployed(NamedTuple):
    """A study that is deployed, with a worker and a watcher, as the guide says."""

    study: Path
    api: str
    library: Path
    row: dict[str, str]

    def ask(self, path, **wanted):
        return httpx.post(f"{self.api}{path}", json=wanted, trust_env=False, timeout=60).json()

    def deployment(self):
        name = "/deployments/name/study/deployed"
        return httpx.get(f"{self.api}{name}", trust_env=False, timeout=60).json()

    def runs(self):
        """Flow runs of the deployment that somebody or something asked for, oldest first."""
        only = {"name": {"any_": ["deployed"]}}
        found = self.ask("/flow_runs/filter", deployments=only, sort="EXPECTED_START_TIME_ASC")
        return [run for run in found if not run["auto_scheduled"]]

    def wait_for(self, look, seconds=300):
        deadline = time.monotonic() + seconds
        while not (found := look()):
            failed = [r for r in self.runs() if r["state_type"] in {"FAILED", "CRASHED"}]
            assert not failed, failed
            assert time.monotonic() < deadline, [r["state_name"] for r in self.runs()]
            time.sleep(0.3)
        return found

    def releases(self):
        return sorted(path.parent for path in self.study.glob("results/2*/manifest.json"))


@pytest.fixture(scope="session")
def deployed(simulate, hiaim, prefect_server, tmp_path_factory):
    """Seven of eight libraries are there; the deployment was made twice, and has run once."""
    folder = tmp_path_factory.mktemp("deployed")
    study = folder / "study"
    shutil.copytree(simulate(n_patients=2, cells_per_library=30, seed=6) / "study", study)
    settings = study / "study.yaml"
    text = settings.read_text().replace("study: simulated", "study: deployed")
    arrivals = block("Arrivals", "options:").filled(**{"300 ": "1 "})
    settings.write_text(text.replace("options: {}", arrivals))
    header, *rows = (study / "libraries.tsv").read_text().splitlines()
    (study / "libraries.tsv").write_text("\n".join([header, *rows[:-1]]) + "\n")
    row = dict(zip(header.split("\t"), rows[-1].split("\t"), strict=True))
    library = (study / "libraries" / row["library_id"]).rename(folder / row["library_id"])
    done = hiaim("deploy", study, "--pool", "cores", "--cron", "0 1 * * *")
    assert done.code == 0, done.err
    script = block("On a Prefect server that is there", "export").filled(
        **{"STUDY": shlex.quote(str(study)), "http://127.0.0.1:4200/api": prefect_server}
    )
    export, deploy, *staying = script.splitlines()
    unit = block("On a Prefect server that is there", "[Service]").filled(
        **{"/srv/hiaim-sc/.venv/bin/": f"{shlex.quote(str(Path(hiaim.command).parent))}/"}
    )
    (service,) = re.findall(r"^ExecStart=(.+)$", unit, re.MULTILINE)
    assert service.endswith(staying[0])
    staying[0] = service
    environment = hiaim.environment | {"PATH": f"{Path(hiaim.command).parent}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-euc", f"{export}\n{deploy}"], env=environment, check=True)
    processes = []
    try:
        for number, command in enumerate(staying):
            with (folder / f"{number}.log").open("wb") as log:
                processes.append(
                    subprocess.Popen(
                        ["bash", "-euc", f"{export}\nexec {command}"],
                        env=environment,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                    )
                )
        found = Deployed(study, prefect_server, library, row)
        found.wait_for(found.releases)
        # what is there is taken in, too, which is no news
        found.wait_for(lambda: [r["state_type"] for r in found.runs()] == ["COMPLETED"] * 2)
        yield found
    finally:
        for process in processes:
            stop_tree(process)
