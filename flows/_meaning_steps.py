"""The steps that ask what a clone may mean: what it recognises, what state it is in.

Imports of the library's stages stand inside the steps, as in `flows._steps`.
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
