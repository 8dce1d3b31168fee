"""Which samples stand under another patient's name, as far as the shared receptors tell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    type FloatArray = npt.NDArray[np.float64]
    type IntArray = npt.NDArray[np.int64]

# Gains are sums of the same overlaps in different orders; what differs by less is a tie.
_DECIMALS = 9


@dataclass(frozen=True)
class Swaps:
    """Result of `find_swaps`.

    Attributes
    ----------
    partner
        Position of each sample that moved, or may have: the sample it changed places with.
    owner
        Patient code of each sample after the changes.
    """

    partner: dict[int, int]
    owner: IntArray


@dataclass(frozen=True)
class _Evidence:
    """What is known of the samples; symmetric `overlap` with a zero diagonal."""

    overlap: FloatArray
    owner: IntArray
    sex: IntArray
    patient_sex: IntArray
    limit: float

    def with_patient(self) -> FloatArray:
        """Summed overlap of each sample with the samples of each patient."""
        return self.overlap @ np.eye(len(self.patient_sex))[self.owner]

    def suspicious(self) -> npt.NDArray[np.bool_]:
        """Samples whose highest overlap is with another patient's sample, and above the limit."""
        is_own = self.owner[:, None] == self.owner[None, :]
        own = np.where(is_own, self.overlap, 0.0).max(axis=1, initial=0.0)
        foreign = np.where(is_own, 0.0, self.overlap).max(axis=1, initial=0.0)
        return (foreign > self.limit) & (foreign > own)

    def contradictions(self) -> int:
        """Samples whose sex is not that of the patient they stand under; 0 is not known."""
        recorded = self.patient_sex[self.owner]
        return int(((self.sex != 0) & (recorded != 0) & (self.sex != recorded)).sum())


@dataclass(frozen=True)
class _Change:
    """Two samples change places, or (`is_move`) the first goes to the patient of the second."""

    first: int
    second: int
    is_move: bool

    def apply(self, owner: IntArray) -> IntArray:
        changed = owner.copy()
        changed[self.first] = owner[self.second]
        if not self.is_move:
            changed[self.second] = owner[self.first]
        return changed


def find_swaps(
    overlap: FloatArray, owner: IntArray, sex: IntArray, patient_sex: IntArray, *, limit: float
) -> Swaps:
    """The samples whose change of patient explains the overlap of receptors best.

    While a sample overlaps most with another patient's, and above `limit`, the change is made that
    raises the overlap within patients most: two samples change places or, where this alone
    explains more, one goes to the other patient. Of changes that explain equally much those are
    kept that contradict the recorded sexes least. Where several remain (with two samples per
    patient it cannot be told which of them moved), all their samples are named.

    Parameters
    ----------
    overlap
        Morisita-Horn overlap, shape (n_samples, n_samples), symmetric; 0 where not known.
    owner
        Code of each sample's patient.
    sex
        Per sample 1 female, -1 male, 0 not known.
    patient_sex
        The same per patient code, as recorded.
    limit
        Overlap between patients up to this is chance.
    """
    clean = np.where(np.eye(len(owner), dtype=bool), 0.0, overlap)
    known = _Evidence(clean, owner, sex, patient_sex, limit)
    partner: dict[int, int] = {}
    # each round brings a sample to where its overlap is; the bound is for ties that turn in circles
    for _ in range(len(owner)):
        changes = _best_changes(known)
        if not changes:
            break
        for change in changes:
            partner.setdefault(change.first, change.second)
            if not change.is_move:
                partner.setdefault(change.second, change.first)
        known = replace(known, owner=changes[0].apply(known.owner))
    return Swaps(partner, known.owner)


def _best_changes(known: _Evidence) -> list[_Change]:
    """The changes that explain most, more than one only where they cannot be told apart."""
    suspicious = known.suspicious()
    if not suspicious.any():
        return []
    gains = {False: _exchange_gains(known, suspicious), True: _move_gains(known, suspicious)}
    best = max(float(gain.max(initial=0.0)) for gain in gains.values())
    if best <= 0:
        return []
    # an exchange before a move that explains as much but for chance: it leaves no sample without
    # a place
    exchange = float(gains[False].max(initial=0.0))
    is_move = exchange <= 0 or exchange < best - known.limit
    places = np.argwhere(gains[is_move] == (best if is_move else exchange))
    changes = [_Change(int(first), int(second), is_move) for first, second in places]
    wrong = [replace(known, owner=c.apply(known.owner)).contradictions() for c in changes]
    return [c for c, n in zip(changes, wrong, strict=True) if n == min(wrong)]


def _exchange_gains(known: _Evidence, suspicious: npt.NDArray[np.bool_]) -> FloatArray:
    """Overlap within patients gained when row and column change places; each pair once."""
    total, rows = known.with_patient(), np.arange(len(known.owner))
    change = total[:, known.owner] - known.overlap - total[rows, known.owner][:, None]
    is_candidate = known.owner[:, None] != known.owner[None, :]
    is_candidate &= suspicious[:, None] | suspicious[None, :]
    return np.triu(np.where(is_candidate, np.round(change + change.T, _DECIMALS), 0.0))


def _move_gains(known: _Evidence, suspicious: npt.NDArray[np.bool_]) -> FloatArray:
    """Overlap within patients gained when the row goes to the patient of its closest column."""
    total, rows = known.with_patient(), np.arange(len(known.owner))
    gains = np.zeros_like(known.overlap)
    is_own = known.owner[:, None] == known.owner[None, :]
    closest = np.where(is_own, -1.0, known.overlap).argmax(axis=1)
    change = total[rows, known.owner[closest]] - total[rows, known.owner]
    gains[rows, closest] = np.where(suspicious, np.round(change, _DECIMALS), 0.0)
    return gains
