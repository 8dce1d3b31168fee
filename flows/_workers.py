"""How stages are spread over processes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import yaml
from prefect.task_runners import ProcessPoolTaskRunner
from pydantic import Field, ValidationError

from hiaim_sc.config import Model
from hiaim_sc.errors import Fault, UserInputError

_PROFILES = Path(__file__).resolve().parent.parent / "configs" / "profiles"

# One thread per worker: workers times threads must not exceed the cores, and sums in another order
# would change the last bits of a result.
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


class Profile(Model):
    """Where stages run."""

    runner: Literal["processes"] = "processes"
    workers: int | None = Field(None, ge=1, description="Processes; the cores when empty.")

    @property
    def n_workers(self) -> int:
        """Processes to use."""
        return self.workers or len(os.sched_getaffinity(0))


def read_profile(name: str, *, workers: int | None = None) -> Profile:
    """A profile by the name of its file in ``configs/profiles``, or by its path.

    Parameters
    ----------
    name
        ``local``, or the path of a YAML file.
    workers
        Overrides the profile's own number.
    """
    path = Path(name) if Path(name).suffix in {".yaml", ".yml"} else _PROFILES / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in _PROFILES.glob("*.yaml")))
        raise UserInputError([Fault("--profile", 0, "", name, f"one of {known}, or a YAML file")])
    try:
        profile = Profile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except (ValidationError, yaml.YAMLError) as error:
        raise UserInputError([Fault(path.name, 0, "", "", str(error))]) from error
    return profile if workers is None else profile.model_copy(update={"workers": workers})


def process_runner(workers: int) -> ProcessPoolTaskRunner:
    """Stages run in this many processes, one thread each."""
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    return ProcessPoolTaskRunner(max_workers=workers)
