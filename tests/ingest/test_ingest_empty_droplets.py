"""Empty droplets of the unfiltered matrix: which are summed, which files are refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hiaim_sc.config import IngestOptions
from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.ingest import empty_droplets, read_library, read_matrix
from hiaim_sc.ingest.matrices import read_blocks

from .conftest import CELLS, COUNTS, FEATURES

EMPTY = [f"{letters}GGGGCCCC-1" for letters in ("AAAATTTT", "CCCCTTTT", "GGGGTTTT", "TTTTGGGG")]
# one count, ten of them tags, none, and too many for an empty droplet
EMPTY_COUNTS = np.array([[1, 0, 0, 0, 0], [0, 2, 1, 10, 0], [0, 0, 0, 0, 0], [60, 50, 0, 0, 0]])


@pytest.fixture
def unfiltered(write_h5):
    """The cells of the filtered matrix and four more droplets, in an order of their own."""
    order = [3, 0, 6, 1, 4, 2, 5]
    counts, cells = np.vstack([COUNTS, EMPTY_COUNTS])[order], np.array(CELLS + EMPTY)[order]
    return write_h5(counts=counts, cells=cells, name="raw_feature_bc_matrix.h5")


def read(files, **options):
    return read_library(
        files,
        IngestOptions(**options),
        require_gex=True,
        feature_type="Antigen Capture",
        antigens=None,
    )


def test_droplets_of_few_counts_that_are_no_cells_are_summed(files, write_h5, unfiltered):
    data = read(files(gex=write_h5(), gex_raw=unfiltered))
    assert data.soup["gene_id"].tolist() == FEATURES["id"].tolist()[:3]
    assert data.soup["n_counts"].tolist() == [1, 2, 1]
    assert data.report["n_empty_droplets"] == 2
    more = read(files(gex=write_h5(), gex_raw=unfiltered), max_counts_empty=110)
    assert more.soup["n_counts"].tolist() == [61, 52, 1]


def test_without_an_unfiltered_matrix_there_is_none(files, write_h5):
    data = read(files(gex=write_h5()))
    assert data.soup is None
    assert data.report["n_empty_droplets"] is None


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_blocks_make_up_the_matrix(unfiltered, monkeypatch, files, write_h5, size):
    whole = read_matrix(unfiltered)
    blocks = list(read_blocks(unfiltered, None, size))
    assert len(blocks) == -(-7 // size)
    stacked = np.vstack([block.counts.toarray() for block in blocks])
    assert stacked.tolist() == whole.counts.toarray().tolist()
    names = [name for block in blocks for name in block.cell_barcodes]
    assert names == whole.cell_barcodes.tolist()
    monkeypatch.setattr(empty_droplets, "_BLOCK", size)
    data = read(files(gex=write_h5(), gex_raw=unfiltered))
    assert data.soup["n_counts"].tolist() == [1, 2, 1]


def test_a_folder_of_text_files_is_summed_too(files, write_h5, write_mtx):
    data = read(files(gex=write_h5(), gex_raw=write_mtx()))
    assert data.soup["n_counts"].tolist() == [0, 0, 0]
    assert data.report["n_empty_droplets"] == 0


def test_genes_are_found_by_id_whatever_their_order(files, write_h5, unfiltered):
    order = [2, 1, 0, 3, 4]
    raw = read_matrix(unfiltered)
    turned = write_h5(
        counts=raw.counts.toarray()[:, order],
        features=FEATURES.iloc[order],
        cells=raw.cell_barcodes.astype(str),
        name="turned.h5",
    )
    found = read(files(gex=write_h5(), gex_raw=turned)).soup
    expected = read(files(gex=write_h5(), gex_raw=unfiltered)).soup
    pd.testing.assert_frame_equal(found, expected)


def test_the_unfiltered_matrix_of_another_library_is_refused(files, write_h5):
    other = write_h5(counts=EMPTY_COUNTS, cells=EMPTY, name="other.h5")
    with pytest.raises(
        LibraryFaultError, match=r"other\.h5 holds 0 of the 3 cell barcodes of filt"
    ):
        read(files(gex=write_h5(), gex_raw=other))


def test_an_unfiltered_matrix_of_another_annotation_is_refused(files, write_h5):
    features = FEATURES.assign(id=["ENSG00000000009", *FEATURES["id"].tolist()[1:]])
    other = write_h5(features=features, name="raw.h5")
    message = r"raw\.h5 lacks 1 of the 3 genes of filtered.*such as ENSG00000000003"
    with pytest.raises(LibraryFaultError, match=message):
        read(files(gex=write_h5(), gex_raw=other))


def test_an_unfiltered_matrix_of_normalised_values_is_refused(files, write_h5):
    other = write_h5(counts=COUNTS + 0.5, name="raw.h5")
    with pytest.raises(LibraryFaultError, match=r"raw\.h5.*already normalised values"):
        read(files(gex=write_h5(), gex_raw=other))


@pytest.mark.parametrize(("n_empty", "is_refused"), [(501, True), (499, False)])
def test_an_unfiltered_matrix_is_no_filtered_one(files, write_h5, n_empty, is_refused):
    counts = np.full((1000, 5), 4)
    counts[:n_empty] = [1, 0, 1, 0, 0]
    names = [f"CELL{i:012}-1" for i in range(1000)]
    library = files(gex=write_h5(counts=counts, cells=names))
    if is_refused:
        with pytest.raises(LibraryFaultError, match=r"501 of 1,000.*fewer than 10 counts.*gex_raw"):
            read(library)
    else:
        assert read(library).counts.n_obs == 1000


def test_a_hundred_thousand_cells_are_read(files, write_h5):
    counts = np.tile([30, 5, 1, 0, 0], (100_000, 1))
    names = [f"CELL{i:012}-1" for i in range(100_000)]
    data = read(files(gex=write_h5(counts=counts, cells=names)))
    assert data.counts.shape == (100_000, 3)
