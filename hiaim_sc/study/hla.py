"""MHC alleles of people and mice: one spelling for each, and who presents what."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    type Verdict = Literal["yes", "no", "unknown"]

_HUMAN: Final = re.compile(
    r"(?:HLA[-_ ]?)?(A|B|CW?|E|F|G|DRA1?|DRB[1-9]?|DQA1?|DQB1?|DPA1?|DPB1?|MICA|MICB)"
    r"(?:\*(\d{2,3})|[*_-]?(?:(\d{2,3}):(\d{2,3})|(\d{2})(\d{2,3}))((?::\d{2,3}){0,2}))"
    r"([NLSCAQGP]?)"
)
_MOUSE: Final = re.compile(
    r"(?:H-?2-?(I?-?[AE]|[KDL])|(I-?[AE]))-?\^?\(?([A-Z][0-9A-Z]?)\)?", re.IGNORECASE
)
_SEROTYPE: Final = re.compile(r"HLA-?(A|B)(\d{1,2})")
# a minus stands between the chains of class II as predictors write them: DQA10501-DQB10201
_BETWEEN: Final = re.compile(r"[,;/\s]+|-(?=D[RQP][AB])")
_LOCI: Final = {
    **{"CW": "C", "DRA1": "DRA", "DRB": "DRB1"},
    **{"DQA": "DQA1", "DQB": "DQB1", "DPA": "DPA1", "DPB": "DPB1"},
}
# of the two chains of DR this one hardly varies
_INVARIANT: Final = "DRA"
_TOGETHER: Final = frozenset({"A", "B"})
_NOT_EXPRESSED: Final = "N"
_OF_MOUSE: Final = "H2-"


class Allele(NamedTuple):
    """An allele, as far as it is given.

    Attributes
    ----------
    locus
        ``A``, ``DRB1``; ``H2-K`` of mice.
    fields
        ``("02", "01")``; of mice the haplotype.
    suffix
        ``N`` for one that is not expressed, and the other letters of the nomenclature.
    """

    locus: str
    fields: tuple[str, ...]
    suffix: str = ""

    def __str__(self) -> str:
        if self.locus.startswith(_OF_MOUSE):
            return self.locus + self.fields[0]
        return f"{self.locus}*{':'.join(self.fields)}{self.suffix}"

    def shorten(self) -> Allele:
        """The protein: two fields; further ones change no amino acid."""
        suffix = _NOT_EXPRESSED if self.suffix == _NOT_EXPRESSED else ""
        return Allele(self.locus, self.fields[:2], suffix)


def read_allele(text: str) -> Allele | None:
    """The allele that a text names in any usual spelling; None where it names none.

    Of people one field or more (``HLA-A*02:01``, ``A0201``, ``Cw*07:02``, ``A*02``), of mice
    ``H2-Ld``, ``H-2Ld``, ``H-2L(d)``. A serotype (``A2``) is none: it leaves open which allele.

    Examples
    --------
    >>> names = ("HLA-A*02:01", "A0201", "H-2Ld", "H2-IAb", "A2")
    >>> [str(read_allele(name)) for name in names]
    ['A*02:01', 'A*02:01', 'H2-Ld', 'H2-IAb', 'None']
    """
    words = text.strip()
    if found := _HUMAN.fullmatch(words.upper()):
        gene, only, *two, rest, suffix = found.groups()
        fields = [only] if only else [field for field in two if field] + (rest or "").split(":")[1:]
        return Allele(_LOCI.get(gene, gene), tuple(fields), suffix)
    if found := _MOUSE.fullmatch(words):
        gene = (found[1] or found[2]).upper().replace("-", "")
        gene = f"I{gene}" if gene in ("A", "E") else gene
        return Allele(_OF_MOUSE + gene, (found[3].lower(),))
    return None


def standard_alleles(text: str) -> str:
    """Alleles in one spelling, separated by commas; what is none stays as it is.

    Examples
    --------
    >>> standard_alleles("HLA-A*02:01, H-2Ld"), standard_alleles("pool 1")
    ('A*02:01,H2-Ld', 'pool 1')
    """
    return ",".join("/".join(_spell(chain) for chain in name.split("/")) for name in _names(text))


def are_alleles(text: str) -> bool:
    """Whether a text names alleles, separated by commas, and nothing else."""
    chains = [chain for name in text.split(",") for chain in name.split("/")]
    return all(read_allele(chain) is not None for chain in chains)


def split_alleles(alleles: Any) -> frozenset[str]:
    """Alleles in one spelling to two fields: ``A*02:01:01`` presents what ``A*02:01`` does.

    Examples
    --------
    >>> sorted(split_alleles("B*07:02, A*02:01:01"))
    ['A*02:01', 'B*07:02']
    >>> sorted(split_alleles("DQA1*05:01:01/DQB1*02:01"))
    ['DQA1*05:01/DQB1*02:01']
    """
    if pd.isna(alleles):
        return frozenset()
    return frozenset(
        "/".join(
            str(found.shorten()) if (found := read_allele(chain)) else chain.strip()
            for chain in name.split("/")
        )
        for name in _names(str(alleles))
    )


def group_alleles(alleles: Any) -> str:
    """The name of the group of what is presented by the same alleles; empty where none is given.

    Examples
    --------
    >>> group_alleles("HLA-A*02:01:01") == group_alleles("A0201")
    True
    """
    return ",".join(sorted(split_alleles(alleles)))


def presents(own: Any, wanted: Any) -> Verdict:
    """Whether somebody of these alleles presents what is of those: any of them is enough.

    As `agree_hla` has it, but who has an allele of A or of B counts as typed at both: they are
    always typed together.

    Parameters
    ----------
    own
        Alleles of a patient, separated by commas; may be missing.
    wanted
        Alleles of an antigen, separated by commas; chains of class II with ``/`` between them.
    """
    names = _names("" if pd.isna(wanted) else str(wanted))
    verdicts = {_presents_one(own, name) for name in names if _by_locus(name)}
    for verdict in ("yes", "unknown", "no"):
        if verdict in verdicts:
            return verdict
    return "unknown"


def _presents_one(own: Any, molecule: str) -> Verdict:
    verdict, loci = agree_hla(own, molecule), set(_by_locus(molecule))
    is_typed = loci <= _TOGETHER and bool(_TOGETHER & set(_by_locus(own)))
    return "no" if verdict == "unknown" and is_typed else verdict


def agree_hla(own: Any, molecule: Any) -> Verdict:
    """Whether somebody of these alleles has one MHC molecule.

    Alleles are compared as far as both are given: ``A*02`` agrees with ``A*02:01``, ``A*02:05``
    does not. Of the molecule's loci all that the patient is typed at must agree; ``unknown`` where
    there is none. Several alleles of a locus are alternatives. A serotype (``HLA-A2``) can agree,
    but not contradict. An allele that is not expressed (``N``) agrees with nothing. What is of the
    mouse a person does not have, nor the other way round.

    Parameters
    ----------
    own
        Alleles of a patient: ``A*02:01, B*07:02``; may be missing.
    molecule
        As antigen tables and databases write it: ``HLA-A*02:01, B2M``; may be missing.
    """
    typed, wanted = _by_locus(own), _by_locus(molecule)
    if typed and wanted and _is_mouse(typed) != _is_mouse(wanted):
        return "no"
    shared = [locus for locus in wanted if locus in typed and locus != _INVARIANT]
    if shared:
        return "yes" if all(_any_same(typed[name], wanted[name]) for name in shared) else "no"
    groups = _SEROTYPE.findall("" if pd.isna(molecule) else str(molecule).upper())
    known = [Allele(locus, (group.zfill(2),)) for locus, group in groups]
    return "yes" if any(_any_same(typed.get(one.locus, []), [one]) for one in known) else "unknown"


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _spell(text: str) -> str:
    return str(read_allele(text) or text.strip())


def _by_locus(text: Any) -> dict[str, list[Allele]]:
    found: dict[str, list[Allele]] = {}
    for words in _BETWEEN.split("" if pd.isna(text) else str(text)):
        if allele := read_allele(words):
            found.setdefault(allele.locus, []).append(allele)
    return found


def _is_mouse(alleles: Mapping[str, list[Allele]]) -> bool:
    return any(locus.startswith(_OF_MOUSE) for locus in alleles)


def _any_same(typed: Iterable[Allele], wanted: Iterable[Allele]) -> bool:
    expressed = [one.fields for one in typed if one.suffix != _NOT_EXPRESSED]
    return any(a[: len(b.fields)] == b.fields[: len(a)] for a in expressed for b in wanted)
