"""The arms are opened under a frozen plan, or nothing counts as prespecified."""

from __future__ import annotations

import json
import shutil
import time

import pandas as pd
import pytest
import yaml

pytestmark = pytest.mark.slow

PLANNED = {"assay": "flow_cytometry", "analyte": "NK"}


@pytest.fixture(scope="module")
def measured(tmp_path_factory, hiaim):
    """A study of measurements alone, before any sequencing: 12 patients."""
    folder = tmp_path_factory.mktemp("measured")
    done = hiaim("simulate", "--out", folder / "study", "--patients", 12, "--cells", 10)
    assert done.code == 0, done.err
    for name in ("samples.tsv", "libraries.tsv", "antigens.tsv"):
        (folder / "study" / name).unlink()
    shutil.rmtree(folder / "study" / "libraries")
    rows = pd.read_csv(folder / "study" / "measurements.tsv", sep="\t")
    unit = rows.loc[rows["analyte"] == "NK", "unit"].iloc[0]
    plan_differently(folder / "study", registered_primary={**PLANNED, "unit": unit})
    return folder / "study"


@pytest.fixture
def study(measured, tmp_path):
    shutil.copytree(measured, tmp_path / "study")
    return tmp_path / "study"


def plan_differently(study, **changes):
    path = study / "study.yaml"
    config = yaml.safe_load(path.read_text())
    config["analysis_plan"] = {**config.get("analysis_plan", {}), **changes}
    path.write_text(yaml.safe_dump(config, sort_keys=False))


def read(release, name):
    return pd.read_csv(release / "tables" / f"{name}.tsv", sep="\t")


def test_a_frozen_plan_is_kept_or_its_deviation_is_on_record(study, hiaim):
    assert hiaim("run", study, "--unblind").code == 2  # nothing is frozen yet
    frozen = hiaim("freeze", study)
    assert frozen.code == 0
    release = hiaim.release(study, "--unblind")
    manifest = json.loads((release / "manifest.json").read_text())
    assert manifest["frozen_plan"]["plan_hash"] == manifest["plan_hash"]
    assert manifest["plan_hash"] in frozen.out
    primary = read(release, "comparisons").set_index("endpoint").loc["flow_cytometry:NK"]
    assert primary["family"] == primary["gate"] == "registered_primary"
    assert primary["prespecified"]
    assert primary["p_adj"] == primary["p_perm"]
    assert read(release, "deviations").empty

    measured = (study / "measurements.tsv").read_text()
    (study / "measurements.tsv").write_text(measured.rsplit("\n", 2)[0] + "\n")
    refused = hiaim("run", study, "--unblind")
    assert refused.code == 2
    assert "measurements.tsv" in refused.err
    assert f"in release {release.name}, the first that compared the arms" in refused.err
    (study / "measurements.tsv").write_text(measured)

    plan_differently(study, alpha=0.01)
    before = sorted((study / "results").iterdir())
    refused = hiaim("run", study, "--unblind")
    assert refused.code == 2
    assert "analysis_plan.alpha" in refused.err
    assert "0.05, as frozen on" in refused.err
    assert sorted((study / "results").iterdir()) == before
    release = hiaim.release(study, "--unblind", "--deviation", "the protocol was amended")
    assert not read(release, "comparisons")["prespecified"].any()
    (deviation,) = read(release, "deviations").to_dict("records")
    assert deviation["item"] == "analysis_plan.alpha: 0.05 -> 0.01"
    assert deviation["reason"] == "the protocol was amended"
    assert deviation["plan_hash_before"] == manifest["plan_hash"]
    assert deviation["plan_hash_after"] != manifest["plan_hash"]
    assert "the protocol was amended" in (release / "report.html").read_text()

    exploratory = hiaim.release(study)  # what was done once stays on record
    assert len(read(exploratory, "deviations")) == 1
    assert not read(exploratory, "comparisons")["prespecified"].any()


def test_a_plan_frozen_after_a_look_is_not_prespecified(study, hiaim):
    look = hiaim.release(study)
    time.sleep(1.1)  # times are recorded in seconds
    assert hiaim("freeze", study).code == 0
    release = hiaim.release(study, "--unblind")
    assert not read(release, "comparisons")["prespecified"].any()
    (deviation,) = read(release, "deviations").to_dict("records")
    assert deviation["item"] == f"arms: sealed -> compared in release {look.name}"


def test_options_that_contradict_each_other_are_refused(study, hiaim):
    both = hiaim("run", study, "--blinded", "--unblind")
    alone = hiaim("run", study, "--deviation", "because")
    assert both.code == alone.code == 2
    assert "--blinded --unblind" in both.err
    assert "only together with --unblind" in alone.err
    assert not (study / "results").exists()


def test_nothing_above_the_comparison_moves_with_the_allocation(study, hiaim):
    first = hiaim.release(study)
    path = study / "allocation.tsv"
    table = pd.read_csv(path, sep="\t")
    table.assign(arm=list(table["arm"])[::-1]).to_csv(path, sep="\t", index=False)
    second = hiaim.release(study)
    keys = [json.loads((r / "manifest.json").read_text())["artefacts"] for r in (first, second)]
    moved = {name for name in keys[0] if keys[0][name] != keys[1][name]}
    assert moved == {"comparisons"}
    for name in ("cells", "endpoints", "clones", "flow_of_samples"):
        paths = [r / "tables" / f"{name}.tsv" for r in (first, second)]
        assert paths[0].read_bytes() == paths[1].read_bytes()
