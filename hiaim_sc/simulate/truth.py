"""The truth about a cohort: what the endpoints would be without any error of measurement."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiaim_sc.config import CompareOptions
from hiaim_sc.simulate.composition import compartment_shares, draw_composition
from hiaim_sc.simulate.latent import (
    expected_called_clones,
    expected_dual_share,
    expected_expanded_clones,
    expected_expanded_share,
)
from hiaim_sc.stats import expanded_from

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hiaim_sc.simulate.cohort import Cohort, Sample
    from hiaim_sc.simulate.library import SimulatedLibrary
    from hiaim_sc.simulate.repertoire import Repertoire
    from hiaim_sc.simulate.settings import SimulationSettings

EFFECT_COLUMNS = ("endpoint", "patient_id", "tissue", "visit", "true_value", "depth")
_LYMPHOCYTES = ["T", "NK", "B"]


@dataclass
class TruthLedger:
    """What is remembered of each patient and library while they are made.

    Attributes
    ----------
    cd8
        Patient number: (tissue, visit): frequencies of the CD8 clones.
    depths
        Tissue: CD8 T cells with a captured receptor, per library.
    planted
        patient_id: `clone_key` of the clones planted in the patient.
    ambient
        library_id: share of ambient RNA.
    """

    cd8: dict[int, dict[tuple[str, str], np.ndarray]] = field(default_factory=dict)
    depths: dict[str, list[int]] = field(default_factory=dict)
    planted: dict[str, list[str]] = field(default_factory=dict)
    ambient: dict[str, float] = field(default_factory=dict)

    def add_patient(self, repertoire: Repertoire, clones: pd.DataFrame) -> None:
        """Remember a patient's latent frequencies and planted clones (`latent_clones`)."""
        planted = clones.loc[clones["planted_fold"] != 1, "clone_key"]
        self.planted[repertoire.patient.patient_id] = sorted(planted)
        is_cd8 = repertoire.lineage == "CD8"
        self.cd8[repertoire.patient.number] = {
            place: frequency[is_cd8] for place, frequency in repertoire.frequency.items()
        }

    def add_library(self, library: SimulatedLibrary) -> None:
        """Remember a library's ambient share, and how many CD8 T cells of it have a receptor."""
        cells = library.cells
        n = int(((cells["lineage"] == "CD8") & (cells["receptor"] != "")).sum())
        self.depths.setdefault(library.tissue, []).append(n)
        self.ambient[library.library_id] = library.ambient_share

    def depth(self, tissue: str, options: CompareOptions) -> int:
        """Common depth: the tenth percentile over libraries, never below the least depth."""
        counts = self.depths.get(tissue, [options.min_depth])
        return max(options.min_depth, int(np.floor(np.quantile(counts, 0.1))))


def latent_clones(repertoire: Repertoire) -> pd.DataFrame:
    """A row per CD8 clone of a patient, whether or not any cell of it was drawn.

    Columns `patient_id clone_key lineage rank planted_fold antigen`, and for each tissue and visit
    `frequency_<tissue>_<visit>`, the clone's share of the CD8 T cells.
    """
    clones = np.flatnonzero(repertoire.lineage == "CD8")
    table = pd.DataFrame(
        {
            "patient_id": repertoire.patient.patient_id,
            "clone_key": repertoire.keys(clones),
            "lineage": repertoire.lineage[clones],
            "rank": repertoire.rank[clones],
            "planted_fold": repertoire.planted_fold[clones],
            "antigen": repertoire.antigen[clones].astype(str),
        }
    )
    for (tissue, visit), frequency in repertoire.frequency.items():
        table[f"frequency_{tissue}_{visit}"] = frequency[clones]
    return table


def true_effects(settings: SimulationSettings, cohort: Cohort, ledger: TruthLedger) -> pd.DataFrame:
    """True value of each endpoint of each planned sample, collected or not.

    Columns `endpoint patient_id tissue visit true_value depth`, sorted by the first four in the
    order of the visits; the natural scale; `depth` is empty where the endpoint has none.
    """
    options = CompareOptions()
    depths: dict[str, int] = {tissue: ledger.depth(tissue, options) for tissue in settings.tissues}
    rows = [
        (name, sample.patient.patient_id, sample.tissue, sample.visit, value, depth)
        for sample in cohort.samples
        for values in (
            _composition_values(settings, sample),
            _clonal_values(settings, sample, ledger.cd8[sample.patient.number], depths, options),
        )
        for name, value, depth in values
    ]
    table = pd.DataFrame(rows, columns=list(EFFECT_COLUMNS))
    table["depth"] = table["depth"].astype("Int64")
    return table.sort_values(["endpoint", "patient_id", "tissue"], kind="stable", ignore_index=True)


def _composition_values(
    settings: SimulationSettings, sample: Sample
) -> Iterator[tuple[str, float, int | None]]:
    shares = compartment_shares(draw_composition(settings, sample))
    if sample.tissue == "blood":
        yield "blood_nk_frac", float(shares["NK"] / shares[_LYMPHOCYTES].sum()), None
    else:
        yield "tum_T_frac", float(shares["T"]), None
        yield "tum_NK_frac", float(shares["NK"]), None


def _clonal_values(
    settings: SimulationSettings,
    sample: Sample,
    cd8: dict[tuple[str, str], np.ndarray],
    depths: dict[str, int],
    options: CompareOptions,
) -> Iterator[tuple[str, float, int | None]]:
    here, depth = cd8[sample.tissue, sample.visit], depths[sample.tissue]
    least = options.expanded_min_cells or expanded_from(depth)
    yield "nexp_m", expected_expanded_clones(here, depth, min_cells=least), depth
    yield "expfrac_m", expected_expanded_share(here, depth, min_cells=least), depth
    if sample.visit_number > 0:
        before = cd8[sample.tissue, next(iter(settings.visits))]
        yield "n_called_m", expected_called_clones(before, here, depth, options), depth
    if sample.tissue == "tumor" and "blood" in settings.tissues:
        blood = cd8["blood", sample.visit]
        value = expected_dual_share(here, depth, blood, depths["blood"])
        yield "blood_tumour_dual", value, depth


def describe_planted(
    settings: SimulationSettings, cohort: Cohort, ledger: TruthLedger
) -> dict[str, Any]:
    """What was planted, ready for JSON; nothing in it depends on where the cohort is written."""
    is_null = settings.null
    return {
        "settings": settings.model_dump(mode="json", exclude={"out", "truth"}),
        "effect_fold": 1.0 if is_null else settings.effect_fold,
        "nk_effect": 0.0 if is_null else settings.nk_effect,
        "vo2max_effect": 0.0 if is_null else settings.vo2max_effect,
        "arms": {patient.patient_id: patient.arm for patient in cohort.patients},
        "batches": {patient.patient_id: patient.batch for patient in cohort.patients},
        "ambient_share": {name: round(ledger.ambient[name], 6) for name in sorted(ledger.ambient)},
        "planted_clones": {name: keys for name, keys in ledger.planted.items() if keys},
        "missing_samples": {
            sample.sample_id: sample.status or "row absent"
            for sample in cohort.samples
            if sample.status != "collected"
        },
        "swapped": [
            {
                "library_id": library.library_id,
                "sample_id": library.sample.sample_id,
                "true_sample_id": library.specimen.sample_id,
            }
            for library in cohort.libraries
            if library.sample != library.specimen
        ],
    }
