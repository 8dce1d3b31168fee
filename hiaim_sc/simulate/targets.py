"""The folders a simulation writes: new or empty ones, which appear when they are complete."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from hiaim_sc.errors import Fault, UserInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hiaim_sc.simulate.settings import SimulationSettings

_FOLDER_MODE = 0o755  # mkdtemp's own is for its owner alone


def refuse_targets(settings: SimulationSettings) -> None:
    """Raise where a target is in use, or where the pipeline could come upon the truth.

    Raises
    ------
    UserInputError
        With every fault.
    """
    targets = {"out": settings.out, "truth": settings.truth}
    faults = [
        Fault("simulate", 0, name, str(path), "a new or an empty folder")
        for name, path in targets.items()
        if not _is_free(path)
    ]
    out, truth = settings.out.resolve(), settings.truth.resolve()
    if out.is_relative_to(truth) or truth.is_relative_to(out):
        allowed = f"a folder apart from the study folder {settings.out}"
        faults.append(Fault("simulate", 0, "truth", str(settings.truth), allowed))
    if faults:
        raise UserInputError(faults)


@contextmanager
def complete_folder(target: Path) -> Iterator[Path]:
    """A folder to write in, which becomes `target` at the end and vanishes on an error."""
    target = target.absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield partial
        partial.chmod(_FOLDER_MODE)
        partial.replace(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _is_free(path: Path) -> bool:
    return not path.exists() or (path.is_dir() and not any(path.iterdir()))
