"""How a run is spread over a machine or a cluster.

Imports no Prefect, whose settings are read on import.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from hiaim_sc.config import Model
from hiaim_sc.errors import Fault, UserInputError

_PROFILES = Path(__file__).resolve().parent.parent / "configs" / "profiles"


class LocalProfile(Model):
    """One machine: every stage in a process of its own, or in a worker of a local Dask."""

    runner: Literal["processes", "dask"] = "processes"
    workers: int | None = Field(None, ge=1, description="Processes; the cores when empty.")

    @property
    def n_workers(self) -> int:
        """Processes to use."""
        return self.workers or len(os.sched_getaffinity(0))


class Job(Model):
    """A kind of SLURM job; each holds one worker, which runs one stage at a time."""

    cpus: int = Field(1, ge=1, description="Allocated; a stage computes on one, for equal bytes.")
    memory: str = Field(description="Of the job, such as 16GiB.", pattern=r"^\d+ ?[MGT]i?B$")
    walltime: str = Field("12:00:00", pattern=r"^(\d+-)?\d{1,2}:\d\d:\d\d$")
    queue: str | None = Field(None, description="Partition; the cluster's default when empty.")
    max_jobs: int = Field(1, ge=1, description="At once. Idle ones are given back.")


class SlurmProfile(Model):
    """A cluster: stages of one library in small jobs, those of the cohort in a large one."""

    runner: Literal["slurm"]
    library: Job = Job(memory="16GiB", max_jobs=20)
    cohort: Job = Job(memory="64GiB")
    account: str | None = None
    interface: str | None = Field(None, description="Network between jobs and this host, as ib0.")
    log_directory: Path = Field(
        Path("slurm-logs"), description="Seen by all nodes; a relative one lies in the store."
    )
    local_directory: Path | None = Field(None, description="Scratch of the workers.")
    directives: tuple[str, ...] = Field((), description="More #SBATCH lines, such as --qos=long.")
    prologue: tuple[str, ...] = Field((), description="Lines of shell before the worker starts.")


type Profile = LocalProfile | SlurmProfile
_ANY: TypeAdapter[Profile] = TypeAdapter(
    Annotated[LocalProfile | SlurmProfile, Field(discriminator="runner")]
)


def read_profile(name: str, *, workers: int | None = None, store: Path | None = None) -> Profile:
    """A profile by the name of its file in ``configs/profiles``, or by its path.

    Parameters
    ----------
    name
        ``local``, ``dask``, ``slurm``, or the path of a YAML file.
    workers
        Overrides the profile's own number; on a cluster, of jobs for libraries.
    store
        Where a relative folder for logs lies.
    """
    path = Path(name) if Path(name).suffix in {".yaml", ".yml"} else _PROFILES / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in _PROFILES.glob("*.yaml")))
        raise UserInputError([Fault("--profile", 0, "", name, f"one of {known}, or a YAML file")])
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        profile = _ANY.validate_python({"runner": "processes"} | dict(given))
    except (ValidationError, yaml.YAMLError, TypeError, ValueError) as error:
        raise UserInputError([Fault(path.name, 0, "", "", str(error))]) from error
    if isinstance(profile, LocalProfile):
        return profile.model_copy(update={} if workers is None else {"workers": workers})
    log_directory = (store or Path()) / profile.log_directory
    jobs = {} if workers is None else {"max_jobs": workers}
    library = profile.library.model_copy(update=jobs)
    return profile.model_copy(update={"library": library, "log_directory": log_directory})


def require_profile(name: str, *, server: bool) -> str:
    """The profile's name, or its path in full; refused where it cannot be used.

    Parameters
    ----------
    server
        Whether a Prefect server is configured. Jobs on other hosts report to it, so a cluster
        needs one that they can reach.
    """
    if isinstance(read_profile(name), SlurmProfile) and not server:
        allowed = "the address of a Prefect server that the cluster's nodes reach, for this profile"
        raise UserInputError([Fault("PREFECT_API_URL", 0, "", "", allowed)])
    return str(Path(name).resolve()) if Path(name).suffix in {".yaml", ".yml"} else name
