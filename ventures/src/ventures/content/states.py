"""The states of a content item and the steps between them: one table, asked by every command.

    draft ──submit──▸ pending ──approve──▸ approved ──schedule──▸ scheduled ──publish──▸ published
      ▴                  │                    │  ◂──unschedule──────┘ │                  (read-only)
      │           request_changes             │                       │
      │                  ▾                    │                       │
      └──edit── changes_requested             └──publish──────────────┴──▸ published

`edit` leads from every state but published to draft. An approval is of one version: it holds in approved, scheduled
and published, and there the approved version is the current one.
"""

from types import MappingProxyType
from typing import Final, Literal, NamedTuple, get_args

from ventures.errors import Conflict

State = Literal["draft", "pending", "approved", "changes_requested", "scheduled", "published"]
Step = Literal["edit", "submit", "approve", "request_changes", "schedule", "unschedule", "publish", "delete"]

STATES: Final[tuple[State, ...]] = get_args(State)
STEPS: Final[tuple[Step, ...]] = get_args(Step)
APPROVED: Final[frozenset[State]] = frozenset({"approved", "scheduled", "published"})
"""Where an approval holds."""
VOIDING: Final[frozenset[State]] = frozenset({"pending", "approved", "scheduled"})
"""Where an edit voids what was submitted or approved."""


class Way(NamedTuple):
    """From which states a step leads to which; `target` None: the item is gone."""

    sources: frozenset[State]
    target: State | None


_UNPUBLISHED: Final[frozenset[State]] = frozenset(STATES) - {"published"}

WAYS: Final = MappingProxyType[Step, Way](
    {
        "edit": Way(_UNPUBLISHED, "draft"),
        "submit": Way(frozenset({"draft"}), "pending"),
        "approve": Way(frozenset({"pending"}), "approved"),
        "request_changes": Way(frozenset({"pending"}), "changes_requested"),
        "schedule": Way(frozenset({"approved", "scheduled"}), "scheduled"),
        "unschedule": Way(frozenset({"scheduled"}), "approved"),
        "publish": Way(frozenset({"approved", "scheduled", "published"}), "published"),
        "delete": Way(_UNPUBLISHED, None),
    }
)

_SAID: Final = MappingProxyType[Step, str](
    {
        "edit": "edited",
        "submit": "submitted",
        "approve": "approved",
        "request_changes": "sent back",
        "schedule": "scheduled",
        "unschedule": "unscheduled",
        "publish": "published",
        "delete": "deleted",
    }
)
_STANDS: Final = MappingProxyType[State, tuple[str, str]](
    {
        "draft": ("a draft", "Submit it for approval first."),
        "pending": ("waiting for approval", "Approve it, or request changes."),
        "approved": ("approved", "Schedule it, or edit it, which voids the approval."),
        "changes_requested": ("waiting for changes", "Edit it, then submit it."),
        "scheduled": ("scheduled", "Edit it, which voids the approval and takes it off the schedule."),
        "published": ("published and read-only", "Copy it to a new draft."),
    }
)


def allows(state: State, step: Step) -> bool:
    """Whether the step leads anywhere from the state."""
    return state in WAYS[step].sources


def require_step(state: State, step: Step) -> None:
    """Returns where the state allows the step. Raises: Conflict, which says what to do instead."""
    if not allows(state, step):
        is_, do = _STANDS[state]
        raise Conflict(f"This item is {is_}, so it cannot be {_SAID[step]}. {do}")
