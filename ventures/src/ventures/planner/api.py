"""What other rooms may use of planner."""

from ventures.log.api import Room

ROOM = Room("planner", {}, {})

__all__ = ["ROOM"]
