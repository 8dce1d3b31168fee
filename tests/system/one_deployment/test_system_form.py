"""The deployment's form in a browser: filled in, refused, started; then what the run shows."""

from __future__ import annotations

import json
import time

import pytest
from web_browser import headless_chromium

pytestmark = [pytest.mark.long, pytest.mark.browser]

REPOSITORY_OUTPUT = "test-output"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with headless_chromium(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture(scope="module")
def pictures(pytestconfig):
    """Where the pictures of the pages are kept, for people to look at."""
    return pytestconfig.rootpath / REPOSITORY_OUTPUT / "form"


def field(label):
    """Path of a field of the form, with its label, its description and what it says is wrong."""
    own = "contains(concat(' ', @class, ' '), ' schema-form-property ')"
    return f"//span[starts-with(text(), '{label}')]/ancestor::div[{own}][1]"


def test_a_person_fills_in_the_form_and_sees_the_run_and_all_its_artifacts(
    deployed, browser, pictures
):
    ui = deployed.api.removesuffix("/api")
    n_runs, n_releases = len(deployed.runs()), len(deployed.releases())
    browser.open(f"{ui}/deployments/deployment/{deployed.deployment()['id']}/run")
    text = browser.wait_for("Processes at once; 0: as the profile says.")
    assert "the allocation stays closed, random labels are compared" in text
    assert [text.count(word) for word in ("blinded", "explore", "unblind")] >= [1, 1, 1]

    browser.type(f"{field('Workers')}//input", "-3")
    browser.click("//button[normalize-space()='Submit']")
    browser.wait_for("-3 is less than the minimum of 0")
    time.sleep(0.5)  # the message fades in
    browser.keep(pictures / "1-refused.png")
    assert len(deployed.runs()) == n_runs

    browser.type(f"{field('Workers')}//input", "2")
    browser.keep(pictures / "2-filled-in.png")
    browser.click("//button[normalize-space()='Submit']")
    browser.wait_for("scheduled to start now")
    run = deployed.wait_for(lambda: deployed.runs()[n_runs:])[0]
    assert run["parameters"]["request"]["workers"] == 2
    browser.open(f"{ui}/runs/flow-run/{run['id']}")
    text = browser.wait_for("Completed", seconds=300)
    assert "by hand, blinded" in text
    browser.keep(pictures / "3-run.png")
    assert len(deployed.releases()) == n_releases + 1

    artifacts = deployed.ask(
        "/artifacts/filter", artifacts={"flow_run_id": {"any_": [run["id"]]}}, sort="KEY_DESC"
    )
    assert len(artifacts) == 11
    for artifact in artifacts:
        browser.open(f"{ui}/artifacts/artifact/{artifact['id']}")
        browser.wait_for(artifact["key"])
        if artifact["type"] == "table":
            row = json.loads(artifact["data"])[0]
            browser.wait_for(next(str(value) for value in row.values() if value))
        elif "data:image/png" in artifact["data"]:
            wide = "return [...document.images].some(i => i.naturalWidth > 300)"
            browser.wait(lambda wide=wide: browser.run(wide), "picture")
        else:
            browser.wait_for(deployed.releases()[-1].name)
        browser.keep(pictures / f"4-{artifact['key']}.png")
    shown = {artifact["key"]: json.dumps(artifact) for artifact in artifacts}
    assert "BLINDED" in shown["deployed-comparisons"]
    assert "BLINDED" in shown["deployed-forest"]
