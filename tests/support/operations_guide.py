"""The commands of docs/operations.md, as a reader copies them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

GUIDE = Path(__file__).parents[2] / "docs" / "operations.md"


class Block(NamedTuple):
    """A fenced block: the heading that it stands under, its language and its text."""

    heading: str
    language: str
    text: str

    def filled(self, **places: object) -> str:
        """The text with a reader's own words in the place of those in capitals, and the like."""
        text = self.text
        for place, word in places.items():
            text, n = re.subn(re.escape(place), lambda _, word=word: str(word), text)
            assert n, f"{place} does not stand in\n{self.text}"
        return text


def blocks() -> list[Block]:
    """Every fenced block of the guide, in their order."""
    found, heading, inside = [], "", None
    for line in GUIDE.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            if inside is None:
                inside = (line.removeprefix("```"), [])
            else:
                found.append(Block(heading, inside[0], "\n".join(inside[1])))
                inside = None
        elif inside is not None:
            inside[1].append(line)
        elif line.startswith("#"):
            heading = line.lstrip("# ")
    return found


def block(heading: str, starts: str) -> Block:
    """The one block under this heading whose text begins like this."""
    (found,) = (b for b in blocks() if b.heading == heading and b.text.startswith(starts))
    return found
