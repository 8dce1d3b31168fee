"""The steps of antigens and hashtags over all libraries, as in `flows._cohort_steps`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hiaim_sc.study import place_cells

if TYPE_CHECKING:
    from flows._inputs import Inputs
    from hiaim_sc.storage import Payload

type Payloads = dict[str, Payload]


def antigen_calls(inputs: Inputs) -> Payloads:
    """Which cells and clones bind which antigen."""
    from hiaim_sc.dna_barcodes import (
        BACKGROUND_COLUMNS,
        HELD_COLUMNS,
        STAINED_COLUMNS,
        assess_antigens,
        call_specificity,
    )

    held = inputs.pooled("specificity", "held", HELD_COLUMNS)
    stained = inputs.pooled("specificity", "stained", STAINED_COLUMNS)
    background = inputs.pooled("specificity", "background", BACKGROUND_COLUMNS)
    owned = place_cells(
        stained, inputs.table("layout"), inputs.tables("cell_samples", "cell_samples")
    )
    clone_cells = inputs.one("clones").read("clone_cells")
    antigens, options = inputs.table("antigens"), inputs.options.dna_barcodes
    calls = call_specificity(held, owned, clone_cells, antigens, inputs.table("hla"), options)
    quality = assess_antigens(background, held, stained, clone_cells, calls, antigens, options)
    return {"calls": calls.cells, "clone_specificity": calls.clones, "antigens_qc": quality}


def specificity_agreement(inputs: Inputs) -> Payloads:
    """What bulk screens and single cells say of the same antigen in the same patient."""
    from hiaim_sc.compare import compare_specificity

    table = compare_specificity(
        inputs.one("bulk").read("bulk_responses"),
        inputs.one("accounting").read("specificity"),
        inputs.one("cells").read("cells"),
        inputs.one("antigen_calls").read("antigens_qc"),
        inputs.table("antigens"),
    )
    return {"specificity_agreement": table}
