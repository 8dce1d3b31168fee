"""What a run is asked to do: the form in the Prefect UI, and what the command line fills in.

Prefect reads these annotations when it runs, so they are not postponed.
"""

from typing import Any, Literal

from pydantic import Field, ValidationError

from flows._opening import ArmsRequest
from hiaim_sc.config import Model
from hiaim_sc.errors import Fault, UserInputError


class RunRequest(Model):
    """How the study is run."""

    arms: Literal["blinded", "explore", "unblind"] = Field(
        "blinded",
        description="blinded: the allocation stays closed, random labels are compared. explore: the"
        " arms are compared, and nothing counts as prespecified. unblind: under the frozen analysis"
        " plan; refused when it has changed.",
    )
    deviation: str = Field(
        "",
        max_length=500,
        description="With unblind: why the plan is not as it was frozen, or inputs are not as they"
        " were when the arms were first compared. The release lists what and why.",
    )
    only_if_new: bool = Field(
        default=False,
        description="Leave the last release in place where nothing would be computed anew.",
    )
    verify: bool = Field(
        default=False,
        description="Read every file again, also those that look unchanged since the last run.",
    )
    profile: str = Field(
        "local",
        min_length=1,
        max_length=200,
        description="Where stages run: a profile of configs/profiles, or the path of one.",
    )
    workers: int = Field(0, ge=0, le=512, description="Processes at once; 0: as the profile says.")
    results: str = Field(
        "", description="Folder of the releases; empty: results in the study folder."
    )
    store: str = Field(
        "", description="Folder of the artefacts; empty: .hiaim in the study folder."
    )
    because: Literal["by hand", "schedule", "arrivals", "start"] = Field(
        "by hand", description="What asked for the run; it stands in the run's name."
    )

    @property
    def arms_request(self) -> ArmsRequest:
        """What is asked of the allocation."""
        return ArmsRequest(
            blinded=self.arms == "blinded",
            unblind=self.arms == "unblind",
            deviation=self.deviation or None,
        )


def request_run(**fields: Any) -> RunRequest:
    """A request of these fields.

    Raises
    ------
    UserInputError
        With every field that is not as the form allows.
    """
    try:
        return RunRequest(**fields)
    except ValidationError as error:
        faults = [
            Fault("command line", 0, f"--{fault['loc'][0]}", str(fault["input"]), fault["msg"])
            for fault in error.errors()
        ]
        raise UserInputError(faults) from None
