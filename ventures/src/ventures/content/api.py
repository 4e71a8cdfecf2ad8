"""What other rooms may use of content."""

from ventures.log.api import Room

ROOM = Room("content", {}, {})

__all__ = ["ROOM"]
