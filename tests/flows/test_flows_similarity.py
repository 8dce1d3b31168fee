"""The cost of similarity clusters is said before they start, and too high a one is refused."""

from __future__ import annotations

import pytest

from flows._progress import NoProgress
from flows._run import StudyRun
from flows.annotate_clones import annotate_clones
from hiaim_sc.config import StudyConfig
from hiaim_sc.errors import UserInputError
from hiaim_sc.storage import Store

COST = {"n_sequences": 1200, "n_pairs": 719400, "seconds": 3.4}
COHORT = {name: name for name in ("cells", "embedding", "cell_scores", "clone_tables")}


class Study:
    """Stands in for a study folder: only its configuration is read."""

    def __init__(self, **similarity):
        design = {"arms": ["a", "b"], "visits": {"baseline": 0}, "tissues": ["blood"]}
        options = {"similarity": similarity}
        self.config = StudyConfig.model_validate(
            {"study": "trial", "design": design, "options": options}
        )

    def database_files(self):
        return ()


class Said(NoProgress):
    """Remembers what was announced."""

    def __init__(self):
        self.words = []

    def start(self, what, total):
        self.words.append(what)


def compute(calls):
    for call in calls:
        Store(call.store).put(call.recipe, {"cost": COST})
        yield call, 0.1, ""


def annotate(folder, **similarity):
    said = Said()
    keys = annotate_clones(StudyRun(Study(**similarity), Store(folder), said, compute), COHORT)
    return set(keys), said.words


def test_nothing_is_clustered_unless_asked_for(tmp_path):
    keys, words = annotate(tmp_path)
    assert keys == {"clone_phenotypes"}
    assert words == ["phenotypes of clones"]


def test_sequences_pairs_and_seconds_are_said_before_the_start(tmp_path):
    keys, words = annotate(tmp_path, metric="hamming")
    assert keys == {"clone_phenotypes", "similarity"}
    assert words[:2] == [
        "cost of similarity clusters",
        "similarity clusters (1,200 sequences, 719,400 pairs, about 3 s of processor time)",
    ]


def test_more_pairs_than_the_limit_are_refused_with_their_number(tmp_path):
    with pytest.raises(UserInputError, match="719,400") as error:
        annotate(tmp_path, metric="tcrdist", max_pairs=719_399)
    assert "options.similarity.max_pairs" in str(error.value)
