"""Units in which one thing is measured twice: shares of a whole, and cells per volume."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

FRACTION: Final = "fraction"
CELLS: Final = "1e9_per_l"

_CELLS_PER_VOLUME: Final = re.compile(
    r"(?:x?(?:1e|10[\^*])(?P<power>\d+))?(?:cells?)?(?:per|/)(?P<volume>[mu]?l|mm3)"
)
_LITRES: Final = {"l": 0, "ml": -3, "ul": -6, "mm3": -6}  # powers of ten


class Unit(NamedTuple):
    """What a unit is of.

    Attributes
    ----------
    name
        `FRACTION`, `CELLS`, or the unit itself where it is neither.
    factor
        A value in the unit times this is one in ``name``.
    """

    name: str
    factor: float


def read_unit(unit: str) -> Unit:
    """A unit of `measurements.tsv` by what it can be compared with.

    Per cent of whatever whole is a fraction, cells per litre, millilitre or microlitre are in 10^9
    per litre; any other unit can be compared with itself only.

    Examples
    --------
    >>> read_unit("pct_of_lymphocytes")
    Unit(name='fraction', factor=0.01)
    >>> read_unit("cells_per_ul")
    Unit(name='1e9_per_l', factor=0.001)
    """
    plain = re.sub(r"[\s_]", "", unit.lower().replace("\u00b5", "u").replace("\u03bc", "u"))
    if plain.startswith(("pct", "%", "percent")):
        return Unit(FRACTION, 0.01)
    if plain.startswith(("frac", "proportion", "share")):
        return Unit(FRACTION, 1.0)
    found = _CELLS_PER_VOLUME.fullmatch(plain)
    if found is None:
        return Unit(unit, 1.0)
    power = int(found["power"] or 0) - _LITRES[found["volume"]] - 9
    return Unit(CELLS, 10.0**power)
