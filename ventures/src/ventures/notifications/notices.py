"""The consumer that makes members' notices out of the log, and of nothing else.

Who was a member in which role, whose an item was and what it was called is folded from the same log, so that reading
it again from the beginning makes the same notices. What of them was read is kept apart and stays.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

from ventures.content import api as content
from ventures.database.scope import Scope
from ventures.log.api import Event, Fact
from ventures.notifications import sql
from ventures.notifications.events import DeadlineNear
from ventures.notifications.rules import RULE_OF_TYPE, Rule, feature, roles
from ventures.planner import api as planner
from ventures.tenancy import api as tenancy

REMIND_BEFORE: Final = timedelta(hours=24)
MOST_DETAIL_CHARACTERS: Final = 300

Fold = Callable[[Scope, str, Event[Any]], Awaitable[None]]
"""(scope, target, event): what later notices need of the event."""


async def _joined(scope: Scope, target: str, event: Event[tenancy.MemberJoined]) -> None:
    fact = event.data
    await scope.run(
        sql.PUT_MEMBER,
        target=target,
        account=fact.entity,
        role=fact.role,
        display_name=fact.display_name,
        seq=event.seq,
    )


async def _role_changed(scope: Scope, target: str, event: Event[tenancy.RoleChanged]) -> None:
    await scope.run(sql.PUT_ROLE, target=target, account=event.entity, role=event.data.role, seq=event.seq)


async def _gone(scope: Scope, target: str, event: Event[Fact]) -> None:
    await scope.run(sql.PUT_ROLE, target=target, account=event.entity, role=None, seq=event.seq)


async def _drafted(scope: Scope, target: str, event: Event[content.ItemDrafted]) -> None:
    fact = event.data
    await scope.run(sql.PUT_ITEM, target=target, item=fact.entity, title=fact.title, author=fact.author, seq=event.seq)


async def _edited(scope: Scope, target: str, event: Event[content.ItemEdited]) -> None:
    await scope.run(sql.RENAME_ITEM, target=target, item=event.entity, title=event.data.title, seq=event.seq)


async def _closed(scope: Scope, target: str, event: Event[Fact]) -> None:
    await scope.run(sql.CLOSE_ITEM, target=target, item=event.entity)
    await scope.run(sql.DROP_REMINDERS_OF_ITEM, target=target, item=event.entity, seq=event.seq)


async def _entry_put(scope: Scope, target: str, event: Event[planner.EntryPut]) -> None:
    """A deadline that is nearer than the reminder would be when it is set needs none: its author is told at once."""
    fact = event.data
    if fact.kind != "deadline" or fact.item is None:
        return
    remind_at = fact.starts_at - REMIND_BEFORE
    if remind_at <= event.at:
        await scope.run(sql.DROP_REMINDER, target=target, entry=fact.entity, seq=event.seq)
        return
    await scope.run(
        sql.PUT_REMINDER,
        target=target,
        entry=fact.entity,
        item=fact.item,
        deadline_at=fact.starts_at,
        remind_at=remind_at,
        seq=event.seq,
    )


async def _no_longer_due(scope: Scope, target: str, event: Event[Fact]) -> None:
    await scope.run(sql.DROP_REMINDER, target=target, entry=event.entity, seq=event.seq)


FOLDS: Final[Mapping[type[Fact], Fold]] = MappingProxyType(
    {
        tenancy.MemberJoined: _joined,
        tenancy.RoleChanged: _role_changed,
        tenancy.MemberRemoved: _gone,
        tenancy.MemberLeft: _gone,
        content.ItemDrafted: _drafted,
        content.ItemEdited: _edited,
        content.ItemPublished: _closed,
        content.ItemDeleted: _closed,
        planner.EntryPut: _entry_put,
        planner.EntryRemoved: _no_longer_due,
        DeadlineNear: _no_longer_due,
    }
)
FOLD_OF_TYPE: Final[Mapping[str, Fold]] = MappingProxyType({fact.type: fold for fact, fold in FOLDS.items()})


@dataclass
class Notices:
    """Folds what it needs, and tells. An event that is handled late, because it had been parked, is told to those only
    who were members in the same role before it. A second target is filled beside the first and read by nobody."""

    name: str = "notices"
    target: str = ""
    handles: frozenset[str] | None = frozenset(FOLD_OF_TYPE) | frozenset(RULE_OF_TYPE)

    async def handle(self, scope: Scope, event: Event) -> None:
        """What the event changes counts for its own notice already: a new member's role, a new title."""
        if (fold := FOLD_OF_TYPE.get(event.type)) is not None:
            await fold(scope, self.target, event)
        if (rule := RULE_OF_TYPE.get(event.type)) is not None and rule.when(event):
            await _told(scope, self.target, event, rule)

    async def forget(self, scope: Scope) -> None:
        """All but what was read."""
        await scope.run(sql.FORGET_NOTICES, target=self.target)
        await scope.run(sql.FORGET_REMINDERS, target=self.target)
        await scope.run(sql.FORGET_ITEMS, target=self.target)
        await scope.run(sql.FORGET_MEMBERS, target=self.target)


async def _told(scope: Scope, target: str, event: Event[Any], rule: Rule) -> None:
    await scope.run(
        sql.TELL,
        target=target,
        seq=event.seq,
        kind=rule.kind,
        feature=feature(rule),
        entity=event.entity,
        item=rule.item(event),
        by=event.account,
        detail=rule.detail(event)[:MOST_DETAIL_CHARACTERS],
        at=event.at,
        roles=roles(rule.to),
        to_author=rule.to.author,
        account=event.entity if rule.to.account else None,
        while_open=rule.while_open,
    )
