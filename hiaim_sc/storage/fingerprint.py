"""What code a stage runs: the source of its modules, and the versions of the libraries they use."""

from __future__ import annotations

import csv
import inspect
import platform
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import grimp

from hiaim_sc.storage.digests import digest_file, digest_value

_PACKAGE = "hiaim_sc"
# Their content reaches a key as values: the options a stage was given, and the words of an error.
_BY_VALUE = ("config", "errors")
# A layout is read from a file, which is the input; what the file leaves out, this module says.
_BY_SOURCE = f"{_PACKAGE}.config.read_layout"


@dataclass(frozen=True)
class CodeFingerprint:
    """The code a stage runs.

    Attributes
    ----------
    source
        Digest of the source of every module of ours in the import closure, and of the tables
        (``.tsv``) that lie beside them.
    modules
        Their names, sorted.
    versions
        Version by distribution of the libraries which these modules import, and of Python.
    """

    source: str
    modules: tuple[str, ...]
    versions: dict[str, str]


@cache
def _graph() -> Any:
    return grimp.build_graph(_PACKAGE, include_external_packages=True, cache_dir=None)


@cache
def _distributions() -> dict[str, list[str]]:
    """Which distributions bring each package; importlib looks at every file of all to say so."""
    found: dict[str, set[str]] = {}
    for distribution in metadata.distributions():
        for name in _packages_of(distribution):
            found.setdefault(name, set()).add(distribution.metadata["Name"])
    return {name: sorted(names) for name, names in found.items()}


def _packages_of(distribution: metadata.Distribution) -> set[str]:
    """What can be imported of a distribution, by what it declares or else by the files it lists."""
    declared = (distribution.read_text("top_level.txt") or "").split()
    listed = csv.reader((distribution.read_text("RECORD") or "").splitlines())
    first = {Path(row[0]).parts[0] for row in listed if row} if not declared else set(declared)
    names = {inspect.getmodulename(name) or name for name in first}
    return {name for name in names if name.isidentifier()}


def _file_of(module: str) -> Path:
    """Source of a module of ours; to import it would bring in the libraries that it uses."""
    place = Path(__file__).parents[1].joinpath(*module.split(".")[1:])
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


@cache
def _source_digest(module: str) -> str:
    return digest_file(_file_of(module))


@cache
def _tables_digest(folder: Path) -> list[list[str]]:
    """Name and digest of each packaged table in a folder of modules."""
    return [[path.name, digest_file(path)] for path in sorted(folder.glob("*.tsv"))]


def _folders(modules: list[str]) -> list[Path]:
    return sorted({_file_of(module).parent for module in modules})


def _closure(packages: tuple[str, ...]) -> set[str]:
    graph = _graph()
    modules: set[str] = set()
    for package in packages:
        modules |= {package, *graph.find_descendants(package)}
        modules |= graph.find_upstream_modules(package, as_package=True)
    return modules


def _counts(module: str) -> bool:
    """Whether the source of a module is part of the digest of a stage that imports it."""
    top, *below = module.split(".")
    if top != _PACKAGE or not below:
        return False
    return below[0] not in _BY_VALUE or module == _BY_SOURCE


@cache
def fingerprint_code(*packages: str) -> CodeFingerprint:
    """Fingerprint of everything that the given packages of ours import, themselves included.

    Parameters
    ----------
    packages
        Dotted names below ``hiaim_sc``, such as ``hiaim_sc.qc``.
    """
    modules = _closure(packages)
    ours = sorted(module for module in modules if _counts(module))
    versions = {"python": platform.python_version()}
    for module in modules:
        for distribution in _distributions().get(module.split(".")[0], []):
            if module.split(".")[0] != _PACKAGE:
                versions[distribution] = metadata.version(distribution)
    tables = [_tables_digest(folder) for folder in _folders(ours)]
    source = digest_value([[name, _source_digest(name)] for name in ours] + tables)
    return CodeFingerprint(source, tuple(ours), dict(sorted(versions.items())))
