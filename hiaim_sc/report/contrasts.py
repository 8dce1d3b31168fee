"""Which arm is compared with which, read from the contrast's name."""

from __future__ import annotations

import re

_BETWEEN = re.compile(r"\s+(?:-|\u2212|vs\.?|minus|against)\s+|_vs_|_minus_")


def split_contrast(contrast: str) -> tuple[str, str]:
    """Treated and reference arm of ``exercise - control``; general words for another form.

    >>> split_contrast("exercise - control"), split_contrast("dose")
    (('exercise', 'control'), ('treated', 'reference'))
    """
    parts = _BETWEEN.split(contrast.strip())
    if len(parts) == 2 and all(parts):
        return parts[0], parts[1]
    return "treated", "reference"
