"""Reads what a sequencing core delivers for one library; refuses what is not what it is called."""

from hiaim_sc.ingest.annotations import find_odd_libraries
from hiaim_sc.ingest.contigs import read_contigs
from hiaim_sc.ingest.feature_matrix import FeatureMatrix
from hiaim_sc.ingest.library import LibraryData, LibraryFiles, read_library
from hiaim_sc.ingest.matrices import read_matrix

__all__ = [
    "FeatureMatrix",
    "LibraryData",
    "LibraryFiles",
    "find_odd_libraries",
    "read_contigs",
    "read_library",
    "read_matrix",
]
