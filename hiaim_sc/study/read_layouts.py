"""Read layouts of bulk screens: those that come with the package, and the user's own files."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hiaim_sc.config import ReadLayout
from hiaim_sc.errors import Fault, UserInputError

_FOLDER = "layouts"


def packaged_layouts() -> tuple[str, ...]:
    """Names of the layouts that come with the package."""
    folder = resources.files("hiaim_sc.study") / _FOLDER
    return tuple(sorted(item.name.removesuffix(".yaml") for item in folder.iterdir()))


def locate_layout(name: str, file: Path) -> Path | None:
    """The file that a layout stands in: the user's, else the packaged one of this name."""
    if file.is_file():
        return file
    if name in packaged_layouts():
        return Path(str(resources.files("hiaim_sc.study") / _FOLDER / f"{name}.yaml"))
    return None


def read_layout(name: str, file: Path) -> ReadLayout:
    """A packaged layout by its name, or the layout in a YAML file.

    Parameters
    ----------
    name
        What the user wrote: a name of `packaged_layouts`, or a path.
    file
        The file that it means when it is a path.

    Raises
    ------
    UserInputError
        With every key that is unknown, missing or has a value that is not allowed.
    """
    found = locate_layout(name, file)
    if found is not None:
        return _parse(found.read_bytes(), found.name)
    allowed = f"a layout file, or one of the published layouts: {', '.join(packaged_layouts())}"
    raise UserInputError([Fault("read layout", 0, "", name, allowed)])


def _parse(content: bytes, source: str) -> ReadLayout:
    import yaml

    try:
        values: Any = yaml.safe_load(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, yaml.YAMLError, ValueError) as error:
        fault = Fault(source, 0, "", " ".join(str(error).split()), "a YAML file of a read layout")
        raise UserInputError([fault]) from error
    if not isinstance(values, dict):
        keys = ", ".join(ReadLayout.model_fields)
        raise UserInputError([Fault(source, 0, "", str(values)[:80], f"the keys {keys}")])
    try:
        return ReadLayout.model_validate(values)
    except ValidationError as error:
        raise UserInputError(_to_faults(error, source)) from error


def _to_faults(error: ValidationError, source: str) -> list[Fault]:
    words = {
        "extra_forbidden": f"an unknown key; known here: {', '.join(ReadLayout.model_fields)}",
        "missing": "this key is required",
        "string_pattern_mismatch": "8 to 32 bases, of A, C, G and T only",
    }
    return [
        Fault(
            source,
            0,
            ".".join(map(str, problem["loc"])),
            "" if problem["type"] == "missing" else str(problem["input"])[:80],
            words.get(problem["type"], problem["msg"]),
        )
        for problem in error.errors(include_url=False)
    ]
