"""How a run is spread over a machine. Imports no Prefect, whose settings are read on import."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, ValidationError

from hiaim_sc.config import Model
from hiaim_sc.errors import Fault, UserInputError

_PROFILES = Path(__file__).resolve().parent.parent / "configs" / "profiles"


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
