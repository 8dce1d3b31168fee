from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

from hiaim_sc.config import DnaBarcodeOptions, TcrOptions
from hiaim_sc.dna_barcodes import Specificity, Staining, call_specificity, measure_staining

ANTIGENS = pd.DataFrame(
    {
        "dna_barcode": ["GIL_Flu_MP", "NLV_CMV", "KLG_CMV", "NC_1", "NC_2"],
        "peptide": ["GILGFVFTL", "NLVPMVATV", "KLGGALQAK", "", ""],
        "hla": ["A*02:01", "A*02:01", "A*03:01", "A*02:01", "B*07:02"],
        "is_control": [False, False, False, True, True],
    }
)
N_CELLS = 200
LIBRARY = "L1"


def make_counts(marked: dict[int, dict[str, int]], names: list[str] | None = None) -> AnnData:
    """Cells with 0 to 2 UMIs of everything, but for those that are marked."""
    names = names or ANTIGENS["dna_barcode"].tolist()
    umis = np.random.default_rng(7).binomial(2, 0.2, size=(N_CELLS, len(names))).astype(np.int32)
    for cell, own in marked.items():
        umis[cell] = 0
        for name, n in own.items():
            umis[cell, names.index(name)] = n
    obs = pd.DataFrame(index=[f"cell{i:03}" for i in range(N_CELLS)])
    return AnnData(sparse.csr_matrix(umis), obs=obs, var=pd.DataFrame(index=names))


def make_clones(clones: dict[str, list[int]]) -> pd.DataFrame:
    """Cells of each clone, as `define_clones` returns them."""
    rows = [(LIBRARY, f"cell{i:03}", key) for key, cells in clones.items() for i in cells]
    return pd.DataFrame(rows, columns=["library_id", "cell_barcode", "clone_key"]).astype("str")


def make_receptors(pairings: dict[int, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "cell_barcode": [f"cell{i:03}" for i in pairings],
            "chain_pairing": list(pairings.values()),
        }
    )


def call(
    counts: AnnData,
    *,
    antigens: pd.DataFrame | None = ANTIGENS,
    receptors: pd.DataFrame | None = None,
    clones: pd.DataFrame | None = None,
    hla: str | None = None,
    **options: object,
) -> Specificity:
    """Calls of one library of patient P1."""
    wanted = DnaBarcodeOptions(**options)
    staining = measure_staining(counts, antigens, receptors, wanted)
    return call_library(staining, antigens, clones, hla, wanted)


def call_library(
    staining: Staining,
    antigens: pd.DataFrame | None,
    clones: pd.DataFrame | None,
    hla: str | None = None,
    options: DnaBarcodeOptions | None = None,
) -> Specificity:
    return call_specificity(
        staining.held.assign(library_id=LIBRARY),
        staining.stained.assign(library_id=LIBRARY, patient_id="P1"),
        make_clones({}) if clones is None else clones,
        antigens,
        pd.DataFrame({"patient_id": ["P1"], "hla": [hla]}),
        options or DnaBarcodeOptions(),
    )


def pairs(found: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(found["cell_barcode"], found["dna_barcode"], strict=True))


@pytest.fixture(scope="session")
def dextramers(shared_data):
    """One donor, 1,000 cells, 44 dextramers and 6 negative controls: counts, panel, receptors."""
    from hiaim_sc.ingest import read_contigs, read_matrix
    from hiaim_sc.tcr import call_receptors

    folder = shared_data / "real_dextramer"
    files = folder / "libraries" / "donor_v"
    antigens = pd.read_csv(folder / "antigens.tsv", sep="\t")
    matrix = read_matrix(files / "filtered_feature_bc_matrix.h5", None)
    position = [list(matrix.symbols).index(name) for name in antigens["dna_barcode"]]
    counts = AnnData(
        sparse.csr_matrix(matrix.counts[:, position]),
        obs=pd.DataFrame(index=matrix.cell_barcodes),
        var=pd.DataFrame(index=antigens["dna_barcode"].to_numpy()),
    )
    contigs = read_contigs(files / "filtered_contig_annotations.csv").table
    return counts, antigens, call_receptors(contigs, TcrOptions())


@pytest.fixture(scope="session")
def dextramer_clones(dextramers):
    from hiaim_sc.tcr import define_clones

    receptors = dextramers[2].assign(library_id=LIBRARY, patient_id="P1", predicted_doublet=False)
    return define_clones(receptors, TcrOptions())
