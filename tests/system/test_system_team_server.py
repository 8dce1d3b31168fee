"""A server for a team, set up as the guide says: PostgreSQL, passwords, no forged requests."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path

import httpx
import pytest
from operations_guide import block
from private_postgres import private_postgres

from flows._server import free_port, stop_process

pytestmark = [pytest.mark.long, pytest.mark.postgres]

GUIDE = "A server for a team"
PASSWORD = "team:correct-horse"
# a request that changes something fails for want of a token first
REFUSED = {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}
OPEN_TO_ALL = {"/health", "/ready"}


def read_settings(text):
    pairs = [line.split("=", 1) for line in text.splitlines() if re.match(r"[A-Z_]+=", line)]
    return dict(pairs)


def make_database(postgres):
    """Run what the guide has root run."""
    if os.geteuid() != 0:
        pytest.skip("the guide's commands are root's")
    script = block(GUIDE, "apt-get").filled(SECRET="s3cret")
    done = subprocess.run(
        ["bash", "-euc", script],
        env={**os.environ, **postgres, "DEBIAN_FRONTEND": "noninteractive"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Address of a server that is started as the guide's service is."""
    home, port = tmp_path_factory.mktemp("team"), free_port()
    with private_postgres() as postgres:
        make_database(postgres)
        secrets = block(GUIDE, "PREFECT_SERVER_DATABASE_CONNECTION_URL").filled(
            **{"SECRET": "s3cret", "5432": postgres["PGPORT"], "team:PASSWORD": PASSWORD}
        )
        (home / "secrets.env").write_text(secrets)
        repository = Path(__file__).parents[2]
        unit = block(GUIDE, "[Service]").filled(
            **{
                "/etc/hiaim/secrets.env": home / "secrets.env",
                "/srv/hiaim-sc/configs": repository / "configs",
                "/srv/hiaim-sc/.venv/bin/prefect": Path(sys.executable).with_name("prefect"),
                "4200": port,
            }
        )
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
        for path in re.findall(r"^EnvironmentFile=(.+)$", unit, re.MULTILINE):
            environment |= read_settings(Path(path).read_text())
        (command,) = re.findall(r"^ExecStart=(.+)$", unit, re.MULTILINE)
        with (home / "server.log").open("wb") as log:
            process = subprocess.Popen(
                shlex.split(command),
                env={**environment, "PREFECT_HOME": str(home), "HOME": str(home)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_until_healthy(process, f"http://127.0.0.1:{port}/api", home / "server.log")
            yield f"http://127.0.0.1:{port}/api"
        finally:
            stop_process(process)


def wait_until_healthy(process, api, log):
    deadline = time.monotonic() + 180
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"{api}/health", trust_env=False).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    pytest.fail(log.read_text())


def test_a_run_records_every_task_run(server, simulate, hiaim, tmp_path):
    study = tmp_path / "study"
    shutil.copytree(simulate(n_patients=2, cells_per_library=60, seed=2) / "study", study)
    ours = type(hiaim)(server)
    exports = block(GUIDE, "export").filled(
        **{"http://127.0.0.1:4200/api": server, "team:PASSWORD": PASSWORD}
    )
    ours.environment |= read_settings(exports.removeprefix("export ").replace(" ", "\n"))
    release = ours.release(study, "--workers", 2)
    tasks = json.loads((Path(release) / "manifest.json").read_text())["tasks"]
    with httpx.Client(
        base_url=server, auth=tuple(PASSWORD.split(":")), trust_env=False, timeout=60
    ) as client:
        token = client.get("/csrf-token", params={"client": "tests"}).json()["token"]
        headers = {"Prefect-Csrf-Token": token, "Prefect-Csrf-Client": "tests"}
        done = {"task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
        found = client.post("/task_runs/count", json=done, headers=headers).json()
        forged = client.post("/task_runs/count", json=done)
    assert found == sum(task["status"] == "recomputed" for task in tasks) > 20
    assert forged.status_code == httpx.codes.FORBIDDEN


def test_slots_of_deployments_outlive_a_restart(server):
    with httpx.Client(base_url=server, auth=tuple(PASSWORD.split(":")), trust_env=False) as client:
        settings = client.get("/admin/settings", timeout=60).json()
    assert settings["server"]["concurrency"]["lease_storage"].endswith(".filesystem")


def test_without_the_password_nothing_but_health_is_told(server):
    with httpx.Client(base_url=server.removesuffix("/api"), trust_env=False, timeout=60) as client:
        paths = client.get("/openapi.json").json()["paths"]
        told = set()
        for path, methods in paths.items():
            address = re.sub(r"\{[^}]+\}", str(uuid.uuid4()), path)
            for method in {"get", "post", "put", "patch", "delete"} & set(methods):
                answer = client.request(
                    method, f"/api{address}", json=None if method == "get" else {}
                )
                if answer.status_code not in REFUSED:
                    told.add(path)
    assert len(paths) > 100
    assert told == OPEN_TO_ALL


def test_it_listens_on_loopback_only(server):
    port = int(server.removesuffix("/api").rsplit(":", 1)[1])
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    listening = {line.split()[1] for line in lines if line.split()[3] == "0A"}
    assert {address for address in listening if address.endswith(f":{port:04X}")} == {
        f"0100007F:{port:04X}"
    }
