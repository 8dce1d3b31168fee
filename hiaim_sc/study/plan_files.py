"""Files beside study.yaml that the numbers depend on and people write: part of the frozen plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hiaim_sc.storage import digest_file
from hiaim_sc.study.paths import PathRoots
from hiaim_sc.study.tables import ANTIGENS, CELL_TYPE_OVERRIDES

if TYPE_CHECKING:
    from pathlib import Path

    from hiaim_sc.study.study import Study

_TABLES: Final = (ANTIGENS, CELL_TYPE_OVERRIDES)


def named_files(study: Study) -> dict[str, Path]:
    """Paths of the files that study.yaml names, by what stands there.

    Marker panel, signatures, gene lists, databases and the label reference, where it has them.
    """
    options = study.config.options
    texts = [
        options.annotate.panel,
        options.phenotypes.signatures,
        *options.phenotypes.gene_lists.values(),
        *options.databases.files,
        options.reference.model,
    ]
    roots = PathRoots.of(study.folder, study.config.data_roots)
    return {text: roots.locate(text) for text in texts if text is not None}


def digest_plan_files(study: Study) -> dict[str, str]:
    """SHA-256 of the files that study.yaml names, of the antigens and of the overrides.

    What is not there has no entry. Tables of patients, samples and libraries are no plan: they
    grow while the trial goes on.
    """
    files = named_files(study) | {name: study.folder / name for name in _TABLES}
    return {name: digest_file(path) for name, path in sorted(files.items()) if path.is_file()}
