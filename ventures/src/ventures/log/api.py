"""What other rooms may use of the log."""

from ventures.log.bell import Bell
from ventures.log.consumers import (
    Consumer,
    Lag,
    Parked,
    Rest,
    Step,
    lags,
    parked,
    replay_parked,
    rewind,
    step,
    step_together,
)
from ventures.log.loops import Loop
from ventures.log.reading import all_ventures, head, key_used, read, read_all, verify_chain
from ventures.log.records import (
    Actor,
    Appended,
    Apply,
    Asked,
    Authority,
    Command,
    Decide,
    Event,
    Fact,
    Head,
    Instruction,
    React,
    Room,
    Script,
    Unit,
    feature_of,
)
from ventures.log.registry import Registry, UnknownEvent
from ventures.log.replay import Difference, Replay, replay
from ventures.log.runner import Runner
from ventures.log.spine import Spine
from ventures.log.versions import require_version

__all__ = [
    "Actor",
    "Appended",
    "Apply",
    "Asked",
    "Authority",
    "Bell",
    "Command",
    "Consumer",
    "Decide",
    "Difference",
    "Event",
    "Fact",
    "Head",
    "Instruction",
    "Lag",
    "Loop",
    "Parked",
    "React",
    "Registry",
    "Replay",
    "Rest",
    "Room",
    "Runner",
    "Script",
    "Spine",
    "Step",
    "Unit",
    "UnknownEvent",
    "all_ventures",
    "feature_of",
    "head",
    "key_used",
    "lags",
    "parked",
    "read",
    "read_all",
    "replay",
    "replay_parked",
    "require_version",
    "rewind",
    "step",
    "step_together",
    "verify_chain",
]
