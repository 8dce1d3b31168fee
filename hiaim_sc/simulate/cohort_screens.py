"""Bulk screens of a simulated cohort: tables of the study, reads, and what is true of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from hiaim_sc.config import ReadLayout
from hiaim_sc.simulate.reference import reference_table
from hiaim_sc.simulate.screens import ScreenDesign, ScreenNoise, draw_tags, write_screen
from hiaim_sc.simulate.seeds import generator

if TYPE_CHECKING:
    from pathlib import Path

    from hiaim_sc.simulate.cohort import Cohort, Patient, Sample
    from hiaim_sc.simulate.settings import SimulationSettings

# The published layout (Bentzen et al. 2016, doi:10.1038/nbt.3662).
LAYOUT_NAME: Final = "bentzen2016"
_LAYOUT: Final = ReadLayout(
    primer_a="GAAGTTCCAGCCAGCGTCACAGTTT",
    annealing="GGTCAGCATCATTTCC",
    primer_b="CAATCTTGAGCGTGACTTAAG",
)
_PATIENTS_PER_SCREEN: Final = 4
_N_REPLICATES, _N_INPUTS = 2, 3
_N_A, _N_B = 8, 10
_MOLECULES: Final = 40.0  # mean of a dna_barcode in a sample tag
_RESPONSES, _RESPONSE_FOLD = 3, 12.0
_AMINO_ACIDS: Final = list("ACDEFGHIKLMNPQRSTVWY")


def bulk_panel(settings: SimulationSettings) -> pd.DataFrame:
    """Table `dna_barcode peptide hla gene organism is_control` of the screens' multimers."""
    rng = generator(settings.seed, "bulk panel")
    names = [f"A{i + 1}B{j + 1}" for i in range(_N_A) for j in range(_N_B)]
    known = reference_table("antigens").fillna("")
    known = known[known["is_control"].astype(str).str.lower() != "true"]
    n_new = len(names) - len(known)
    new = pd.DataFrame(
        {
            "peptide": ["".join(rng.choice(_AMINO_ACIDS, size=9)) for _ in range(n_new)],
            "hla": rng.choice(sorted(known["hla"].unique()), size=n_new),
            "gene": "",
            "organism": "",
        }
    )
    panel = pd.concat([known.drop(columns="is_control"), new], ignore_index=True)
    return panel.assign(is_control=False, dna_barcode=names)


def screen_tables(settings: SimulationSettings, cohort: Cohort) -> dict[str, pd.DataFrame]:
    """``bulk_screens.tsv`` and ``bulk_samples.tsv``; nothing without a screen."""
    screens, tags = [], []
    for number, samples in enumerate(_deal_samples(settings, cohort), start=1):
        name, folder = f"X{number}", f"screens/X{number}"
        screens.append(
            {
                "screen_id": name,
                "fastq": f"{folder}/reads.fastq.gz",
                "layout": LAYOUT_NAME,
                **{kind: f"{folder}/{kind}.fasta" for kind in ("sample_tags", "tags_a", "tags_b")},
            }
        )
        for tag, sample in _name_tags(samples).items():
            role = "input" if sample is None else "sample"
            owner = "" if sample is None else sample.sample_id
            tags.append({"screen_id": name, "sample_tag": tag, "role": role, "sample_id": owner})
    if not screens:
        return {}
    return {"bulk_screens.tsv": pd.DataFrame(screens), "bulk_samples.tsv": pd.DataFrame(tags)}


def write_screens(settings: SimulationSettings, cohort: Cohort, out: Path) -> pd.DataFrame:
    """Write the files of every screen.

    Returns
    -------
    `screen_id dna_barcode sample_tag n_molecules n_reads n_distinct is_response`.
    """
    noise = ScreenNoise(hopping=0.001, chimeras=0.01, substitutions=0.002, gaps=0.01)
    panel = bulk_panel(settings)
    truth = []
    for number, samples in enumerate(_deal_samples(settings, cohort), start=1):
        rng = generator(settings.seed, "screen", number)
        folder = out / "screens" / f"X{number}"
        folder.mkdir(parents=True)
        tags = _name_tags(samples)
        frequency = rng.lognormal(0, 0.3, size=len(panel))
        means = pd.DataFrame(
            dict.fromkeys(tags, _MOLECULES * frequency), index=panel["dna_barcode"]
        )
        is_response = pd.DataFrame(data=False, index=means.index, columns=means.columns)
        for tag, sample in tags.items():
            if sample is not None:
                is_response.loc[_draw_responses(settings, sample.patient, panel), tag] = True
        means = means.where(~is_response, means * _RESPONSE_FOLD)
        design = ScreenDesign(
            _LAYOUT,
            dict(zip(tags, draw_tags(len(tags), 8, rng, distance=3), strict=True)),
            {f"A{i + 1}": tag for i, tag in enumerate(draw_tags(_N_A, 25, rng, distance=8))},
            {f"B{i + 1}": tag for i, tag in enumerate(draw_tags(_N_B, 25, rng, distance=8))},
            means,
        )
        _write_fasta(folder, design)
        found = write_screen(folder / "reads.fastq.gz", design, noise, rng=rng)
        planted = is_response.stack()  # noqa: PD013  melt would lose the index
        keys = pd.MultiIndex.from_frame(found[["dna_barcode", "sample_tag"]])
        found["is_response"] = planted.reindex(keys, fill_value=False).to_numpy()
        truth.append(found.assign(screen_id=f"X{number}"))
    table = pd.concat(truth, ignore_index=True) if truth else pd.DataFrame({"screen_id": []})
    return table[["screen_id", *(name for name in table if name != "screen_id")]]


def _deal_samples(settings: SimulationSettings, cohort: Cohort) -> list[list[Sample]]:
    """Blood samples that were taken, of four patients a screen."""
    dealt = []
    for number in range(settings.n_screens):
        first = number * _PATIENTS_PER_SCREEN
        own = {patient.number for patient in cohort.patients[first : first + _PATIENTS_PER_SCREEN]}
        samples = [
            sample
            for sample in cohort.samples
            if sample.patient.number in own
            and sample.tissue == settings.tissues[0]
            and sample.status == "collected"
        ]
        if samples:
            dealt.append(samples)
    return dealt


def _name_tags(samples: list[Sample]) -> dict[str, Sample | None]:
    """Name of each sample tag, and its sample; None: the input."""
    owners = [sample for sample in samples for _ in range(_N_REPLICATES)]
    return {f"Key_{i + 1}": owner for i, owner in enumerate([*owners, *[None] * _N_INPUTS])}


def _draw_responses(
    settings: SimulationSettings, patient: Patient, panel: pd.DataFrame
) -> list[str]:
    """The same at each visit: dna_barcodes that the patient's T cells know."""
    rng = generator(settings.seed, "bulk responses", patient.number)
    matched = panel.loc[panel["hla"].isin(patient.hla), "dna_barcode"].to_numpy()
    return [str(x) for x in rng.choice(matched, size=min(_RESPONSES, len(matched)), replace=False)]


def _write_fasta(folder: Path, design: ScreenDesign) -> None:
    kinds = {
        "sample_tags": design.sample_tags,
        "tags_a": {f"Oligo_{name}": tag for name, tag in design.tags_a.items()},
        "tags_b": {f"Oligo_{name}": tag for name, tag in design.tags_b.items()},
    }
    for name, tags in kinds.items():
        text = "".join(f">{title}\n{tag}\n" for title, tag in tags.items())
        (folder / f"{name}.fasta").write_text(text, encoding="utf-8")
