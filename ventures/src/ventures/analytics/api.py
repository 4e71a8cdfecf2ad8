"""What other rooms may use of analytics."""

from ventures.log.api import Room

ROOM = Room("analytics", {}, {})

__all__ = ["ROOM"]
