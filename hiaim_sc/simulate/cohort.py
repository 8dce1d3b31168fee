"""Who takes part: patients, arms, batches, samples, and which tube each library was made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from hiaim_sc.simulate.reference import reference_table
from hiaim_sc.simulate.seeds import generator

if TYPE_CHECKING:
    from hiaim_sc.simulate.settings import SimulationSettings

ARMS = ("control", "exercise")
_STRATA = {"CPI": 0.5, "CPI+chemo": 0.35, "surveillance": 0.15}
_BLOCK = 4
_FIRST_DAY = date(2024, 1, 8)
_DAYS_BETWEEN_PATIENTS = 5


@dataclass(frozen=True)
class Patient:
    """A randomised patient; `number` from 0."""

    number: int
    patient_id: str
    arm: str
    treatment: str
    sex: str
    hla: tuple[str, ...]
    batch: str
    enrolled_on: date

    @property
    def is_treated(self) -> bool:
        """Whether of the second arm."""
        return self.arm == ARMS[1]


@dataclass(frozen=True)
class Sample:
    """A planned specimen. `status` is empty where its row is to be absent from samples.tsv."""

    patient: Patient
    tissue: str
    visit: str
    tissue_number: int
    visit_number: int
    status: str

    @property
    def sample_id(self) -> str:
        """Name of the sample."""
        return f"{self.patient.patient_id}_{self.tissue}_{self.visit}"

    @property
    def key(self) -> tuple[int, int, int]:
        """Numbers of patient, tissue and visit: what its random streams depend on."""
        return self.patient.number, self.tissue_number, self.visit_number


@dataclass(frozen=True)
class LibraryPlan:
    """A library: the sample it is said to be of, and the one (`specimen`) it was made of."""

    library_id: str
    sample: Sample
    specimen: Sample


@dataclass(frozen=True)
class Cohort:
    """The plan of a cohort."""

    patients: tuple[Patient, ...]
    samples: tuple[Sample, ...]
    libraries: tuple[LibraryPlan, ...]


def plan_cohort(settings: SimulationSettings) -> Cohort:
    """Patients, samples and libraries, in the order of patient, tissue and visit."""
    patients = _draw_patients(settings)
    samples = tuple(
        Sample(patient, tissue, visit, t, v, _draw_status(settings, patient.number, t, v))
        for patient in patients
        for t, tissue in enumerate(settings.tissues)
        for v, visit in enumerate(settings.visits)
    )
    collected = [sample for sample in samples if sample.status == "collected"]
    specimens = dict(zip(collected, collected, strict=True))
    if settings.swap and (pair := _draw_swap(settings, collected)):
        first, second = pair
        specimens |= {first: second, second: first}
    width = max(3, len(str(len(collected))))
    libraries = tuple(
        LibraryPlan(f"L{number:0{width}}", sample, specimens[sample])
        for number, sample in enumerate(collected, start=1)
    )
    return Cohort(patients, samples, libraries)


def _draw_patients(settings: SimulationSettings) -> tuple[Patient, ...]:
    rng = generator(settings.seed, "patients")
    n = settings.n_patients
    strata = rng.permutation(_stratum_sizes(n))
    arms = _randomise(strata, rng)
    batches = _assign_batches(arms, min(settings.n_batches, n // 2), rng)
    sexes = rng.permutation(np.resize(["F", "M"], n))
    width = max(2, len(str(n)))
    return tuple(
        Patient(
            number=i,
            patient_id=f"P{i + 1:0{width}}",
            arm=str(arms[i]),
            treatment=str(strata[i]),
            sex=str(sexes[i]),
            hla=_draw_hla(generator(settings.seed, "hla", i)),
            batch=f"batch{batches[i] + 1}",
            enrolled_on=_FIRST_DAY + timedelta(days=_DAYS_BETWEEN_PATIENTS * i),
        )
        for i in range(n)
    )


def _stratum_sizes(n_patients: int) -> np.ndarray:
    """A stratum for each patient: pairs by largest remainder, an odd patient in the largest."""
    shares = np.array(list(_STRATA.values()))
    exact = shares * (n_patients // 2)
    pairs = np.floor(exact).astype(int)
    short = n_patients // 2 - pairs.sum()
    pairs[np.argsort(-(exact - pairs), kind="stable")[:short]] += 1
    sizes = 2 * pairs
    sizes[0] += n_patients % 2
    return np.repeat(list(_STRATA), sizes)


def _randomise(strata: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Permuted blocks of four within strata; the last block of a stratum may be of two."""
    arms = np.empty(len(strata), dtype=object)
    for stratum in _STRATA:
        members = np.flatnonzero(strata == stratum)
        for start in range(0, len(members), _BLOCK):
            block = members[start : start + _BLOCK]
            size = len(block) + len(block) % 2
            arms[block] = rng.permutation(np.resize(ARMS, size))[: len(block)]
    return arms


def _assign_batches(arms: np.ndarray, n_batches: int, rng: np.random.Generator) -> np.ndarray:
    """Each arm dealt over all batches, so that neither arm nor visit goes with a batch."""
    batches = np.empty(len(arms), dtype=int)
    for arm in ARMS:
        members = rng.permutation(np.flatnonzero(arms == arm))
        batches[members] = np.arange(len(members)) % n_batches
    return batches


def _draw_hla(rng: np.random.Generator) -> tuple[str, ...]:
    table = reference_table("alleles")
    alleles: list[str] = []
    for locus in ("A", "B", "C"):
        of_locus = table[table["allele"].str.startswith(f"{locus}*")]
        weights = of_locus["weight"] / of_locus["weight"].sum()
        drawn = rng.choice(of_locus["allele"].to_numpy(), size=2, replace=False, p=weights)
        alleles += sorted(map(str, drawn))
    return tuple(alleles)


def _draw_status(settings: SimulationSettings, patient: int, tissue: int, visit: int) -> str:
    rng = generator(settings.seed, "missing", patient, tissue, visit)
    if rng.random() >= settings.missing:
        return "collected"
    reason = "lesion_unsafe" if settings.tissues[tissue] == "tumor" else "failed_lab"
    return str(rng.choice(["not_collected", reason, ""]))


def _draw_swap(
    settings: SimulationSettings, collected: list[Sample]
) -> tuple[Sample, Sample] | None:
    """Two patients' samples of one tissue and visit: the first tissue's last visit if it can be."""
    rng = generator(settings.seed, "swap")
    places: dict[tuple[int, int], list[Sample]] = {}
    for sample in collected:
        places.setdefault((sample.tissue_number, -sample.visit_number), []).append(sample)
    for place in sorted(places):
        if len(places[place]) > 1:
            first, second = rng.choice(len(places[place]), size=2, replace=False)
            return places[place][min(first, second)], places[place][max(first, second)]
    return None
