"""What other rooms may use of notifications."""

from ventures.log.api import Room

ROOM = Room("notifications", {}, {})

__all__ = ["ROOM"]
