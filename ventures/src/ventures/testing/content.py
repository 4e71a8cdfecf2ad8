"""Content for tests: a spine with tenancy and content alone, items brought to any state, and what posts would tell.

spine = content_spine(database)
venture = await founded(spine)
item = await brought_to(spine, venture, "scheduled")
done = await take(spine, venture, item, "edit")          # on the version it has now
assert (await item_of(spine, venture, item)).state == "draft"
"""

from types import MappingProxyType
from typing import Any, ClassVar, Final
from uuid import UUID

from ventures.content import api as content
from ventures.content.api import Item, ItemPublished, ItemScheduled, ItemUnscheduled, State, Step
from ventures.database.pool import Database
from ventures.identifiers import new_id
from ventures.log.api import Actor, Appended, Command, Fact, Registry, Room, Spine, Unit
from ventures.tenancy import api as tenancy
from ventures.testing.log import Watch

OWNER: Final = Actor(account=UUID(int=1))
WAY_TO: Final = MappingProxyType[State, tuple[Step, ...]](
    {
        "draft": (),
        "pending": ("submit",),
        "approved": ("submit", "approve"),
        "changes_requested": ("submit", "request_changes"),
        "scheduled": ("submit", "approve", "schedule"),
        "published": ("submit", "approve", "schedule", "publish"),
    }
)


class Tell(Command, frozen=True, kw_only=True):
    """Says what posts say of an item."""

    feature: ClassVar[str] = "content"
    action: ClassVar[str] = "publish"
    fact: ItemScheduled | ItemUnscheduled | ItemPublished


async def tell(unit: Unit, command: Tell) -> list[Fact]:
    """The fact, whatever state its item is in."""
    return [command.fact]


TELLING_ROOM: Final = Room("telling", {Tell: tell}, {})


def content_spine(database: Database, watch: Watch | None = None) -> Spine:
    """Tenancy, content and whoever tells what posts would."""
    registry = Registry([tenancy.ROOM, content.ROOM, TELLING_ROOM])
    return Spine(database, registry, tenancy.Memberships(), bell=None, now=watch or Watch(), new_id=new_id)


async def founded(spine: Spine, owner: Actor = OWNER) -> UUID:
    """A new venture."""
    venture = new_id()
    await spine.append(venture, tenancy.FoundVenture(name="Tea", display_name="Anna"), actor=owner)
    return venture


async def drafted(
    spine: Spine, venture: UUID, *, title: str = "Oolong", body: str = "A tea.", actor: Actor = OWNER
) -> UUID:
    """A new item."""
    return (await spine.append(venture, content.DraftItem(title=title, body=body), actor=actor)).entity


async def commented(spine: Spine, venture: UUID, item: UUID, *, text: str = "Good.", actor: Actor = OWNER) -> UUID:
    """A new comment on the item."""
    done = await spine.append(venture, content.AddComment(item=item, text=text), actor=actor)
    added = done.events[0].data
    assert isinstance(added, content.CommentAdded)
    return added.comment


async def brought_to(spine: Spine, venture: UUID, state: State, *, actor: Actor = OWNER) -> UUID:
    """A new item in this state, with its first version."""
    item = await drafted(spine, venture, actor=actor)
    for step in WAY_TO[state]:
        await take(spine, venture, item, step, actor=actor)
    return item


async def take(spine: Spine, venture: UUID, item: UUID, step: Step, *, actor: Actor = OWNER) -> Appended:
    """The step on the item as it is now; an edit gives it a body it never had. Raises: what the command does."""
    return await spine.append(venture, command_of(step, await item_of(spine, venture, item)), actor=actor)


def command_of(step: Step, item: Item) -> Command:
    """The step as a command on what was read of the item."""
    which: dict[str, Any] = {"item": item.id, "version": item.version}
    commands: dict[Step, Command] = {
        "edit": content.EditItem(**which, body=f"Text {item.version}."),
        "submit": content.SubmitItem(**which),
        "approve": content.ApproveItem(**which),
        "request_changes": content.RequestChanges(**which, note="Shorter."),
        "delete": content.DeleteItem(**which),
        "schedule": Tell(fact=ItemScheduled(entity=item.id)),
        "unschedule": Tell(fact=ItemUnscheduled(entity=item.id)),
        "publish": Tell(fact=ItemPublished(entity=item.id, number=item.number)),
    }
    return commands[step]


async def item_of(spine: Spine, venture: UUID, item: UUID) -> Item:
    """As it stands now. Raises: NotFound."""
    async with spine.database.reading(venture) as scope:
        return await content.item(scope, item)
