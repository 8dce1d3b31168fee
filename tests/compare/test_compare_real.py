"""Real receptors of blood and lung: own samples share clones, and a planted swap is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from hiaim_sc.compare import check_identity
from hiaim_sc.config import IdentityOptions, TcrOptions
from hiaim_sc.study import read_study

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.data
TCR = TcrOptions(require_gex=False)


@pytest.fixture(scope="module")
def ards(shared_data: Path):
    """Layout and receptors of the study by library."""
    from hiaim_sc.ingest import read_library
    from hiaim_sc.tcr import call_receptors

    study = read_study(shared_data / "real_ards_blood_lung")
    layout, options = study.layout(), study.config.options
    receptors = {}
    for library_id in layout["library_id"]:
        data = read_library(
            study.library_files(library_id),
            options.ingest,
            require_gex=False,
            feature_type=options.dna_barcodes.feature_type,
            antigens=None,
        )
        receptors[library_id] = call_receptors(data.contigs, options.tcr)
    return layout, receptors


def swap_checks(layout: pd.DataFrame, receptors: dict[str, pd.DataFrame]) -> pd.DataFrame:
    from hiaim_sc.tcr import define_clones, pool_receptors, share_clones

    clones = define_clones(pool_receptors(receptors, {}, layout), TCR)
    clones = clones.merge(layout[["library_id", "sample_id"]], on="library_id")
    keys = ["clone_key", "patient_id", "sample_id"]
    clones = clones.groupby(keys, as_index=False).size().rename(columns={"size": "n_cells"})
    table = check_identity(
        share_clones(clones),
        clones,
        pd.DataFrame({"library_id": [], "sample_id": [], "female": [], "male": []}),
        layout,
        pd.DataFrame({"patient_id": [], "sex": []}),
        {},
        IdentityOptions(),
    )
    return table[table["check"] == "swap"].set_index("sample_id")


def test_no_sample_is_taken_for_another_patients(ards):
    found = swap_checks(*ards)
    assert len(found) == 8
    assert (found["verdict"] == "pass").all()


def test_a_swap_names_the_samples_that_may_have_moved(ards):
    layout, receptors = ards
    swapped = receptors | {"P17B": receptors["P19B"], "P19B": receptors["P17B"]}
    found = swap_checks(layout, swapped)
    failed = found.loc[found["verdict"] == "fail", "partner"].to_dict()
    # two samples per patient: either both bloods changed places or both lungs
    assert failed == {
        "P17_blood": "P19_blood",
        "P19_blood": "P17_blood",
        "P17_lung": "P19_lung",
        "P19_lung": "P17_lung",
    }
