"""Work that is due at a time rather than caused by an event: publishing, delivering, reminding."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Loop:
    """`turn()` does what is due and returns after how many seconds to look again. It may run in several processes
    at once.
    """

    name: str
    turn: Callable[[], Awaitable[float]]
