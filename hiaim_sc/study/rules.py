"""What a value in a column may be: rules over whole columns of text, with their wording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from hiaim_sc.study.hla import are_alleles, standard_alleles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_COMMA_NUMBER = r"[+-]?[0-9]+,[0-9]+"
FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True)
class Rule:
    """One condition on a column.

    Attributes
    ----------
    holds
        From text without blanks around it to a boolean each; empty text is never asked.
    allowed
        The condition in words, as a fault says it.
    """

    holds: Callable[[pd.Series], pd.Series]
    allowed: str


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    rules
        Conditions on every value that is not empty.
    is_required
        The column must be there.
    is_filled
        No value may be empty.
    default
        Stands where the value is empty or the column absent.
    kind
        What the values are turned into.
    """

    rules: tuple[Rule, ...] = ()
    is_required: bool = False
    is_filled: bool = False
    default: str = ""
    kind: Literal["text", "number", "flag", "hla", "lower"] = "text"

    def convert(self, values: pd.Series) -> pd.Series:
        """Values of the column's kind from text that keeps the rules; empty text is missing."""
        if self.kind == "number":
            return pd.to_numeric(values.where(values != "")).astype("float64")
        if self.kind == "flag":
            return values.str.lower().map(FLAGS).astype(bool)
        if self.kind == "hla":
            values = values.map(standard_alleles)
        elif self.kind == "lower":
            values = values.str.lower().replace({"f": "female", "m": "male"})
        return values.where(values != "").astype("str")


def text(
    *rules: Rule, required: bool = False, filled: bool | None = None, default: str = ""
) -> Column:
    """A column of text; a required one must have a value in each row unless said otherwise."""
    return Column(rules, required, required if filled is None else filled, default)


def identifier(*, required: bool = True, filled: bool | None = None) -> Column:
    """An id: it becomes part of file names and of cell names."""
    rule = Rule(
        lambda values: values.str.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*"),
        "letters, digits and . _ - only (first a letter or digit)",
    )
    return text(rule, required=required, filled=filled)


def one_of(allowed: Iterable[str], *, required: bool = False, default: str = "") -> Column:
    """One word of a closed list."""
    words = tuple(allowed)
    rule = Rule(lambda values: values.isin(words), f"one of {', '.join(words)}")
    return text(rule, required=required, default=default)


def number(
    low: float = -np.inf, high: float = np.inf, *, required: bool = False, whole: bool = False
) -> Column:
    """A number with a decimal point, from `low` to `high`, both included."""
    rules = [
        Rule(
            lambda values: ~values.str.fullmatch(_COMMA_NUMBER),
            "a decimal point, not a decimal comma (7.5, not 7,5)",
        ),
        Rule(
            lambda values: (
                values.str.fullmatch(_NUMBER) & np.isfinite(_numbers(values))
                | values.str.fullmatch(_COMMA_NUMBER)
            ),
            "a number (no unit, no text"
            + ("; leave the row out where nothing was measured)" if required else "; empty: none)"),
        ),
    ]
    rules.append(
        Rule(
            lambda values: ~values.str.fullmatch(r"[+-]?0[0-9]+"),
            "no zero before a number: where a spreadsheet lost the decimal comma, 085 was 0,85",
        )
    )
    if np.isfinite(low) or np.isfinite(high):
        bounds = f"from {low:g} to {high:g}" if np.isfinite(high) else f"{low:g} or more"
        rules.append(
            Rule(lambda values: ~((found := _numbers(values)) < low) & ~(found > high), bounds)
        )
    if whole:
        rules.append(Rule(lambda values: ~(_numbers(values) % 1 > 0), "a whole number"))
    return Column(tuple(rules), required, is_filled=required, kind="number")


def date() -> Column:
    """A day of the calendar, ISO 8601."""
    return text(Rule(_are_dates, "a date as YYYY-MM-DD, such as 2026-03-31"))


def hla() -> Column:
    """Alleles of the MHC, comma separated."""
    rule = Rule(
        lambda values: values.map(are_alleles).astype(bool),
        "alleles as A*02:01 (of mice as H2-Kb), separated by commas, / between the chains of class "
        "II; a serotype such as A2 leaves the allele open: A*02 or A*02:01",
    )
    return Column((rule,), kind="hla")


def flag(*, default: bool = False) -> Column:
    """Yes or no."""
    rule = Rule(lambda values: values.str.lower().isin(list(FLAGS)), f"one of {', '.join(FLAGS)}")
    return Column((rule,), default=str(default).lower(), kind="flag")


def sex() -> Column:
    """Sex as in the trial's records; only female and male can be checked against genes."""
    words = ("female", "male", "f", "m", "other", "unknown")
    rule = Rule(lambda values: values.str.lower().isin(words), f"one of {', '.join(words)}")
    return Column((rule,), kind="lower")


def _numbers(values: pd.Series) -> pd.Series:
    return pd.to_numeric(values, errors="coerce").astype("float64")


def _are_dates(values: pd.Series) -> pd.Series:
    is_written_so = values.str.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
    return is_written_so & pd.to_datetime(values, format="%Y-%m-%d", errors="coerce").notna()
