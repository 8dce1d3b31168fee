"""What scirpy's own workflow test expects of two data sets, cell by cell."""

from __future__ import annotations

import pandas as pd
import pytest

from hiaim_sc.config import TcrOptions
from hiaim_sc.ingest import read_contigs
from hiaim_sc.tcr import call_receptors, define_clones

pytestmark = pytest.mark.data

# what scirpy's workflow chose: chains in either place, V genes not compared, no patients
OPTIONS = TcrOptions(dual_ir="any", same_v_gene=False, orphan_rescue=False)
CLASSES = ["chain_pairing", "receptor_subtype", "receptor_type"]


def read_expected(shared_data, name):
    path = shared_data / f"receptor_formats/test_workflow/{name}.obs.expected.pd2.csv.gz"
    return pd.read_csv(path, index_col="cell_id").sort_index()


def call(path, library_id):
    receptors = call_receptors(read_contigs(path).table, OPTIONS)
    return receptors.assign(library_id=library_id, patient_id="all", predicted_doublet=False)


def clones_of(receptors, options, name):
    clones = define_clones(receptors, options)
    names = clones["cell_barcode"] if name is None else clones["library_id"] + "_" + clones[name]
    return clones.set_index(names)["clone_key"]


def partition(clones):
    return {frozenset(cells) for _, cells in clones.groupby(clones).groups.items()}


@pytest.fixture(scope="module")
def pbmc(shared_data):
    name = "receptor_formats/10x/vdj_nextgem_hs_pbmc3_t_filtered_contig_annotations.csv.gz"
    return read_expected(shared_data, "adata_10x_pbmc3_t"), call(shared_data / name, "pbmc")


@pytest.fixture(scope="module")
def nsclc(shared_data):
    study = shared_data / "real_nsclc_wu2020"
    tables = [
        call(folder / "filtered_contig_annotations.csv", folder.name)
        for folder in sorted((study / "libraries").iterdir())
    ]
    libraries = pd.read_csv(study / "libraries.tsv", sep="\t")
    samples = pd.read_csv(study / "samples.tsv", sep="\t").set_index("sample_id")
    patient = libraries.set_index("library_id")["sample_id"].map(samples["patient_id"])
    receptors = pd.concat(tables, ignore_index=True)
    receptors["patient"] = receptors["library_id"].map(patient)
    return read_expected(shared_data, "adata_wu_200_old_schema"), receptors


def assert_same_clones(expected, clones):
    """The same groups of cells, their sizes, and the class that follows from the size."""
    assert partition(clones) == partition(expected["clone_id"])
    size = clones.map(clones.value_counts()).reindex(expected.index)
    assert (size == expected["clone_id_size"]).all()
    label = size.map(lambda n: "<= 1" if n <= 1 else "<= 2" if n <= 2 else "> 2")
    assert (label == expected["clonal_expansion"]).all()


def test_cells_of_pbmc(pbmc):
    expected, receptors = pbmc
    found = receptors.set_index("cell_barcode").sort_index()
    assert found.index.equals(expected.index)
    assert (found[CLASSES] == expected[CLASSES]).all(axis=None)
    assert_same_clones(expected, clones_of(receptors, OPTIONS, None))


# By the primary chains alone, clones whose cells swap their first and second chain fall apart:
# the parts of each such clone of scirpy, as numbers of cells.
SPLIT_BY_PRIMARY = [[11, 3, 1, 1], [4, 1], [1, 1], [1, 1]]


def test_pbmc_by_primary_chains_differs_in_cells_of_swapped_chains_only(pbmc):
    expected, receptors = pbmc
    primary = OPTIONS.model_copy(update={"dual_ir": "primary_only"})
    clones = clones_of(receptors, primary, None)
    pairing = receptors.set_index("cell_barcode")["chain_pairing"]
    found = []
    for _, cells in expected.groupby("clone_id").groups.items():
        parts = clones[cells].value_counts().tolist()
        if len(parts) > 1:
            assert pairing[cells].isin(["extra VJ", "extra VDJ", "two full chains"]).any()
            found.append(parts)
    assert sorted(found, reverse=True) == SPLIT_BY_PRIMARY


def test_cells_of_nsclc(nsclc):
    expected, receptors = nsclc
    names = receptors["library_id"] + "_" + receptors["cell_barcode"]
    found = receptors.set_index(names).sort_index()
    assert found.index.equals(expected.index)
    assert (found[CLASSES] == expected[CLASSES]).all(axis=None)
    assert (found["patient"] == expected["patient"]).all()
    assert_same_clones(expected, clones_of(receptors, OPTIONS, "cell_barcode"))


# Cells that our defaults bring home to the clone of a paired cell, where scirpy lets the orphan be
# a clone of its own: orphan -> paired cell of the same patient with the same beta chain.
RESCUED = {
    frozenset({"LN1_GTCCTCAGTAATCACC-1-19", "LN1_CTGGTCTAGGAGCGAG-1-19"}),
    frozenset({"LT4_CGGACGTGTCCGAAGA-2-17", "LN4_GTCTTCGTCTCCAACC-1-10"}),
    frozenset({"LN5_AGACGTTAGTGAATTG-1-7", "LN5_GGCTCGAGTTGGGACA-1-7"}),
}


def test_nsclc_with_our_defaults_differs_in_three_rescued_cells(nsclc):
    expected, receptors = nsclc
    within = receptors.assign(patient_id=receptors["patient"])
    clones = clones_of(within, TcrOptions(), "cell_barcode")
    assert partition(clones) - partition(expected["clone_id"]) == RESCUED
    for pair in RESCUED:
        assert sorted(expected.loc[list(pair), "chain_pairing"])[0] == "orphan VDJ"
        assert expected.loc[list(pair), "clone_id_size"].tolist() == [1, 1]
