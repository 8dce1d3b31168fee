"""What makes a contig table the wrong file, in the same words for its start and for all of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.study.species import BCR_LOCI, TCR_LOCI, share_of_mouse_v_calls

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MAX_MOUSE_SHARE: Final = 0.1
_GEM_WELL: Final = re.compile(r"[ACGTN]{8,}(?:-\d+)*-(\d+)$")
_N_NAMED: Final = 6


def refuse_contigs(source: str, faults: Iterable[str]) -> None:
    """Raise all faults of a contig table in one sentence; nothing where there are none.

    Raises
    ------
    LibraryFaultError
        With every text of `faults` that is not empty.
    """
    if found := [fault for fault in faults if fault]:
        reason = f"{source}: {'; '.join(found)}"
        raise LibraryFaultError(reason)


def fault_of_length(n_contigs: int) -> str:
    """Of a table without a contig."""
    return "" if n_contigs else "it holds no contig: the V(D)J library failed or the file is cut"


def fault_of_receptors(loci: Mapping[str, int], min_share: float, what: str) -> str:
    """Of a table of B cells, or of which less than `min_share` is of T-cell receptors.

    Parameters
    ----------
    loci
        Number of contigs by known locus.
    min_share
        Least share of T-cell receptors; at 0 a table fails that has B-cell receptors only.
    what
        Which contigs were counted: ``contigs`` or ``first 300 contigs``.
    """
    n_known = sum(loci.values())
    tcr_share = sum(loci.get(locus, 0) for locus in TCR_LOCI) / max(n_known, 1)
    bcr_share = sum(loci.get(locus, 0) for locus in BCR_LOCI) / max(n_known, 1)
    if tcr_share >= min_share and (tcr_share or not bcr_share):
        return ""
    b_cells = f", {bcr_share:.0%} are of B cells (IGH, IGK, IGL)" if bcr_share else ""
    return (
        f"{tcr_share:.0%} of its {what} are of T-cell receptors{b_cells}: contigs of T cells are"
        " expected, this is another library's file"
    )


def fault_of_species(v_calls: Mapping[str, int], what: str) -> str:
    """Of a table with V genes of mouse; `v_calls` is the number of contigs by V gene."""
    mouse = {call: n for call, n in v_calls.items() if share_of_mouse_v_calls([call])}
    n_t_cell = sum(n for call, n in v_calls.items() if call.upper().startswith("TR"))
    share = sum(mouse.values()) / max(n_t_cell, 1)
    if share <= _MAX_MOUSE_SHARE:
        return ""
    return (
        f"{share:.0%} of the V genes of its {what} are mouse genes, such as {min(mouse)}: contigs"
        " of human cells are expected"
    )


def fault_of_samples(groups: Mapping[str, Iterable[str]]) -> str:
    """Of a table that holds several samples or GEM wells.

    Parameters
    ----------
    groups
        What tells samples apart (``column origin``): its values in the table.
    """
    several = {name: values for name, found in groups.items() if len(values := sorted(found)) > 1}
    if not several:
        return ""
    listed = ", ".join(f"{name} has {_enumerate(values)}" for name, values in several.items())
    return (
        f"several samples stand in it ({listed}): a library's table is of one GEM well, and no"
        " column may name two samples; give each library its own, as Cell Ranger wrote it before"
        " `aggr`"
    )


def fault_of_repeats(n_repeated: int, example: str) -> str:
    """Of a table in which a contig of a cell stands more than once."""
    if not n_repeated:
        return ""
    return (
        f"{n_repeated:,} contigs stand in it twice, such as {example}: a file was joined to itself,"
        " or several libraries to one table; give each library its own"
    )


def find_gem_wells(cell_barcodes: Iterable[str]) -> set[str]:
    """Numbers behind Cell Ranger's cell barcodes, such as ``-1``: one per GEM well."""
    found = (_GEM_WELL.search(name) for name in cell_barcodes)
    return {f"-{match.group(1)}" for match in found if match}


def _enumerate(values: list[str]) -> str:
    more = f" and {len(values) - _N_NAMED} more" if len(values) > _N_NAMED else ""
    return ", ".join(values[:_N_NAMED]) + more
