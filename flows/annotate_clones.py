"""What the clones may mean: matches in databases, states of their cells. No arm is known here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hiaim_sc.errors import Fault, UserInputError

if TYPE_CHECKING:
    from flows._run import StudyRun


def annotate_clones(run: StudyRun, cohort: dict[str, str]) -> dict[str, str]:
    """Hold the clones against the databases that the study names, if any, and describe them.

    Returns
    -------
    Stage: artefact key.
    """
    matched = _match_databases(run, cohort) | _cluster(run, cohort)
    inputs = {name: cohort[name] for name in ("cells", "embedding", "cell_scores")}
    inputs |= {name: key for name, key in matched.items() if name == "database_matches"}
    phenotypes = run.call("clone_phenotypes", inputs)
    run.complete("phenotypes of clones", [phenotypes])
    return {**matched, "clone_phenotypes": phenotypes.recipe.key}


def _cluster(run: StudyRun, cohort: dict[str, str]) -> dict[str, str]:
    """Clusters by similarity, their cost first; refused above the study's limit.

    Raises
    ------
    UserInputError
        When more pairs would be compared than ``options.similarity.max_pairs`` allows.
    """
    options = run.study.config.options.similarity
    if options.metric == "off":
        return {}
    tables = {"clone_tables": cohort["clone_tables"]}
    priced = run.call("similarity_cost", tables)
    run.complete("cost of similarity clusters", [priced])
    what, found = "similarity clusters", run.store.find(priced.recipe.key)
    if found is not None and not run.store.damage(priced.recipe.key):
        cost = found.read("cost")
        if cost["n_pairs"] > options.max_pairs:
            raise UserInputError([_refuse(cost["n_pairs"], options.max_pairs)])
        what += f" ({cost['n_sequences']:,} sequences, {cost['n_pairs']:,} pairs"
        what += f", about {cost['seconds']:,.0f} s of processor time)"
    clusters = run.call("similarity", tables)
    run.complete(what, [clusters])
    return {"similarity": clusters.recipe.key}


def _refuse(n_pairs: int, limit: int) -> Fault:
    allowed = f"at least {n_pairs:,}, the pairs that would be compared; or scope: expanded"
    return Fault(
        "study.yaml", 0, "options.similarity.max_pairs", str(limit), f"{allowed}; or metric: off"
    )


def _match_databases(run: StudyRun, cohort: dict[str, str]) -> dict[str, str]:
    files = run.study.database_files()
    if not files:
        return {}
    # by content, so that neither a path nor the order of the list matters
    found = tuple(sorted((run.store.digests.of(path), path) for path in set(files)))
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
