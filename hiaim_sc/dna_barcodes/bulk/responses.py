"""From the counts of a bulk screen to the T-cell responses of its samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hiaim_sc.dna_barcodes.bulk.enrichment import enrich
from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.study import split_alleles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hiaim_sc.config import BulkOptions

RESPONSE_COLUMNS: Final = (
    *("sample_tag", "sample_id", "patient_id", "dna_barcode", "hla", "n_distinct", "n_input"),
    *("log_fold_change", "p_value", "fdr", "fdr_hla", "response", "estimated_frequency"),
    *("estimated_frequency_all", "count_fraction", "flags"),
)
BREADTH_COLUMNS: Final = (
    *("sample_id", "patient_id", "sample_tag", "n_screened", "n_responses", "breadth", "magnitude"),
)
# Words of `flags`, in this order. The first four stand at responses only.
FLAGS: Final = (
    *("below_log2_fc", "below_count_fraction", "low_input", "hla_mismatch"),
    *("one_sample_replicate", "one_input_replicate", "low_saturation"),
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


@dataclass(frozen=True)
class _Sample:
    """The replicates of one specimen, and what is known of it; texts may be missing."""

    tags: tuple[str, ...]
    sample_id: object
    patient_id: object
    hla: object
    percent_pe: float


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
    change. Stricter rules of the field are flags and take no response away.

    Parameters
    ----------
    counts, samples
        Of the screen, as `count_screen` returns them.
    tags
        `sample_tag role sample_id patient_id hla percent_pe`: what each sample tag is; `percent_pe`
        are multimer-positive cells in per cent of CD8 T cells.
    antigens
        `dna_barcode hla`: the panel. Other combinations of tags are chimeras and are left out;
        where none of the screen's is described, all that were counted make the panel.
    options
        Rule and flags.

    Raises
    ------
    LibraryFaultError
        When no input has counts.

    References
    ----------
    Bentzen et al. 2016, doi:10.1038/nbt.3662.
    """
    panel = _describe_panel(counts, antigens)
    table = counts.pivot_table(
        index="dna_barcode", columns="sample_tag", values="n_distinct", aggfunc="sum", fill_value=0
    ).reindex(index=panel.index, columns=sorted(tags["sample_tag"]), fill_value=0)
    read = [tag for tag in table if table[tag].sum() > 0]
    inputs = [tag for tag in tags.loc[tags["role"] == "input", "sample_tag"] if tag in read]
    if not inputs:
        reason = "no input of the screen has molecules of its panel"
        raise LibraryFaultError(reason)
    saturation = samples.set_index("sample_tag")["saturation"]
    rows, breadth = [], []
    for sample in _gather_samples(tags, read):
        own = _test_sample(table, sample, sorted(inputs), panel, options)
        is_low = bool((saturation.reindex(list(sample.tags)) < options.min_saturation).any())
        own["flags"] = _flag(own, sample, len(inputs), options, is_low=is_low)
        rows.append(own)
        breadth.append(_sum_up(own, sample))
    if not rows:
        return BulkResponses(_empty(RESPONSE_COLUMNS), _empty(BREADTH_COLUMNS))
    return BulkResponses(
        pd.concat(rows, ignore_index=True)[list(RESPONSE_COLUMNS)],
        pd.DataFrame(breadth, columns=list(BREADTH_COLUMNS)),
    )


def estimate_frequency(
    counts: np.ndarray, is_response: np.ndarray, percent_pe: float
) -> tuple[np.ndarray, np.ndarray]:
    r"""Frequency of cells specific for each dna_barcode, in per cent of CD8 T cells, in two forms.

    :math:`f_i = P\,c_i / \sum_j c_j`, with the multimer-positive cells :math:`P` in per cent, over
    the responses :math:`j` of the sample (NaN for what is none), and over all its counts.

    Examples
    --------
    >>> found = estimate_frequency(np.array([400, 60, 40]), np.array([True, True, False]), 0.8)
    >>> found[0].round(4).tolist(), found[1].round(4).tolist()
    ([0.6957, 0.1043, nan], [0.64, 0.096, 0.064])

    References
    ----------
    Over all counts: Bentzen et al. 2016, doi:10.1038/nbt.3662.
    """
    of_responses = counts[is_response].sum()
    over_responses = np.where(is_response, percent_pe * counts / max(of_responses, 1), np.nan)
    return over_responses, percent_pe * counts / max(counts.sum(), 1)


def _describe_panel(counts: pd.DataFrame, antigens: pd.DataFrame | None) -> pd.DataFrame:
    """`hla` of each dna_barcode of the panel that was counted at all."""
    counted = sorted(counts["dna_barcode"].unique())
    known = pd.DataFrame(columns=["dna_barcode"]) if antigens is None else antigens
    hla = known.reindex(columns=["dna_barcode", "hla"]).set_index("dna_barcode")["hla"]
    described = [name for name in counted if name in hla.index]
    names = described or counted
    return pd.DataFrame({"hla": hla.reindex(names)}, index=pd.Index(names, name="dna_barcode"))


def _gather_samples(tags: pd.DataFrame, read: list[str]) -> Iterator[_Sample]:
    """The samples that have counts, sorted by their first tag."""
    own = tags[(tags["role"] == "sample") & tags["sample_tag"].isin(read)].sort_values("sample_tag")
    names = own["sample_id"].where(own["sample_id"].notna(), "\0" + own["sample_tag"])
    for _, rows in own.groupby(names, sort=False):
        first = rows.iloc[0]
        yield _Sample(
            tuple(rows["sample_tag"]),
            first["sample_id"],
            first["patient_id"],
            first["hla"],
            float(first["percent_pe"]),
        )


def _test_sample(
    table: pd.DataFrame,
    sample: _Sample,
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
            "sample_tag": ";".join(sample.tags),
            "sample_id": sample.sample_id,
            "patient_id": sample.patient_id,
            "dna_barcode": table.index,
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
            "count_fraction": counts / counts.sum(),
        }
    )


def _flag(
    rows: pd.DataFrame, sample: _Sample, n_inputs: int, options: BulkOptions, *, is_low: bool
) -> list[str]:
    presented = split_alleles(sample.hla)
    is_foreign = [
        bool(presented and (wanted := split_alleles(hla)) and not wanted & presented)
        for hla in rows["hla"]
    ]
    holds = {
        "below_log2_fc": rows["log_fold_change"] < options.min_log2_fc,
        "below_count_fraction": rows["count_fraction"] < options.min_count_fraction,
        "low_input": rows["n_input"] < options.min_input_count,
        "hla_mismatch": pd.Series(is_foreign, index=rows.index),
    }
    always = {
        "one_sample_replicate": len(sample.tags) == 1,
        "one_input_replicate": n_inputs == 1,
        "low_saturation": is_low,
    }
    common = [word for word, is_so in always.items() if is_so]
    return [
        ";".join([*(word for word in holds if response and holds[word].iloc[i]), *common])
        for i, response in enumerate(rows["response"])
    ]


def _sum_up(rows: pd.DataFrame, sample: _Sample) -> dict[str, object]:
    """Breadth and magnitude over what was screened that the patient's HLA presents."""
    presented = split_alleles(sample.hla)
    is_presented = np.array(
        [
            not presented or not (wanted := split_alleles(hla)) or bool(wanted & presented)
            for hla in rows["hla"]
        ]
    )
    is_found = is_presented & rows["response"].to_numpy()
    n_screened, n_found = int(is_presented.sum()), int(is_found.sum())
    frequency = rows.loc[is_found, "estimated_frequency"].sum(min_count=min(n_found, 1))
    return {
        "sample_id": sample.sample_id,
        "patient_id": sample.patient_id,
        "sample_tag": ";".join(sample.tags),
        "n_screened": n_screened,
        "n_responses": n_found,
        "breadth": n_found / n_screened if n_screened else np.nan,
        "magnitude": frequency if np.isfinite(sample.percent_pe) else np.nan,
    }


def _empty(columns: tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype="str") for name in columns})
