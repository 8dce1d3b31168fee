"""What is asked of a Prefect server on a study's behalf, whatever others have changed there."""

from __future__ import annotations

from types import SimpleNamespace
from uuid import uuid4

import pytest

import flows._deployment
from flows._deployment import start_run


class Server:
    """A client that answers for a server with one deployment, and keeps what it is asked."""

    def __init__(self, request):
        self.deployment = SimpleNamespace(
            id=uuid4(), parameters={"study": "/data/study", "request": request}
        )
        self.asked = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def read_deployment_by_name(self, name):
        assert name == "study/mine"
        return self.deployment

    def create_flow_run_from_deployment(self, _identifier, *, parameters):
        self.asked.append(parameters)
        return SimpleNamespace(id=uuid4())


@pytest.fixture
def serve(monkeypatch):
    def build(**request):
        server = Server(request)
        monkeypatch.setattr(flows._deployment, "get_client", lambda **_: server)
        return server

    return build


def test_what_starts_by_itself_is_blinded_whatever_the_deployment_says(serve):
    server = serve(arms="unblind", deviation="I was curious", store="/data/store")
    start_run("study/mine", "start")
    (parameters,) = server.asked
    assert parameters == {
        "study": "/data/study",
        "request": {
            "arms": "blinded",
            "deviation": "",
            "store": "/data/store",
            "only_if_new": True,
            "because": "start",
        },
    }
