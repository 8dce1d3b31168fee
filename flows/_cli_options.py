"""What the commands share: their arguments, and how faults end in words and an exit code."""

from __future__ import annotations

from contextlib import contextmanager
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from hiaim_sc.errors import HiaimError, UserInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

# 128 + SIGINT, as shells have it
_INTERRUPTED = 130

StudyFolder = Annotated[
    Path, typer.Argument(metavar="STUDY", help="The study folder (holds study.yaml).")
]
StoreOption = Annotated[
    Path | None, typer.Option("--store", help="Where artefacts lie. Default: STUDY/.hiaim.")
]
ResultsOption = Annotated[
    Path | None, typer.Option("--results", help="Where releases go. Default: STUDY/results.")
]
BlindedOption = Annotated[
    bool,
    typer.Option("--blinded", help="Leave allocation.tsv closed; compare random labels instead."),
]


@contextmanager
def faults_reported(interrupted: str = "interrupted") -> Iterator[None]:
    """Turn what the user or a machine got wrong, or an interrupt, into words and an exit code."""
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        yield
    except UserInputError as error:
        # whole, also where it was closed on its way through Prefect
        errors.print(str(UserInputError(error.faults)), markup=False)
        raise typer.Exit(2) from None
    except HiaimError as error:
        errors.print(str(error), markup=False)
        raise typer.Exit(1) from None
    except OSError as error:
        if not (error.strerror and error.filename):
            raise
        errors.print(f"{error.strerror}: {error.filename} (as user {getuser()})", markup=False)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        errors.print(interrupted)
        raise typer.Exit(_INTERRUPTED) from None
