"""What the clones may mean: matches in databases. No arm is known here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hiaim_sc.storage import digest_file

if TYPE_CHECKING:
    from flows._run import StudyRun


def annotate_clones(run: StudyRun, cohort: dict[str, str]) -> dict[str, str]:
    """Hold the clones against the databases that the study names, if any.

    Returns
    -------
    Stage: artefact key.
    """
    files = run.study.database_files()
    if not files:
        return {}
    # by content, so that neither a path nor the order of the list matters
    found = tuple(sorted((digest_file(path), path) for path in set(files)))
    inputs = {f"database/{number}": digest for number, (digest, _) in enumerate(found)}
    databases = run.call("databases", inputs, databases=found)
    run.complete("databases of receptors", [databases])
    keys = {"databases": databases.recipe.key}
    hla = run.value("hla", run.study.patient_hla())
    matches = run.call(
        "database_matches", {**keys, "clone_tables": cohort["clone_tables"], "hla": hla}
    )
    run.complete("matches in databases", [matches])
    return {**keys, "database_matches": matches.recipe.key}
