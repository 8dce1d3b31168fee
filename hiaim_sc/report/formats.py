"""Numbers as people read them."""

from __future__ import annotations

import math


def format_count(value: float) -> str:
    """A whole number with thousands separated: ``12,345``; empty where missing."""
    return "" if _is_missing(value) else f"{round(value):,}"


def format_number(value: float, *, digits: int = 3) -> str:
    """A number with that many significant digits and no exponent between 0.0001 and 10 million.

    >>> format_number(0.123456), format_number(12345.6), format_number(1.5)
    ('0.123', '12,346', '1.50')
    """
    if _is_missing(value):
        return ""
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if not -4 <= size < 7:
        return f"{value:.{digits - 1}e}"
    return f"{value:,.{max(digits - 1 - size, 0)}f}"


def format_estimate(estimate: float, low: float, high: float) -> str:
    """An estimate with its interval, as many decimals as the interval's width deserves.

    >>> format_estimate(1.7333, 1.0912, 2.7534), format_estimate(0.02, 0.006, 0.086)
    ('1.73 (1.09 to 2.75)', '0.0200 (0.0060 to 0.0860)')
    """
    if _is_missing(estimate):
        return ""
    if _is_missing(low) or _is_missing(high) or not high > low or math.isinf(high - low):
        return f"{format_number(estimate)} (interval not available)"
    decimals = min(max(2 - math.floor(math.log10(high - low)), 0), 8)
    point, start, end = (_fixed(value, decimals) for value in (estimate, low, high))
    return f"{point} ({start} to {end})"


def format_p(value: float) -> str:
    """A p value with its sign: ``p = 0.047``, ``p < 0.001``; empty where there is none."""
    if _is_missing(value):
        return ""
    if value < 0.001:
        return "p < 0.001"
    return f"p = {_p_digits(value)}"


def format_p_cell(value: float) -> str:
    """A p value for a table's cell, without the letter."""
    return format_p(value).removeprefix("p = ").removeprefix("p ").replace("< ", "<\u202f")


def format_percent(share: float) -> str:
    """A share between 0 and 1 as per cent: ``4.2 %``."""
    if _is_missing(share):
        return ""
    percent = 100 * share
    return f"{percent:.0f} %" if percent >= 10 or percent == 0 else f"{percent:.2g} %"


def format_names(names: list[str]) -> str:
    """Names as a list in a sentence: ``a, b and c``."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def format_amount(count: float, noun: str, plural: str = "") -> str:
    """A count with its noun in the right number: ``1 library``, ``3 libraries``."""
    return f"{format_count(count)} {noun if round(count) == 1 else plural or noun + 's'}"


def _fixed(value: float, decimals: int) -> str:
    """Fixed decimals, but never a 0 that is not 0; a true minus sign."""
    text = f"{value:,.{decimals}f}"
    if value != 0 and float(text.replace(",", "")) == 0:
        text = f"{value:.1g}"
    return text.replace("-", "\u2212")


def _p_digits(value: float) -> str:
    if value >= 0.1:
        return f"{value:.2f}"
    return f"{value:.3f}"


def _is_missing(value: float | None) -> bool:
    return value is None or math.isnan(value)
