"""A Prefect server for a team: PostgreSQL, passwords, protection against forged requests."""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from pathlib import Path

import httpx
import pytest
from private_postgres import private_database

from flows._server import free_port, local_server

pytestmark = [pytest.mark.slow, pytest.mark.postgres]

PASSWORD = "admin:correct-horse"
# a request that changes something fails for want of a token first
REFUSED = {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}
OPEN_TO_ALL = {"/health", "/ready"}


def settings_file() -> dict[str, str]:
    """What configs/server.env sets."""
    lines = (Path(__file__).parents[2] / "configs" / "server.env").read_text().splitlines()
    pairs = [line.split("=", 1) for line in lines if re.match(r"[A-Z_]+=", line)]
    return dict(pairs)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Address of a server as configs/server.env has it, on a database of its own."""
    before = dict(os.environ)
    with private_database() as url:
        os.environ.pop("PREFECT_API_URL", None)
        os.environ.update(settings_file())
        os.environ["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = url
        os.environ["PREFECT_SERVER_API_AUTH_STRING"] = PASSWORD
        with local_server(tmp_path_factory.mktemp("team"), free_port()) as api:
            # other tests have a server of their own
            os.environ.clear()
            os.environ.update(before)
            yield api


def test_a_run_records_every_task_run(server, simulate, hiaim, tmp_path):
    study = tmp_path / "study"
    shutil.copytree(simulate(n_patients=2, cells_per_library=60, seed=2) / "study", study)
    ours = type(hiaim)(server)
    ours.environment["PREFECT_API_AUTH_STRING"] = PASSWORD
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
