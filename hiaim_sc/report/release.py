"""From the artefacts of a run to the folder of a release."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hiaim_sc.compare import empty_table, label_specificity
from hiaim_sc.names import RELEASE_TABLES
from hiaim_sc.report.figures import draw_figures
from hiaim_sc.report.html import ReportData, render_report
from hiaim_sc.report.objects import (
    build_cohort_object,
    write_airr,
    write_cellxgene,
    write_cohort,
)
from hiaim_sc.report.tables import write_tables
from hiaim_sc.tcr import alias_clones, build_airr, rearrangements

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

    from hiaim_sc.storage import Artefact, Store
    from hiaim_sc.study import Study
