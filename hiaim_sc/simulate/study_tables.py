"""The tables of the study folder, as a trial's office would keep them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiaim_sc.simulate.antigens import antigen_panel
from hiaim_sc.simulate.cohort_screens import bulk_panel, screen_tables
from hiaim_sc.simulate.composition import compartment_shares, draw_composition, is_affected
from hiaim_sc.simulate.pools import plan_pools
from hiaim_sc.simulate.seeds import generator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hiaim_sc.simulate.cohort import Cohort, LibraryPlan, Sample
    from hiaim_sc.simulate.settings import SimulationSettings

MATRIX = "filtered_feature_bc_matrix.h5"
RAW_MATRIX = "raw_feature_bc_matrix.h5"
CONTIGS = "filtered_contig_annotations.csv"
CHEMISTRY = "Single Cell V(D)J (R2-only)"
_CYTOMETRY_ERROR = 0.1  # log-SD of the cytometer's NK share
_VO2MAX_MEAN, _VO2MAX_SPREAD, _VO2MAX_ERROR = 20.0, 4.0, 1.0
_MOST_DAYS_OFF = 3
_WBC, _LYMPHOCYTES = (6.5, 1.2), (25.0, 6.0)
_NO_ROW = ""


def study_tables(settings: SimulationSettings, cohort: Cohort) -> dict[str, pd.DataFrame]:
    """File name: table; antigens.tsv only where multimers were used."""
    tables = {
        "participants.tsv": pd.DataFrame(
            {
                "patient_id": patient.patient_id,
                "treatment": patient.treatment,
                "sex": patient.sex,
                "hla": ",".join(patient.hla),
                "enrolled_on": patient.enrolled_on.isoformat(),
            }
            for patient in cohort.patients
        ),
        "allocation.tsv": pd.DataFrame(
            {"patient_id": patient.patient_id, "arm": patient.arm} for patient in cohort.patients
        ),
        "samples.tsv": pd.DataFrame(
            _sample_row(settings, sample) for sample in cohort.samples if sample.status != _NO_ROW
        ),
        "libraries.tsv": pd.DataFrame(
            (
                _library_row(settings, pool.library_id, pool.members)
                for pool in plan_pools(settings, cohort)
            ),
            columns=[
                name for name in _LIBRARY_COLUMNS if name != "gex_raw" or settings.empty_droplets
            ],
        ).sort_values("library_id", ignore_index=True),
        "measurements.tsv": _measurements(settings, cohort),
    }
    if settings.samples_per_pool > 1:
        tables["hashtags.tsv"] = _hashtags(settings, cohort)
    if settings.n_antigens:
        antigens = antigen_panel(settings)
        antigens["is_control"] = np.where(antigens["is_control"], "true", "false")
        tables["antigens.tsv"] = antigens
    return tables | _bulk_tables(settings, cohort, tables)


def _bulk_tables(
    settings: SimulationSettings, cohort: Cohort, tables: dict[str, pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    """Tables of the screens, and those that tell of their samples and multimers."""
    found = screen_tables(settings, cohort)
    if not found:
        return {}
    panel = bulk_panel(settings).assign(is_control="false")
    antigens = pd.concat([tables.get("antigens.tsv", panel.iloc[:0]), panel], ignore_index=True)
    is_screened = tables["samples.tsv"]["sample_id"].isin(found["bulk_samples.tsv"]["sample_id"])
    percent_pe = np.where(is_screened, "0.8", "")
    samples = tables["samples.tsv"].assign(percent_pe=percent_pe)
    return {**found, "antigens.tsv": antigens, "samples.tsv": samples}


_LIBRARY_COLUMNS = (
    *("library_id", "sample_id", "batch", "gex", "gex_raw", "vdj", "dna_barcodes"),
    *("state", "expected_cells", "chemistry"),
)


def _hashtags(settings: SimulationSettings, cohort: Cohort) -> pd.DataFrame:
    rows = [
        (pool.library_id, *row)
        for pool in plan_pools(settings, cohort)
        if len(pool.members) > 1
        for row in pool.hashtags()
    ]
    return pd.DataFrame(rows, columns=["library_id", "hashtag", "sample_id"])


def _library_row(
    settings: SimulationSettings, library_id: str, members: tuple[LibraryPlan, ...]
) -> dict[str, object]:
    folder = f"libraries/{library_id}"
    return {
        "library_id": library_id,
        "sample_id": members[0].sample.sample_id if len(members) == 1 else "",
        "batch": members[0].sample.patient.batch,
        "gex": f"{folder}/{MATRIX}",
        "gex_raw": f"{folder}/{RAW_MATRIX}",
        "vdj": f"{folder}/{CONTIGS}",
        "dna_barcodes": f"{folder}/{MATRIX}" if settings.n_antigens else "",
        "state": "delivered",
        "expected_cells": settings.cells_per_library * len(members),
        "chemistry": CHEMISTRY,
    }


def _day_of(settings: SimulationSettings, sample: Sample) -> int:
    """The planned day, kept within a few days; patients are enrolled on the day of the first."""
    planned = settings.visits[sample.visit]
    rng = generator(settings.seed, "day", *sample.key)
    late = int(rng.integers(-_MOST_DAYS_OFF, _MOST_DAYS_OFF, endpoint=True))
    return planned + late if planned else planned


def _sample_row(settings: SimulationSettings, sample: Sample) -> dict[str, object]:
    day = sample.patient.enrolled_on + timedelta(days=_day_of(settings, sample))
    is_collected = sample.status == "collected"
    row: dict[str, object] = {
        "sample_id": sample.sample_id,
        "patient_id": sample.patient.patient_id,
        "visit": sample.visit,
        "tissue": sample.tissue,
        "session_phase": "rest",
        "collected_on": day.isoformat() if is_collected else "",
        "status": sample.status,
        "wbc_1e9_per_l": "",
        "lymphocyte_pct": "",
    }
    if is_collected and sample.tissue == "blood":
        rng = generator(settings.seed, "blood count", *sample.key)
        row["wbc_1e9_per_l"] = f"{max(1.0, rng.normal(*_WBC)):.2f}"
        row["lymphocyte_pct"] = f"{np.clip(rng.normal(*_LYMPHOCYTES), 5, 60):.1f}"
    return row


def _measurements(settings: SimulationSettings, cohort: Cohort) -> pd.DataFrame:
    rows = [
        {
            "patient_id": sample.patient.patient_id,
            "visit": sample.visit,
            "assay": assay,
            "analyte": analyte,
            "value": f"{value:.2f}",
            "unit": unit,
            "session_phase": "rest",
        }
        for sample in cohort.samples
        for assay, analyte, value, unit in _measure(settings, sample)
    ]
    return pd.DataFrame(rows)


def _measure(settings: SimulationSettings, sample: Sample) -> Iterator[tuple[str, str, float, str]]:
    """NK cells by cytometry from the true share of a blood sample; VO2max once per visit."""
    rng = generator(settings.seed, "measurements", *sample.key)
    if sample.tissue == "blood" and sample.status == "collected":
        shares = compartment_shares(draw_composition(settings, sample))
        nk = shares["NK"] / shares[["T", "NK", "B"]].sum()
        error = np.exp(rng.normal(0, _CYTOMETRY_ERROR))
        yield "flow_cytometry", "NK", float(min(100.0, 100 * nk * error)), "pct_of_lymphocytes"
    if sample.tissue_number == 0:
        fitness = generator(settings.seed, "fitness", sample.patient.number)
        value = fitness.normal(_VO2MAX_MEAN, _VO2MAX_SPREAD) + rng.normal(0, _VO2MAX_ERROR)
        value += settings.vo2max_effect * is_affected(settings, sample)
        yield "cpet", "VO2max", max(5.0, float(value)), "ml_per_kg_per_min"
