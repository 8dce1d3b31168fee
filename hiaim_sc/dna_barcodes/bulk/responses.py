"""From the counts of a bulk screen to the T-cell responses of its samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hiaim_sc.dna_barcodes.bulk.enrichment import enrich, least_detectable_fold
from hiaim_sc.dna_barcodes.bulk.flags import flag_rows
from hiaim_sc.dna_barcodes.bulk.frequencies import BREADTH_COLUMNS, estimate_frequency, sum_up
from hiaim_sc.dna_barcodes.bulk.specimens import Specimen, gather_specimens
from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.study import are_bulk, presents

if TYPE_CHECKING:
    from hiaim_sc.config import BulkOptions

RESPONSE_COLUMNS: Final = (
    *("sample_tag", "sample_id", "patient_id", "dna_barcode", "peptide", "hla"),
    *("n_distinct", "n_input"),
    *("log_fold_change", "p_value", "fdr", "fdr_hla", "response", "estimated_frequency"),
    *("estimated_frequency_all", "count_fraction", "flags"),
)


@dataclass(frozen=True)
class BulkResponses:
    """What a screen says of its samples.

    Attributes
    ----------
    responses
        `RESPONSE_COLUMNS`, a row per sample and dna_barcode, sorted by them.
    breadth
        `BREADTH_COLUMNS`, a row per sample.
    """

    responses: pd.DataFrame
    breadth: pd.DataFrame


def call_responses(
    counts: pd.DataFrame,
    samples: pd.DataFrame,
    tags: pd.DataFrame,
    antigens: pd.DataFrame | None,
    options: BulkOptions,
) -> BulkResponses:
    """Responses of each sample of a screen against all its inputs.

    Sample tags with one `sample_id` are replicates; one without a `sample_id` stands for itself. A
    response has an FDR below `max_fdr` over all dna_barcodes of the screen and a positive log fold
    change. Stricter rules of the field are flags and take no response away. A dna_barcode with a
    missing count is no response.

    Parameters
    ----------
    counts, samples
        Of the screen, as `count_screen` returns them.
    tags
        `sample_tag role sample_id patient_id hla percent_pe`: what each sample tag is; `percent_pe`
        are multimer-positive cells in per cent of CD8 T cells.
    antigens
        `dna_barcode hla`, and `peptide` where known: the panel. Other combinations of tags are
        chimeras and are left out; where it names no pairs of tags, all that were counted make the
        panel.
    options
        Rule and flags.

    Raises
    ------
    LibraryFaultError
        When no input has counts, or when the panel names pairs of tags and none was read.

    References
    ----------
    Bentzen et al. 2016, doi:10.1038/nbt.3662.
    """
    panel = _describe_panel(counts, antigens)
    table = counts.set_index(["dna_barcode", "sample_tag"])["n_distinct"].unstack(  # noqa: PD010
        fill_value=0  # a pair that was not read; summing up would make it of a missing count, too
    )
    table = table.reindex(index=panel.index, columns=sorted(tags["sample_tag"]), fill_value=0)
    read = [tag for tag in table if table[tag].sum() > 0]
    inputs = [tag for tag in tags.loc[tags["role"] == "input", "sample_tag"] if tag in read]
    if not inputs:
        reason = "no input of the screen has molecules of its panel"
        raise LibraryFaultError(reason)
    saturation = samples.set_index("sample_tag")["saturation"]
    rows, breadth = [], []
    for specimen in gather_specimens(tags, read):
        own = _test_sample(table, specimen, sorted(inputs), panel, options)
        presented = [presents(specimen.hla, alleles) for alleles in own["hla"]]
        n_own, own_saturation = len(specimen.tags), saturation.reindex(list(specimen.tags))
        always = {
            "one_sample_replicate": n_own == 1,
            "one_input_replicate": len(inputs) == 1,
            "low_saturation": bool((own_saturation < options.min_saturation).any()),
        }
        own["flags"] = flag_rows(own, presented, options, always)
        rows.append(own)
        least = least_detectable_fold(n_own, len(inputs), options.dispersion, p=options.max_fdr)
        power = {"n_replicates": n_own, "n_inputs": len(inputs), "least_fold_change": least}
        breadth.append(sum_up(own, specimen, presented) | power)
    if not rows:
        return BulkResponses(_empty(RESPONSE_COLUMNS), _empty(BREADTH_COLUMNS))
    return BulkResponses(
        pd.concat(rows, ignore_index=True)[list(RESPONSE_COLUMNS)],
        pd.DataFrame(breadth, columns=list(BREADTH_COLUMNS)),
    )


def _describe_panel(counts: pd.DataFrame, antigens: pd.DataFrame | None) -> pd.DataFrame:
    """`peptide hla` of each dna_barcode of the panel that was counted at all."""
    counted = sorted(counts["dna_barcode"].unique())
    known = pd.DataFrame(columns=["dna_barcode"]) if antigens is None else antigens
    known = known.reindex(columns=["dna_barcode", "peptide", "hla"]).set_index("dna_barcode")
    described = [name for name in counted if name in known.index]
    if counted and not described and are_bulk(known.index.to_series()).any():
        reason = f"antigens.tsv has none of the dna_barcodes that were read ({counted[0]}, ...)"
        raise LibraryFaultError(reason)
    names = described or counted
    return known.reindex(pd.Index(names, name="dna_barcode"))


def _test_sample(
    table: pd.DataFrame,
    sample: Specimen,
    inputs: list[str],
    panel: pd.DataFrame,
    options: BulkOptions,
) -> pd.DataFrame:
    own, pool = table[list(sample.tags)].to_numpy(), table[inputs].to_numpy()
    tested = enrich(own, pool, options.dispersion)
    groups = panel["hla"].where(panel["hla"].notna(), None).to_numpy(dtype=object)
    by_hla = enrich(own, pool, options.dispersion, groups)
    counts = own.sum(axis=1)
    is_response = (tested["fdr"] < options.max_fdr) & (tested["log_fold_change"] > 0)
    frequency = estimate_frequency(counts, is_response.to_numpy(), sample.percent_pe)
    return pd.DataFrame(
        {
            "sample_tag": sample.name,
            "sample_id": sample.sample_id,
            "patient_id": sample.patient_id,
            "dna_barcode": table.index,
            "peptide": panel["peptide"].to_numpy(),
            "hla": panel["hla"].to_numpy(),
            "n_distinct": counts,
            "n_input": pool.mean(axis=1),
            "log_fold_change": tested["log_fold_change"].to_numpy(),
            "p_value": tested["p"].to_numpy(),
            "fdr": tested["fdr"].to_numpy(),
            "fdr_hla": by_hla["fdr"].to_numpy(),
            "response": is_response.to_numpy(),
            "estimated_frequency": frequency[0],
            "estimated_frequency_all": frequency[1],
            "count_fraction": counts / np.nansum(counts),
        }
    )


def _empty(columns: tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype="str") for name in columns})
