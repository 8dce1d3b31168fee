"""Cell Ranger's ``all_contig_annotations.json``, one contig after the other.

The file holds sequences, qualities and alignments, some 5 kB per contig, and a library's file grows
to gigabytes. It is decoded contig by contig, and of each only what the ``.csv`` says is kept.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.study.contig_formats import EXPECTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# The json's name of what the .csv names so too or otherwise.
_FIELDS: Final = {
    "barcode": "barcode",
    "contig_id": "contig_name",
    "cdr3_nt": "cdr3_seq",
    "cdr3": "cdr3",
    "productive": "productive",
    "umis": "umi_count",
    "reads": "read_count",
    "is_cell": "is_cell",
    "high_confidence": "high_confidence",
}
_GENES: Final = {
    "L-REGION+V-REGION": "v_gene",
    "D-REGION": "d_gene",
    "J-REGION": "j_gene",
    "C-REGION": "c_gene",
}
COLUMNS: Final = (*_FIELDS, *_GENES.values(), "chain")
_NEEDED: Final = ("barcode", "contig_name", "annotations", "cdr3_seq", "productive")
_MAX_LENGTH: Final = 20_000_000  # of one contig: what is longer does not end because it is damaged
_DECODER: Final = json.JSONDecoder()


def read_contig_rows(
    chunks: Iterable[str], source: str, *, is_whole: bool = True
) -> Iterator[tuple[Any, ...]]:
    """Values of `COLUMNS`, named as in Cell Ranger's ``.csv``, of one contig after the other.

    Parameters
    ----------
    chunks
        Text of the file, in pieces of any length.
    source
        Name of the file, for messages.
    is_whole
        Whether the pieces are the whole file; otherwise the last contig may be cut.

    Raises
    ------
    LibraryFaultError
        When this is no list of contigs, or cut short.
    """
    for contig in _decode_list(chunks, source, is_whole=is_whole):
        if not isinstance(contig, dict) or any(name not in contig for name in _NEEDED):
            reason = (
                f"{source} is no list of contigs: each needs {', '.join(_NEEDED)} (Cell Ranger's"
                f" all_contig_annotations.json has them): {EXPECTED}"
            )
            raise LibraryFaultError(reason)
        yield _flatten(contig)


def _flatten(contig: Mapping[str, Any]) -> tuple[Any, ...]:
    genes: dict[str, str] = {}
    loci = set()
    for annotation in contig["annotations"]:
        feature = annotation["feature"]
        if column := _GENES.get(feature["region_type"]):
            genes.setdefault(column, feature["gene_name"])
            loci.add(feature["chain"])
    # segments of several loci: the .csv calls such a contig Multi
    locus = loci.pop() if len(loci) == 1 else None
    fields = (contig.get(name) for name in _FIELDS.values())
    return (*fields, *(genes.get(column) for column in _GENES.values()), locus)


def _decode_list(chunks: Iterable[str], source: str, *, is_whole: bool) -> Iterator[Any]:
    """Elements of a JSON list; what remains of a chunk waits for the next one."""
    rest, is_open, n_found = "", False, 0
    for chunk in chunks:
        rest = (rest + chunk).lstrip()
        if rest and not is_open:
            _refuse_no_list(rest, source)
            rest, is_open = rest[1:], True
        found, rest = _decode_elements(rest)
        n_found += len(found)
        yield from found
        if len(rest) > _MAX_LENGTH:
            break
    if is_whole and rest != "]":
        reason = (
            f"{source} ends within a contig or is no JSON after contig {n_found:,}: it may be cut"
            " short, copy it again"
        )
        raise LibraryFaultError(reason)


def _decode_elements(text: str) -> tuple[list[Any], str]:
    """The elements that `text` holds whole, and what is left of it."""
    found: list[Any] = []
    position = 0
    while True:
        while position < len(text) and text[position] in ", \n\r\t":
            position += 1
        try:
            element, position = _DECODER.raw_decode(text, position)
        except json.JSONDecodeError:
            return found, text[position:].rstrip()
        found.append(element)


def _refuse_no_list(text: str, source: str) -> None:
    if not text.startswith("["):
        reason = f"{source} is JSON but no list of contigs: {EXPECTED}"
        raise LibraryFaultError(reason)
