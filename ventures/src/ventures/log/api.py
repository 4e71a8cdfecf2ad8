"""What other rooms may use of the log."""

from ventures.log.bell import Bell
from ventures.log.consumers import Consumer, Lag, Parked, Step, lags, parked, replay_parked, rewind, step
from ventures.log.reading import head, read, read_all, verify_chain
from ventures.log.records import (
    Actor,
    Appended,
    Asked,
    Authority,
    Command,
    Event,
    Fact,
    Head,
    Room,
    Unit,
    feature_of,
)
from ventures.log.registry import Registry, UnknownEvent
from ventures.log.replay import Difference, Replay, replay
from ventures.log.runner import Runner
from ventures.log.spine import Spine

__all__ = [
    "Actor",
    "Appended",
    "Asked",
    "Authority",
    "Bell",
    "Command",
    "Consumer",
    "Difference",
    "Event",
    "Fact",
    "Head",
    "Lag",
    "Parked",
    "Registry",
    "Replay",
    "Room",
    "Runner",
    "Spine",
    "Step",
    "Unit",
    "UnknownEvent",
    "feature_of",
    "head",
    "lags",
    "parked",
    "read",
    "read_all",
    "replay",
    "replay_parked",
    "rewind",
    "step",
    "verify_chain",
]
