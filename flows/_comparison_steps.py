"""The steps of the endpoints and the comparison, as in `flows._cohort_steps`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows._inputs import stained_screen

if TYPE_CHECKING:
    from flows._inputs import Inputs
    from hiaim_sc.storage import Payload

type Payloads = dict[str, Payload]


def located(inputs: Inputs) -> Payloads:
    """Every expected sample with the one reason why it has no cells, or none."""
    from hiaim_sc.compare import locate_samples

    table = locate_samples(
        inputs.table("expected_samples"),
        inputs.table("library_states"),
        inputs.one("identity").read("identity_checks"),
    )
    return {"located": table}


def endpoints(inputs: Inputs) -> Payloads:
    """One number per patient, tissue and visit; no arm is known here."""
    from hiaim_sc.compare import measure_endpoints

    table = measure_endpoints(
        inputs.one("cells").read("cells"),
        inputs.table("located"),
        inputs.table("measurements"),
        stained_screen(inputs),
        inputs.one("clone_phenotypes").read("clone_phenotypes"),
        design=inputs.config.design,
        options=inputs.options.compare,
    )
    return {"endpoints": table}


def repertoires(inputs: Inputs) -> Payloads:
    """Each sample's clones in numbers, as counted and at one depth; no arm is known here."""
    from hiaim_sc.compare import tabulate_repertoires

    table = tabulate_repertoires(
        inputs.one("cells").read("cells"),
        inputs.table("located"),
        design=inputs.config.design,
        options=inputs.options.compare,
    )
    return {"repertoires": table}


def agreement(inputs: Inputs) -> Payloads:
    """Sequencing against cytometry, and changes that go together; no arm is known here."""
    from hiaim_sc.compare import measure_agreement

    found = measure_agreement(inputs.one("endpoints").read("endpoints"), inputs.config)
    return {"agreement": found}


def variants(inputs: Inputs) -> Payloads:
    """Clonal and antigen endpoints under other settings than planned; no arm is known here."""
    from hiaim_sc.compare import measure_variants

    table = measure_variants(
        inputs.one("cells").read("cells"),
        inputs.table("located"),
        inputs.one("endpoints").read("endpoints"),
        stained_screen(inputs),
        design=inputs.config.design,
        options=inputs.options.compare,
    )
    return {"variants": table}


def comparisons(inputs: Inputs) -> Payloads:
    """Arm against arm, patients as units. The only step that opens the allocation."""
    from hiaim_sc.compare import (
        Trial,
        analyse_missing,
        compare_arms,
        compare_expression,
        draw_blinded_arms,
        vary_settings,
    )
    from hiaim_sc.study import read_allocation, read_study

    strata = inputs.table("strata").set_index("patient_id")
    if inputs.allocation is None:
        arms = draw_blinded_arms(strata, inputs.config.design, rng=inputs.rng)
    else:
        arms = read_allocation(read_study(inputs.allocation.parent, may_be_gone="all"))
    blinded = inputs.allocation is None
    trial = Trial(
        inputs.one("endpoints").read("endpoints"),
        arms,
        strata,
        inputs.config,
        inputs.table("layout"),
    )
    table = compare_arms(trial, blinded=blinded, prespecified=inputs.keys["plan"] == "frozen")
    genes = compare_expression(
        inputs.one("pseudobulk").read("pseudobulk"),
        inputs.table("located"),
        arms,
        strata,
        inputs.config,
        blinded=blinded,
        layout=inputs.table("layout"),
    )
    return {
        "comparisons": table,
        "sensitivity": vary_settings(table, inputs.one("variants").read("variants"), trial),
        "missing_data": analyse_missing(table, trial),
        "differential_expression": genes,
    }
