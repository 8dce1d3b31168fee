"""The tables of a study folder: columns, what may stand in them, and keys."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hiaim_sc.names import COARSE_OF_CELL_TYPE, LIBRARY_STATES, SAMPLE_STATUSES, SESSION_PHASES
from hiaim_sc.study.rules import (
    Column,
    date,
    flag,
    hla,
    identifier,
    number,
    one_of,
    sex,
    text,
)

if TYPE_CHECKING:
    from hiaim_sc.config import Design

PARTICIPANTS = "participants.tsv"
SAMPLES = "samples.tsv"
LIBRARIES = "libraries.tsv"
HASHTAGS = "hashtags.tsv"
ANTIGENS = "antigens.tsv"
MEASUREMENTS = "measurements.tsv"
BULK_SCREENS = "bulk_screens.tsv"
BULK_SAMPLES = "bulk_samples.tsv"
CELL_TYPE_OVERRIDES = "cell_type_overrides.tsv"
ALLOCATION = "allocation.tsv"
FILE_COLUMNS = ("gex", "gex_raw", "vdj", "dna_barcodes")
SCREEN_FILE_COLUMNS = ("fastq", "fastq2", "sample_tags", "tags_a", "tags_b")


@dataclass(frozen=True)
class TableSchema:
    """What a table must look like.

    Attributes
    ----------
    name
        File name.
    columns
        The columns known; others are carried along.
    key
        Columns whose values together stand in one row only; rows are sorted by them.
    keys
        Further sets of columns of which the same holds.
    """

    name: str
    columns: dict[str, Column]
    key: tuple[str, ...]
    keys: tuple[tuple[str, ...], ...] = ()


def table_schemas(design: Design | None) -> dict[str, TableSchema]:
    """Schema of every table but the allocation's, by file name, in the order they are read.

    Parameters
    ----------
    design
        Gives visits, tissues and strata; None where study.yaml could not be understood, and then
        these are not checked.
    """
    visit = one_of(design.visits, required=True) if design else text(required=True)
    tissue = one_of(design.tissues, required=True) if design else text(required=True)
    phase = one_of(SESSION_PHASES, default="rest")
    schemas = (
        _participants(design),
        TableSchema(
            SAMPLES,
            {
                "sample_id": identifier(),
                "patient_id": text(required=True),
                "visit": visit,
                "tissue": tissue,
                "session_phase": phase,
                "collected_on": date(),
                "status": one_of(SAMPLE_STATUSES, default="collected"),
                "reason": text(),
                "wbc_1e9_per_l": number(0),
                "lymphocyte_pct": number(0, 100),
                "percent_pe": number(0, 100),
                "last_infusion_on": date(),
                "hours_since_exercise": number(0),
            },
            key=("sample_id",),
            keys=(("patient_id", "visit", "tissue", "session_phase"),),
        ),
        TableSchema(
            LIBRARIES,
            {
                "library_id": identifier(),
                "sample_id": text(required=True, filled=False),
                "batch": text(required=True),
                **dict.fromkeys(FILE_COLUMNS, text()),
                "state": one_of(LIBRARY_STATES, default="delivered"),
                "expected_cells": number(0, whole=True),
                "chemistry": text(),
            },
            key=("library_id",),
        ),
        TableSchema(
            HASHTAGS,
            dict.fromkeys(("library_id", "hashtag", "sample_id"), text(required=True)),
            key=("library_id", "hashtag"),
        ),
        TableSchema(
            ANTIGENS,
            {
                "dna_barcode": text(required=True),
                "peptide": text(required=True, filled=False),
                "hla": hla(),
                "gene": text(),
                "organism": text(),
                "is_control": flag(),
            },
            key=("dna_barcode",),
        ),
        TableSchema(
            MEASUREMENTS,
            {
                "patient_id": text(required=True),
                "visit": visit,
                **dict.fromkeys(("assay", "analyte"), text(required=True)),
                "value": number(required=True),
                "unit": text(required=True),
                "session_phase": phase,
                "minutes_from_bout": number(),
            },
            key=("patient_id", "visit", "assay", "analyte", "session_phase", "minutes_from_bout"),
        ),
        *_bulk_tables(),
        TableSchema(
            CELL_TYPE_OVERRIDES,
            {
                **dict.fromkeys(("library_id", "cell_barcode", "clustering", "cluster"), text()),
                "label": one_of(COARSE_OF_CELL_TYPE, required=True),
                "cell_state": text(),
                "author": text(required=True),
                "reason": text(required=True),
            },
            key=("library_id", "cell_barcode", "clustering", "cluster"),
        ),
    )
    return {schema.name: schema for schema in schemas}


def allocation_schema(design: Design) -> TableSchema:
    """Schema of the allocation."""
    columns = {"patient_id": text(required=True), "arm": one_of(design.arms, required=True)}
    return TableSchema(ALLOCATION, columns, key=("patient_id",))


def _participants(design: Design | None) -> TableSchema:
    columns = {
        "patient_id": identifier(),
        "sex": sex(),
        "hla": hla(),
        "enrolled_on": date(),
        "withdrawn_on": date(),
    }
    for stratum in design.strata if design else ():
        columns[stratum] = replace(columns.get(stratum, text()), is_required=True, is_filled=True)
    return TableSchema(PARTICIPANTS, columns, key=("patient_id",))


def _bulk_tables() -> tuple[TableSchema, TableSchema]:
    screens = {
        "screen_id": identifier(),
        "fastq": text(required=True),
        "fastq2": text(),
        **dict.fromkeys(("layout", "sample_tags", "tags_a", "tags_b"), text(required=True)),
    }
    samples = {
        "screen_id": text(required=True),
        "sample_tag": text(required=True),
        "role": one_of(("sample", "input"), required=True),
        "sample_id": text(),
    }
    return (
        TableSchema(BULK_SCREENS, screens, key=("screen_id",)),
        TableSchema(BULK_SAMPLES, samples, key=("screen_id", "sample_tag")),
    )
