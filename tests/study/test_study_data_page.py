"""The page about the tables of a study says what the reader of the tables asks for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hiaim_sc.config import Design
from hiaim_sc.study.tables import allocation_schema, table_schemas

if TYPE_CHECKING:
    from pathlib import Path

DESIGN = Design(arms=("a", "b"), visits={"baseline": 0}, tissues=("blood",))


def test_every_table_and_column_is_on_the_page(request):
    root: Path = request.config.rootpath
    rows = re.findall(
        r"^\| `(\w+\.tsv)` \|(.*?)\|(.*?)\|$", (root / "data/README.md").read_text(), re.M
    )
    page = {
        name: tuple(set(" ".join(re.findall(r"`([^`]+)`", cell)).split()) for cell in cells)
        for name, *cells in rows
    }
    schemas = {**table_schemas(DESIGN), "allocation.tsv": allocation_schema(DESIGN)}
    assert page == {
        name: (
            {column for column, rule in schema.columns.items() if rule.is_required},
            {column for column, rule in schema.columns.items() if not rule.is_required},
        )
        for name, schema in schemas.items()
    }
