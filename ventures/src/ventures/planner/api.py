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
from ventures.planner.feed import digest_of, document, fingerprint
from ventures.planner.reactions import REACT
from ventures.planner.reading import (
    KINDS,
    busy,
    calendar_entry,
    deadline,
    deadlines,
    entries,
    entries_of_posts,
    entry,
    feed,
    feed_entries,
    feed_of,
    feeds,
    shown,
)
from ventures.planner.records import CalendarEntry, Entry, Feed, Fold, Kind, Label, Note, Title, ZoneName
from ventures.planner.slots import WorkingHours, free_slots
from ventures.planner.times import When, instant, local_text, zone_of

ROOM = Room("planner", DECIDE, APPLY, REACT)

__all__ = [
    "KINDS",
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
    "WorkingHours",
    "ZoneName",
    "busy",
    "calendar_entry",
    "deadline",
    "deadlines",
    "digest_of",
    "document",
    "entries",
    "entries_of_posts",
    "entry",
    "feed",
    "feed_entries",
    "feed_of",
    "feeds",
    "fingerprint",
    "free_slots",
    "instant",
    "local_text",
    "shown",
    "zone_of",
]
