"""What the calendar does about what happens to content."""

from ventures.content import api as content
from ventures.log.api import Event, Fact, React, Unit
from ventures.planner import sql
from ventures.planner.events import EntryRemoved


async def item_deleted(unit: Unit, event: Event[content.ItemDeleted]) -> list[Fact]:
    """Its deadline and events go with it; its posts' entries are for the posts to remove."""
    rows = await unit.scope.all(sql.OF_ITEM, item=event.entity)
    return [EntryRemoved(entity=entry) for (entry,) in rows]


REACT: dict[type[Fact], React] = {content.ItemDeleted: item_deleted}
