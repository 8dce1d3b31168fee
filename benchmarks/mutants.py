"""Break each formula in turn and see that a test notices; ``make mutants`` runs it.

The package and its tests are copied, one line is changed, and the tests named beside it must fail.
A mutant that they let pass is a formula that nothing holds in place.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
_TABLE = Path(__file__).with_suffix(".yaml")
_COPIED = ("hiaim_sc", "flows", "tests", "pyproject.toml", "data", "configs")


@dataclass(frozen=True)
class Mutant:
    """One line that is wrong.

    Attributes
    ----------
    file
        Within ``hiaim_sc``.
    of
        Function whose formula it breaks.
    old, new
        Text that stands in the file once, and what stands there instead.
    tests
        File within ``tests`` that must fail.
    """

    file: str
    of: str
    old: str
    new: str
    tests: str

    def apply(self, text: str) -> str:
        """The source with the line changed.

        Raises
        ------
        ValueError
            When the text does not stand there exactly once.
        """
        if text.count(self.old) != 1:
            message = f"{self.file}: {text.count(self.old)} times in the source: {self.old}"
            raise ValueError(message)
        return text.replace(self.old, self.new)


def read_mutants() -> list[Mutant]:
    """The table beside this file."""
    return [Mutant(**row) for row in yaml.safe_load(_TABLE.read_text(encoding="utf-8"))]


def is_caught(mutant: Mutant) -> bool:
    """Whether the tests fail on the mutant."""
    with tempfile.TemporaryDirectory(prefix="hiaim-mutant-") as folder:
        copy = Path(folder)
        _copy_to(copy)
        source = copy / "hiaim_sc" / mutant.file
        source.write_text(mutant.apply(source.read_text(encoding="utf-8")), encoding="utf-8")
        return not _passes([mutant.tests], copy)


def _copy_to(folder: Path) -> None:
    skip = shutil.ignore_patterns("__pycache__")
    for name in _COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=skip)
        else:
            shutil.copy(ROOT / name, folder / name)


def _passes(tests: list[str], folder: Path) -> bool:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    command += [str(Path("tests") / name) for name in tests]
    environment = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    # 1: a test failed; anything else but 0 says that the tests could not run
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    return done.returncode == 0


def main() -> int:
    """Say of each mutant whether it was caught; 1 when one was not."""
    mutants = read_mutants()
    with tempfile.TemporaryDirectory(prefix="hiaim-mutant-") as folder:
        _copy_to(Path(folder))
        if not _passes(sorted({mutant.tests for mutant in mutants}), Path(folder)):
            print("the tests fail without any mutant")
            return 1
    survivors = []
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for mutant, caught in zip(mutants, pool.map(is_caught, mutants), strict=True):
            print(f"{'caught  ' if caught else 'SURVIVED'} {mutant.of}: {mutant.new}", flush=True)
            if not caught:
                survivors.append(mutant)
    print(f"{len(mutants) - len(survivors)} of {len(mutants)} mutants caught")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
