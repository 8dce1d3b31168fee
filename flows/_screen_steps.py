"""The steps of bulk DNA-barcode screens, as in `flows._library_steps`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hiaim_sc.errors import LibraryFaultError, UserInputError, find_system_error

if TYPE_CHECKING:
    from flows._inputs import Inputs
    from hiaim_sc.storage import Payload

type Payloads = dict[str, Payload]


def screen_counts(inputs: Inputs) -> Payloads:
    """Molecules of a screen from its reads, or the fault for which it is quarantined."""
    from hiaim_sc.dna_barcodes.bulk import count_screen
    from hiaim_sc.study.read_layouts import read_layout
    from hiaim_sc.study.tag_files import ScreenTags, read_tags

    files = inputs.screen_files
    try:
        layout = read_layout(files.layout.stem, files.layout)
        tags = ScreenTags(
            read_tags(files.sample_tags, "sample"),
            read_tags(files.tags_a, "A"),
            read_tags(files.tags_b, "B"),
        )
        found = count_screen(files.reads, layout, tags, inputs.options.bulk)
    except LibraryFaultError as fault:
        if find_system_error(fault):  # it says nothing of the bytes: not to be remembered
            raise
        return {"fault": {"reason": fault.reason}}
    except UserInputError as error:
        return {"fault": {"reason": "; ".join(map(str, error.faults))}}
    return {"counts": found.counts, "outcomes": found.outcomes, "samples": found.samples}


def screen_responses(inputs: Inputs) -> Payloads:
    """Responses of a screen's samples, or the fault for which it is quarantined."""
    from hiaim_sc.dna_barcodes.bulk import call_responses

    counted = inputs.one("screen_counts")
    try:
        found = call_responses(
            counted.read("counts"),
            counted.read("samples"),
            inputs.table("tags"),
            inputs.table("antigens"),
            inputs.options.bulk,
        )
    except LibraryFaultError as fault:
        return {"fault": {"reason": fault.reason}}
    return {"responses": found.responses, "breadth": found.breadth}


def bulk(inputs: Inputs) -> Payloads:
    """All screens in one table each of responses, breadth, sample tags and quality."""
    from hiaim_sc.dna_barcodes.bulk import pool_screens

    held = inputs.table("held")
    faults = {} if held is None else dict(zip(held["screen_id"], held["reason"], strict=True))
    faults |= {
        screen_id: artefact.read("fault")["reason"]
        for stage in ("screen_counts", "screen_responses")
        for screen_id, artefact in inputs.each(stage).items()
        if "fault" in artefact
    }
    found = pool_screens(
        {name: inputs.tables("screen_counts", name) for name in ("counts", "outcomes", "samples")},
        {name: inputs.tables("screen_responses", name) for name in ("responses", "breadth")},
        inputs.table("tags"),
        faults,
    )
    return dict(found)
