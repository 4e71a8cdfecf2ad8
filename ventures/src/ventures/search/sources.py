"""Content as a source of passages: what each of its events means for what can be found."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from ventures.content import api as content
from ventures.database.scope import Scope
from ventures.log.api import Event, Fact
from ventures.search.records import PassageChange, SourceChange, SourceGone, StateChange
from ventures.vectors.api import Kind

Meaning = Callable[[Event[Any]], SourceChange]


def _drafted(event: Event[content.ItemDrafted]) -> SourceChange:
    return _text(event, 1)


def _edited(event: Event[content.ItemEdited]) -> SourceChange:
    return _text(event, event.data.number)


def _submitted(event: Event[content.SubmittedForApproval]) -> SourceChange:
    return _state(event, "pending")


def _approved(event: Event[content.ItemApproved]) -> SourceChange:
    return _state(event, "approved")


def _sent_back(event: Event[content.ChangesRequested]) -> SourceChange:
    return _state(event, "changes_requested")


def _voided(event: Event[content.ApprovalVoided]) -> SourceChange:
    return _state(event, "draft")


def _scheduled(event: Event[content.ItemScheduled]) -> SourceChange:
    """A published item stays so."""
    return _state(event, "scheduled", tuple(state for state in content.STATES if state != "published"))


def _unscheduled(event: Event[content.ItemUnscheduled]) -> SourceChange:
    """An item that an edit took off the schedule is a draft already."""
    return _state(event, "approved", ("scheduled",))


def _published(event: Event[content.ItemPublished]) -> SourceChange:
    """Where the version that went out is still the approved one."""
    states: tuple[str, ...] = tuple(sorted(content.APPROVED))
    return StateChange(kind=Kind.CONTENT, source=event.entity, state="published", when=states, number=event.data.number)


def _deleted(event: Event[content.ItemDeleted]) -> SourceChange:
    return SourceGone(kind=Kind.CONTENT, source=event.entity)


MEANINGS: Final[Mapping[type[Fact], Meaning]] = MappingProxyType(
    {
        content.ItemDrafted: _drafted,
        content.ItemEdited: _edited,
        content.SubmittedForApproval: _submitted,
        content.ItemApproved: _approved,
        content.ChangesRequested: _sent_back,
        content.ApprovalVoided: _voided,
        content.ItemScheduled: _scheduled,
        content.ItemUnscheduled: _unscheduled,
        content.ItemPublished: _published,
        content.ItemDeleted: _deleted,
    }
)


class ContentSource:
    """The newest version of each item, with the state that the item is in. Events say it all: nothing is read."""

    handles: frozenset[str] = frozenset(fact.type for fact in MEANINGS)

    async def changes(self, scope: Scope, event: Event) -> Sequence[SourceChange]:
        meaning = MEANINGS.get(type(event.data))
        return () if meaning is None else (meaning(event),)


def _text(event: Event[content.ItemDrafted] | Event[content.ItemEdited], number: int) -> SourceChange:
    return PassageChange(
        kind=Kind.CONTENT,
        source=event.entity,
        title=event.data.title,
        text=event.data.body,
        number=number,
        state="draft",
    )


def _state(event: Event[Any], state: str, when: tuple[str, ...] = ()) -> SourceChange:
    return StateChange(kind=Kind.CONTENT, source=event.entity, state=state, when=when)
