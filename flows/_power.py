"""What the last release's endpoints can detect, in text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flows._paths import default_results
from hiaim_sc.compare import tabulate_power
from hiaim_sc.errors import Fault, UserInputError
from hiaim_sc.storage import read_payload

if TYPE_CHECKING:
    from pathlib import Path

    from hiaim_sc.study import Study


def power_table(
    study: Study, results: Path | None, *, n_per_arm: int | None, power: float
) -> list[list[str]]:
    """The rows to print: endpoint, tissue, patients, patients per arm, and what is detectable.

    Raises
    ------
    UserInputError
        When the study has no release yet.
    """
    path = (results or default_results(study.folder)) / "latest" / "tables" / "endpoints.parquet"
    if not path.is_file():
        allowed = "a release; hiaim-sc run --blinded writes one without opening the arms"
        raise UserInputError([Fault(str(path), 0, "", "not there", allowed)])
    strata = study.strata().set_index("patient_id")
    found = tabulate_power(
        read_payload(path), strata, study.config, n_per_arm=n_per_arm, power=power
    )
    return [
        [
            row["endpoint"],
            row["tissue"],
            str(row["n"]),
            str(row["n_per_arm"]),
            *(_show(row[name]) for name in ("detectable", "detectable_ratio", "detectable_sd")),
        ]
        for row in found.to_dict("records")
    ]


def _show(number: float) -> str:
    return f"{number:.3g}" if math.isfinite(number) else ""
