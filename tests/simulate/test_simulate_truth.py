"""What is planted: in the truth, and in the cells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hiaim_sc.config import CompareOptions
from hiaim_sc.simulate.cells import draw_cells
from hiaim_sc.simulate.cohort import plan_cohort
from hiaim_sc.simulate.composition import compartment_shares, draw_composition
from hiaim_sc.simulate.latent import (
    expected_called_clones,
    expected_dual_share,
    expected_expanded_clones,
    expected_expanded_share,
)
from hiaim_sc.simulate.repertoire import draw_repertoire
from hiaim_sc.simulate.transcriptome import build_transcriptome
from hiaim_sc.stats import binom_tail if False else None
