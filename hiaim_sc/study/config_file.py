"""``study.yaml`` into the config model; every fault with its key and its line."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from hiaim_sc.config import Design, Options, StudyConfig
from hiaim_sc.errors import Fault, LibraryFaultError, UserInputError
from hiaim_sc.study.database_header import read_database_header
from hiaim_sc.study.file_kinds import name_kind
from hiaim_sc.study.paths import PathRoots
from hiaim_sc.study.reference_model import MODEL_KEY, read_reference_model

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from yaml import MappingNode, Node

CONFIG = "study.yaml"
_MAY_BE_EMPTY = ("options", "data_roots", "analysis_plan")
_ARM_COLUMNS = ("arm", "arms", "allocation")


def read_config(path: Path) -> tuple[StudyConfig | None, Design | None, list[Fault]]:
    """The config, the design by itself, and every fault.

    The design is given where it alone is right, so that the tables can be checked in spite of
    another fault; both are None where they cannot be understood.
    """
    content, lines, faults = _read_yaml(path)
    if faults:
        return None, None, faults
    content = _without_empty_sections(content)
    try:
        config = StudyConfig.model_validate(content)
    except ValidationError as error:
        return None, _read_design(content), _to_faults(error, lines)
    return config, config.design, _content_faults(config, path.parent, lines)


def _content_faults(config: StudyConfig, folder: Path, lines: dict[str, int]) -> list[Fault]:
    """What is well-formed but cannot be: a stratum that is the arm, a folder or file not there."""
    sealed = "not the arm: arms are sealed in allocation.tsv"
    found = [
        ("design.strata", stratum, sealed)
        for stratum in config.design.strata
        if stratum.strip().casefold() in _ARM_COLUMNS
    ]
    found += [
        ("data_roots", root, "an existing folder")
        for root in config.data_roots
        if not (folder / root).is_dir()
    ]
    found += _file_faults(config, PathRoots.of(folder, config.data_roots))
    return [Fault(CONFIG, lines.get(key, 0), key, value, allowed) for key, value, allowed in found]


def _file_faults(config: StudyConfig, roots: PathRoots) -> list[tuple[str, str, str]]:
    """Files that the options name: each must be there, and a database be one."""
    phenotypes = config.options.phenotypes
    named = [("options.annotate.panel", config.options.annotate.panel)]
    named += [("options.phenotypes.signatures", phenotypes.signatures)]
    named += [(MODEL_KEY, config.options.reference.model)]
    named += [
        (f"options.phenotypes.gene_lists.{name}", text)
        for name, text in phenotypes.gene_lists.items()
    ]
    databases = {
        f"options.databases.files[{position}]": text
        for position, text in enumerate(config.options.databases.files)
    }
    found = []
    for key, text in [*named, *databases.items()]:
        if text is None:
            continue
        file = roots.locate(text)
        if not (roots.hold(file) and file.is_file()):
            found.append((key, text, "a file of the study or a data root"))
        elif key in databases and (fault := _database_fault(file)):
            found.append((key, text, fault))
        elif key == MODEL_KEY:
            found += _reference_faults(file, config.options.reference.sha256 or "")
    return found


def _reference_faults(file: Path, sha256: str) -> list[tuple[str, str, str]]:
    try:
        read_reference_model(file, sha256)
    except UserInputError as error:
        return [(fault.column, fault.value, fault.allowed) for fault in error.faults]
    return []


def _database_fault(file: Path) -> str:
    try:
        read_database_header(file)
    except LibraryFaultError as error:
        return error.reason
    return ""


def _read_yaml(path: Path) -> tuple[Any, dict[str, int], list[Fault]]:
    import yaml

    try:
        raw = path.read_bytes()
        if kind := name_kind(raw[:1000]):
            return None, {}, [Fault(CONFIG, 0, "", kind, "a YAML file with study and design")]
        text = raw.decode("utf-8-sig")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        return None, {}, [Fault(CONFIG, line, "", f"byte 0x{raw[error.start]:02x}", "UTF-8 text")]
    except OSError as error:
        return None, {}, [Fault(CONFIG, 0, "", error.strerror or "", "a file that can be read")]
    except (yaml.YAMLError, ValueError) as error:  # dates that never were are ValueErrors
        mark = getattr(error, "problem_mark", None)
        line = 0 if mark is None else mark.line + 1
        shown = text.splitlines()[line - 1].strip() if 0 < line <= len(text.splitlines()) else ""
        problem = getattr(error, "problem", None) or str(error)
        return None, {}, [Fault(CONFIG, line, "", shown, f"YAML that can be read ({problem})")]
    if not isinstance(content, dict):
        return None, {}, [Fault(CONFIG, 1, "", str(content), "a mapping with study and design")]
    lines: dict[str, int] = {}
    return content, lines, _walk(node, "", lines)


def _walk(node: Node, prefix: str, lines: dict[str, int]) -> list[Fault]:
    """Fill in the line of every dotted key; a key that stands twice is a fault."""
    import yaml

    if isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            lines[f"{prefix}[{position}]"] = item.start_mark.line + 1
        return []
    if not isinstance(node, yaml.MappingNode):
        return []
    return _walk_mapping(node, prefix, lines)


def _walk_mapping(node: MappingNode, prefix: str, lines: dict[str, int]) -> list[Fault]:
    faults = []
    here: set[str] = set()
    for key, value in node.value:
        name = f"{prefix}.{key.value}" if prefix else str(key.value)
        line = key.start_mark.line + 1
        if name in here:
            faults.append(Fault(CONFIG, line, name, key.value, "each key once"))
        here.add(name)
        lines[name] = line
        faults += _walk(value, name, lines)
    return faults


def _without_empty_sections(content: dict[str, Any]) -> dict[str, Any]:
    """A section whose lines are all commented out is null in YAML: it means the defaults."""
    kept = {
        key: value
        for key, value in content.items()
        if value is not None or key not in _MAY_BE_EMPTY
    }
    if isinstance(options := kept.get("options"), dict):
        kept["options"] = {
            key: value
            for key, value in options.items()
            if value is not None or key not in Options.model_fields
        }
    return kept


def _read_design(content: dict[str, Any]) -> Design | None:
    try:
        return Design.model_validate(content.get("design"))
    except ValidationError:
        return None


def _to_faults(error: ValidationError, lines: dict[str, int]) -> list[Fault]:
    faults = []
    problems = error.errors(include_url=False)
    at_fault = {problem["loc"][:-1] for problem in problems}
    for problem in problems:
        if problem["type"] == "too_short" and problem["loc"] in at_fault:
            continue  # pydantic counts the faulty items out: a consequence of their own faults
        parts = [part for part in problem["loc"] if part != "[key]"]
        key = _dotted(parts)
        line = next((lines[name] for name in _enclosing(parts) if name in lines), 0)
        if problem["type"] == "extra_forbidden":
            value, allowed = str(parts[-1]), _known_keys(parts)
        elif problem["type"] == "missing":
            value, allowed = "", "this key is required"
        else:
            value = str(problem["input"])
            allowed = problem["msg"].removeprefix("Value error, ")
            if problem["type"] == "string_type":
                allowed += "; in YAML, quote words such as yes, no and numbers"
        faults.append(Fault(CONFIG, line, key, value, allowed))
    return faults


def _dotted(parts: Sequence[int | str]) -> str:
    key = ""
    for part in parts:
        key += f"[{part}]" if isinstance(part, int) else f".{part}" if key else part
    return key


def _enclosing(parts: Sequence[int | str]) -> list[str]:
    """The key and the keys around it, the innermost first."""
    return [_dotted(parts[:n]) for n in range(len(parts), 0, -1)]


def _known_keys(parts: Sequence[int | str]) -> str:
    model: Any = StudyConfig
    for part in parts[:-1]:
        model = model.model_fields[str(part)].annotation
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return "no such key"
    known = list(model.model_fields)
    close = difflib.get_close_matches(str(parts[-1]), known, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    return f"an unknown key{hint}; known here: {', '.join(known)}"
