"""Responses in bulk screens: all patients by HLA, and each screen sample by sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from hiaim_sc.report.canvas import empty_figure, new_figure, styled
from hiaim_sc.report.formats import format_count
from hiaim_sc.report.palette import CYCLE, INK, KEPT, MUTED, RULE
from hiaim_sc.report.values import read_flag

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PLAIN: Final = "#c4c4c4"
_NO_HLA: Final = "no HLA stated"
_MAX_FDR: Final = 0.001
_LEAST_FDR: Final = 1e-300
_PER_ROW: Final = 4
_MOST_PANELS: Final = 24
_MOST_NAMED: Final = 4
_LINE: Final = 0.06  # least distance of two names, of the height of a panel
_SPREAD: Final = 0.8  # of a patient's column, over the HLAs


@styled
def bulk_dots(responses: pd.DataFrame) -> Figure:
    """Log2 fold change of every dna_barcode, a column per patient, side by side by HLA.

    Responses are coloured by HLA and larger the more of CD8 T cells they are; grey is no response.
    Samples of no patient stand under their sample tag.

    Parameters
    ----------
    responses
        Release table `bulk_responses`.
    """
    shown = _prepare(responses)
    if shown.empty:
        return empty_figure("No bulk screen was analysed.")
    owners = sorted(shown["owner"].unique())
    alleles = sorted(shown["hla"].unique())
    figure = new_figure(height=4.2, width=float(np.clip(3.0 + 0.9 * len(owners), 6.0, 16.0)))
    axes = figure.add_subplot()
    column = shown["owner"].map({name: i for i, name in enumerate(owners)})
    step = _SPREAD / max(len(alleles), 1)
    place = column + step * (
        shown["hla"].map({name: i for i, name in enumerate(alleles)}) - (len(alleles) - 1) / 2
    )
    plain = ~shown["response"]
    axes.axhline(0, color=MUTED, linewidth=0.8)
    for edge in range(1, len(owners)):
        axes.axvline(edge - 0.5, color=RULE, linewidth=0.6)
    axes.scatter(place[plain], shown["log_fold_change"][plain], s=5, color=_PLAIN, linewidths=0)
    for i, allele in enumerate(alleles):
        own = shown["response"] & (shown["hla"] == allele)
        if not own.any():
            continue
        sizes = 14 + 60 * np.sqrt(shown["estimated_frequency"][own].fillna(0.0))
        axes.scatter(
            place[own],
            shown["log_fold_change"][own],
            s=sizes,
            color=CYCLE[i % len(CYCLE)],
            linewidths=0.4,
            edgecolors="white",
            label=allele,
        )
    axes.set_xticks(range(len(owners)), owners, rotation=90 * (len(owners) > 12))
    axes.set_xlim(-0.5, len(owners) - 0.5)
    axes.set_ylabel("log2 fold change over the input")
    if shown["response"].any():
        axes.legend(title="HLA of responses", loc="center left", bbox_to_anchor=(1.0, 0.5))
    axes.set_title(
        f"{format_count(int(shown['response'].sum()))} responses among "
        f"{format_count(len(shown))} tests in bulk screens"
    )
    return figure


@styled
def bulk_volcano(responses: pd.DataFrame) -> Figure:
    """Fold change and FDR of every dna_barcode of one screen, a panel per sample.

    The line is FDR 0.001; responses are coloured, the four with the smallest FDR named.

    Parameters
    ----------
    responses
        Rows of the release table `bulk_responses` of one screen.
    """
    shown = _prepare(responses)
    if shown.empty:
        return empty_figure("No sample of this screen was tested.")
    samples = list(shown.groupby(["owner", "sample_tag"], sort=True))[:_MOST_PANELS]
    n_rows = -(-len(samples) // _PER_ROW)
    figure = new_figure(height=0.7 + 2.4 * n_rows)
    panels = figure.subplots(n_rows, _PER_ROW, squeeze=False, sharex=True, sharey=True)
    top = max(_height(shown["fdr"]).max(), 1.0)
    for axes, ((_, tag), rows) in zip(panels.flat, samples, strict=False):
        _draw_sample(axes, rows, line=_LINE * top)
        name = rows["sample_id"].iloc[0] if rows["sample_id"].notna().iloc[0] else tag
        axes.set_title(str(name), fontsize=8.5)
    for axes in list(panels.flat)[len(samples) :]:
        axes.set_axis_off()
    reach = float(shown["log_fold_change"].abs().max()) or 1.0
    panels[0, 0].set_xlim(-1.15 * reach, 1.45 * reach)
    figure.supxlabel("log2 fold change over the input", fontsize=9)
    figure.supylabel("\u2212log10 FDR", fontsize=9)
    return figure


def _prepare(responses: pd.DataFrame) -> pd.DataFrame:
    """Rows with a test; whose they are, their HLA as text, and the response as a boolean."""
    shown = responses[responses["log_fold_change"].notna()].reset_index(drop=True)
    numbers = ["log_fold_change", "fdr", "estimated_frequency"]
    shown[numbers] = shown[numbers].astype(float)
    texts = shown[["sample_id", "patient_id", "hla"]].astype(object)
    texts = texts.where(texts.notna() & (texts != ""), None)
    return shown.assign(
        sample_id=texts["sample_id"],
        owner=texts["patient_id"].fillna(shown["sample_tag"]).astype(str),
        hla=texts["hla"].fillna(_NO_HLA).astype(str),
        response=np.array([read_flag(value) for value in shown["response"]], dtype=bool),
    )


def _height(fdr: pd.Series) -> pd.Series:
    return -np.log10(fdr.clip(lower=_LEAST_FDR))


def _draw_sample(axes: Axes, rows: pd.DataFrame, *, line: float) -> None:
    height = _height(rows["fdr"])
    is_found = rows["response"].to_numpy()
    axes.axvline(0, color=MUTED, linewidth=0.6)
    axes.axhline(-np.log10(_MAX_FDR), color=MUTED, linewidth=0.6, linestyle=(0, (4, 3)))
    axes.scatter(
        rows["log_fold_change"],
        height,
        s=np.where(is_found, 16.0, 5.0),
        c=np.where(is_found, KEPT, _PLAIN),
        linewidths=0,
    )
    written = np.inf
    for name, row in rows[is_found].nsmallest(_MOST_NAMED, "fdr").iterrows():
        written = min(height[name], written - line)
        axes.annotate(
            row["dna_barcode"],
            (row["log_fold_change"], height[name]),
            xytext=(row["log_fold_change"] + 0.35, written),
            va="center",
            fontsize=6.5,
            color=INK,
        )
