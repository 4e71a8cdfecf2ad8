"""What arms have in common, whatever the kind: an id, and the option that one stands for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from outgrow.evidence.records import Arm
from outgrow.points.declaration import TUNE, Identifier


class ArmSettings(BaseModel):
    """The keys that an arm of every kind has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Identifier
    option: Identifier | None = None


AnyArm = TypeVar("AnyArm", bound=ArmSettings)


def _apart(arms: tuple[AnyArm, ...]) -> tuple[AnyArm, ...]:
    for key in ("id", "option"):
        said = [getattr(arm, key) for arm in arms]
        twice = next((each for each in said if said.count(each) > 1), "")
        if twice is None:
            bare = " and ".join(arm.id for arm in arms if arm.option is None)
            raise ValueError(
                f"{bare} name no option, and only one arm can be the service as it is; write option: on the others"
            )
        if twice:
            raise ValueError(f"two arms have the {key} {twice!r}; each needs one of its own")
    if all(arm.option not in (None, TUNE) for arm in arms):
        raise ValueError(f"one arm must be the service as it is: without option:, or with option: {TUNE}")
    return arms


Arms = Annotated[tuple[AnyArm, ...], Field(min_length=2, max_length=20), AfterValidator(_apart)]


def arms_of(arms: Sequence[ArmSettings]) -> tuple[Arm, ...]:
    """The arms as evidence names them."""
    return tuple(Arm(arm.id, arm.option) for arm in arms)


def baseline_of(arms: Sequence[ArmSettings]) -> str:
    """The service as it is; where no arm is that, the tuned one."""
    return next((arm.id for arm in arms if arm.option is None), None) or next(
        arm.id for arm in arms if arm.option == TUNE
    )
