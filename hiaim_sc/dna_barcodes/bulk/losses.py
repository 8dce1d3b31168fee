"""Why few of a screen's reads count, in words for whoever prepared its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hiaim_sc.dna_barcodes.bulk.outcomes import OUTCOMES

if TYPE_CHECKING:
    import pandas as pd

# Of a screen that went well nine reads in ten are counted.
FEW_COUNTED: Final = 0.5
_QUESTIONS: Final = {
    "too_short": "is this the read that holds the tags, or does its mate lack?",
    "no_constant_parts": "is this the right layout, and are these reads of a bulk screen?",
    "no_tag_a": "are these the tags A of the screen?",
    "no_tag_b": "tags B stand as the B oligonucleotide has them, not as the read does",
    "no_sample_tag": "are these the sample tags of the screen?",
}


def explain_losses(outcomes: pd.DataFrame) -> str:
    """What became of most reads, where fewer than half are counted; else empty.

    Parameters
    ----------
    outcomes
        `outcome n`, as `count_screen` returns it.
    """
    n = outcomes.set_index("outcome")["n"]
    share = n[["counted", "counted_without_n12"]].sum() / n.sum()
    if share >= FEW_COUNTED:
        return ""
    most = n.drop(["counted", "counted_without_n12"]).idxmax()
    question = f": {_QUESTIONS[most]}" if most in _QUESTIONS else ""
    return (
        f"{100 * share:.1f} % of the reads are counted; of {n[most]:,} {OUTCOMES[most]} "
        f"({most}){question}"
    )
