"""What other rooms may use of posts."""

from ventures.log.api import Room

ROOM = Room("posts", {}, {})

__all__ = ["ROOM"]
