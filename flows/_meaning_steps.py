"""The steps that ask what a clone may mean: what it recognises, what state it is in.

Imports of the library's stages stand inside the steps, as in `flows._cohort_steps`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flows._inputs import Inputs
    from hiaim_sc.storage import Payload

type Payloads = dict[str, Payload]


def databases(inputs: Inputs) -> Payloads:
    """Usable records of the databases that the study names, and what was left out."""
    from hiaim_sc.tcr import pool_databases, read_database

    found = pool_databases({digest: read_database(path) for digest, path in inputs.databases})
    return {"records": found.records, "databases": found.contents}


def database_matches(inputs: Inputs) -> Payloads:
    """Clones whose receptor a database holds, or nearly."""
    from hiaim_sc.tcr import match_databases

    matches = match_databases(
        inputs.one("clone_tables").read("clones"),
        inputs.one("databases").read("records"),
        inputs.table("hla"),
        inputs.options.databases,
    )
    return {"database_matches": matches}


def similarity_cost(inputs: Inputs) -> Payloads:
    """What clustering clones by similarity would take."""
    from hiaim_sc.tcr import estimate_cost

    clones = inputs.one("clone_tables").read("clones")
    return {"cost": estimate_cost(clones, inputs.options.similarity).as_dict()}


def similarity(inputs: Inputs) -> Payloads:
    """Clusters of clones with nearly the same receptor."""
    from hiaim_sc.tcr import cluster_clones

    clones = inputs.one("clone_tables").read("clones")
    return {"similarity_clusters": cluster_clones(clones, inputs.options.similarity)}


def cell_scores(inputs: Inputs) -> Payloads:
    """How far each T cell has the programme of tumour-reactive cells."""
    from hiaim_sc.annotate import score_signatures

    scores = score_signatures(
        inputs.one("selected").open("selected"),
        inputs.one("cells").read("cells"),
        inputs.table("signatures"),
    )
    return {"cell_scores": scores}


def clone_phenotypes(inputs: Inputs) -> Payloads:
    """The states of each clone, and whether it may be tumour-reactive."""
    from hiaim_sc.compare import describe_clones

    described = describe_clones(
        inputs.one("cells").read("cells"),
        inputs.one("embedding").read("embedding"),
        inputs.one("cell_scores").read("cell_scores"),
        inputs.table("database_matches"),
        inputs.options.phenotypes,
    )
    return {"clone_phenotypes": described}
