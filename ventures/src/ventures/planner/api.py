"""What other rooms may use of the planner."""

from ventures.log.api import Room
from ventures.planner.commands import (
    DECIDE,
    AddEvent,
    ChangeEvent,
    ClearDeadline,
    OpenFeed,
    RemoveEvent,
    RevokeFeed,
    SetDeadline,
)
from ventures.planner.events import APPLY, EntryPut, EntryRemoved, FeedOpened, FeedRevoked
from ventures.planner.reading import (
    calendar_entry,
    deadline,
    deadlines,
    entries,
    entries_of_posts,
    entry,
    feed,
    feeds,
    shown,
)
from ventures.planner.records import CalendarEntry, Entry, Feed, Fold, Kind, Label, Note, Title, ZoneName
from ventures.planner.times import When, instant, zone_of

ROOM = Room("planner", DECIDE, APPLY)

__all__ = [
    "ROOM",
    "AddEvent",
    "CalendarEntry",
    "ChangeEvent",
    "ClearDeadline",
    "Entry",
    "EntryPut",
    "EntryRemoved",
    "Feed",
    "FeedOpened",
    "FeedRevoked",
    "Fold",
    "Kind",
    "Label",
    "Note",
    "OpenFeed",
    "RemoveEvent",
    "RevokeFeed",
    "SetDeadline",
    "Title",
    "When",
    "ZoneName",
    "calendar_entry",
    "deadline",
    "deadlines",
    "entries",
    "entries_of_posts",
    "entry",
    "feed",
    "feeds",
    "instant",
    "shown",
    "zone_of",
]
