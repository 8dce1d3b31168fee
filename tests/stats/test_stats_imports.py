from __future__ import annotations

import subprocess
import sys

from hiaim_sc import stats


def test_statistics_import_nothing_of_single_cells():
    heavy = {"anndata", "scanpy", "scirpy", "matplotlib", "hiaim_sc.config"}
    code = f"import sys, hiaim_sc.stats; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_public_name_is_there_and_documented():
    for name in stats.__all__:
        assert getattr(stats, name).__doc__
