"""Receptors of a patient's clones: gene segments and random CDR3s that can be translated."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from hiaim_sc.simulate.reference import reference_table
from hiaim_sc.simulate.seeds import generator

if TYPE_CHECKING:
    from hiaim_sc.simulate.settings import SimulationSettings

_AMINO_ACIDS = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"
_TRIPLETS = ["".join(bases) for bases in product("TCAG", repeat=3)]
_SENSE = [i for i, amino_acid in enumerate(_AMINO_ACIDS) if amino_acid != "*"]
# index 0 is no codon: it ends the shorter junctions
_CODONS = np.array([b"", *(_TRIPLETS[i].encode() for i in _SENSE)], dtype="S3")
_RESIDUES = np.array([b"", *(_AMINO_ACIDS[i].encode() for i in _SENSE)], dtype="S1")
_MIN_LENGTH, _MAX_LENGTH = 11, 17
_N_PUBLIC = 20
_MAIT_V, _MAIT_J = "TRAV1-2", "TRAJ33"
_MAIT_JUNCTION = "CAV.DSNYQLIW"  # the fourth residue is free


@dataclass(frozen=True)
class Chains:
    """One chain of each of many clones.

    Attributes
    ----------
    v_call, j_call
        Gene names.
    codons
        (clones, 17) uint8, rows of the codon table; 0 beyond the junction's end.
    """

    v_call: np.ndarray
    j_call: np.ndarray
    codons: np.ndarray

    def junction(self, rows: np.ndarray) -> np.ndarray:
        """Nucleotides from the C to the F or W, as text."""
        return _join(_CODONS[self.codons[rows]])

    def junction_aa(self, rows: np.ndarray) -> np.ndarray:
        """Amino acids of the same."""
        return _join(_RESIDUES[self.codons[rows]])


@dataclass(frozen=True)
class Receptors:
    """Alpha and beta chains of clones; `second_alpha` counts where `has_second`."""

    alpha: Chains
    beta: Chains
    second_alpha: Chains
    has_second: np.ndarray

    def keys(self, patient_id: str, rows: np.ndarray) -> np.ndarray:
        """`clone_key` of clones: ``patient_id|TRA:v_call:junction|TRB:v_call:junction``."""
        parts = [
            _join_text(f"|{locus}:", chains.v_call[rows], ":", chains.junction(rows))
            for locus, chains in (("TRA", self.alpha), ("TRB", self.beta))
        ]
        return _join_text(patient_id, *parts)


def draw_receptors(
    settings: SimulationSettings, is_mait: np.ndarray, rng: np.random.Generator
) -> Receptors:
    """Receptors of as many clones as `is_mait` has entries, with the invariant alpha of MAIT."""
    n = len(is_mait)
    alpha = _draw_chains("TRA", n, rng)
    _make_mait(alpha, is_mait, rng)
    beta = _draw_chains("TRB", n, rng)
    _make_public(beta, settings, rng)
    return Receptors(
        alpha=alpha,
        beta=beta,
        second_alpha=_draw_chains("TRA", n, rng),
        has_second=(rng.random(n) < settings.dual_alpha) & ~is_mait,
    )


def _draw_chains(locus: str, n: int, rng: np.random.Generator) -> Chains:
    lengths = rng.binomial(_MAX_LENGTH - _MIN_LENGTH, 0.5, n) + _MIN_LENGTH
    codons = rng.integers(1, len(_CODONS), size=(n, _MAX_LENGTH), dtype=np.uint8)
    codons[:, 0] = rng.choice(_codons_of("C"), n)
    codons[np.arange(n), lengths - 1] = rng.choice([*_codons_of("F"), *_codons_of("W")], n)
    codons[np.arange(_MAX_LENGTH) >= lengths[:, None]] = 0
    return Chains(_draw_segments(f"{locus}V", n, rng), _draw_segments(f"{locus}J", n, rng), codons)


def _draw_segments(segment: str, n: int, rng: np.random.Generator) -> np.ndarray:
    table = reference_table("segments").query("segment == @segment")
    genes = table["gene"].to_numpy(dtype=str)
    return genes[rng.choice(len(genes), size=n, p=(table["weight"] / table["weight"].sum()))]


def _make_mait(alpha: Chains, is_mait: np.ndarray, rng: np.random.Generator) -> None:
    n = int(is_mait.sum())
    alpha.v_call[is_mait], alpha.j_call[is_mait] = _MAIT_V, _MAIT_J
    codons = np.zeros((n, _MAX_LENGTH), dtype=np.uint8)
    for position, residue in enumerate(_MAIT_JUNCTION):
        codons[:, position] = (
            rng.integers(1, len(_CODONS), n) if residue == "." else _codons_of(residue)[0]
        )
    alpha.codons[is_mait] = codons


def _make_public(beta: Chains, settings: SimulationSettings, rng: np.random.Generator) -> None:
    """A few clones take a V, J and CDR3 amino acids that other patients have too."""
    public = _draw_chains("TRB", _N_PUBLIC, generator(settings.seed, "public"))
    rows = np.flatnonzero(rng.random(len(beta.v_call)) < settings.public_share)
    taken = rng.integers(0, _N_PUBLIC, len(rows))
    beta.v_call[rows], beta.j_call[rows] = public.v_call[taken], public.j_call[taken]
    residues = _RESIDUES[public.codons[taken]]
    codons = np.zeros_like(public.codons[taken])
    for residue in np.unique(residues[residues != b""]):
        here = residues == residue
        codons[here] = rng.choice(_codons_of(residue.decode()), int(here.sum()))
    beta.codons[rows] = codons


def _codons_of(residue: str) -> np.ndarray:
    return np.flatnonzero(np.equal(_RESIDUES, residue.encode())).astype(np.uint8)


def _join(parts: np.ndarray) -> np.ndarray:
    """Rows of equally wide pieces of bytes, empty ones at the end, as text each."""
    width = parts.shape[1] * parts.dtype.itemsize
    return np.ascontiguousarray(parts).view(f"S{width}")[:, 0].astype(str)


def _join_text(*parts: np.ndarray | str) -> np.ndarray:
    joined: np.ndarray = np.array("")
    for part in parts:
        joined = np.strings.add(joined, part)
    return joined
