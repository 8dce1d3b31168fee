"""A run looks before it computes, and keeps a record of both."""

from __future__ import annotations

import pandas as pd
import pytest

from flows._progress import NoProgress
from flows._run import StudyRun
from hiaim_sc.config import StudyConfig
from hiaim_sc.storage import Store


class Study:
    """Stands in for a study folder: a run reads its configuration only."""

    config = StudyConfig.model_validate(
        {
            "study": "trial",
            "design": {
                "arms": ["control", "exercise"],
                "visits": {"baseline": 0},
                "tissues": ["blood"],
            },
        }
    )


class Computer:
    """Computes a stage by storing its own name; remembers what it was asked for."""

    def __init__(self):
        self.titles = []

    def __call__(self, calls):
        for call in calls:
            self.titles.append(call.title)
            Store(call.store).put(call.recipe, {"result": {"title": call.title}})
            yield call, 0.5, ""


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def test_only_what_is_not_in_the_store_is_computed(store):
    first, second = Computer(), Computer()
    run = StudyRun(Study(), store, NoProgress(), first)
    run.complete("qc", [run.call("qc", {"ingest": "k1"}, library_id="L1")])
    again = StudyRun(Study(), store, NoProgress(), second)
    calls = [again.call("qc", {"ingest": k}, library_id=n) for k, n in [("k1", "L1"), ("k2", "L2")]]
    again.complete("qc", calls)
    assert first.titles == ["qc L1"]
    assert second.titles == ["qc L2"]
    assert [(r.library_id, r.status, r.why, r.seconds) for r in again.records] == [
        ("L1", "reused", "nothing changed", 0.0),
        ("L2", "recomputed", "first run", 0.5),
    ]
    assert again.store.get(calls[1].recipe.key).read("result") == {"title": "qc L2"}


def test_a_dry_run_writes_nothing_and_knows_the_same_keys(store, tmp_path):
    table = pd.DataFrame({"library_id": ["L1"]})
    dry = StudyRun(Study(), store, NoProgress())
    call = dry.call("clones", {"layout": dry.value("layout", table)})
    dry.complete("clones", [call])
    assert list(tmp_path.iterdir()) == []
    assert [r.status for r in dry.records] == ["recomputed"]
    real = StudyRun(Study(), store, NoProgress(), Computer())
    assert real.call("clones", {"layout": real.value("layout", table)}).recipe == call.recipe


def test_progress_counts_what_is_computed(store):
    told = []

    class Progress:
        def start(self, what, total):
            told.append((what, total))

        def advance(self, title):
            told.append(title)

    run = StudyRun(Study(), store, Progress(), Computer())
    calls = [run.call("qc", {"ingest": k}, library_id=k) for k in ("a", "b")]
    run.complete("cell QC", calls)
    run.complete("cell QC", calls)
    assert told == [("cell QC", 2), "qc a", "qc b"]
