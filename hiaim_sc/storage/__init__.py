"""Content-addressed artefacts: what was computed from exactly this input, with exactly this code.

A `Recipe` says what an artefact is made from; its `key` names the artefact's folder in the
`Store`.
"""

from hiaim_sc.storage.collection import (
    Collected,
    collect_garbage,
    discard,
    stored_tables,
    trace,
)
from hiaim_sc.storage.counts import CellCounts, CountBlocks, Counts, sum_rows
from hiaim_sc.storage.digests import digest_file, digest_table, digest_value, files_of
from hiaim_sc.storage.file_digests import FileDigests, Signature, sign_file
from hiaim_sc.storage.fingerprint import CodeFingerprint, fingerprint_code
from hiaim_sc.storage.payloads import Payload, read_payload
from hiaim_sc.storage.recipe import Recipe
from hiaim_sc.storage.row_blocks import ReadableCounts, read_genes, row_blocks, row_reader
from hiaim_sc.storage.seeds import generator
from hiaim_sc.storage.store import Artefact, Look, Store, value_key
from hiaim_sc.storage.stored_counts import StoredCounts

__all__ = [
    "Artefact",
    "CellCounts",
    "CodeFingerprint",
    "Collected",
    "CountBlocks",
    "Counts",
    "FileDigests",
    "Look",
    "Payload",
    "ReadableCounts",
    "Recipe",
    "Signature",
    "Store",
    "StoredCounts",
    "collect_garbage",
    "digest_file",
    "digest_table",
    "digest_value",
    "discard",
    "files_of",
    "fingerprint_code",
    "generator",
    "read_genes",
    "read_payload",
    "row_blocks",
    "row_reader",
    "sign_file",
    "stored_tables",
    "sum_rows",
    "trace",
    "value_key",
]
