"""Whether the batches may be taken out of the cells at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hiaim_sc.study import aliased_levels

if TYPE_CHECKING:
    import pandas as pd

    from hiaim_sc.config import IntegrateOptions


def why_not_integrated(layout: pd.DataFrame, options: IntegrateOptions) -> str:
    """Why the cells are left as they are, in words; empty where they are integrated.

    Parameters
    ----------
    layout
        ``library_id patient_id visit batch`` of the libraries in the analysis; no arm.
    options
        ``harmony``.
    """
    if not options.harmony:
        return "options.integrate.harmony is off"
    if layout["batch"].nunique() < 2:
        return "all libraries are of one batch"
    aliased = aliased_levels(layout)
    if aliased:
        return (
            f"batch is aliased with {' and '.join(aliased)}: every batch is of one"
            f" {' and one '.join(aliased)}, and taking out the one would take out the other"
        )
    return ""
