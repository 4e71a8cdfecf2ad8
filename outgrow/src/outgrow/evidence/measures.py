"""What arms measured of a point's triggers, over all their rounds: what *tune* is ruled on by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from outgrow.evidence.comparison import CONFIDENCE
from outgrow.evidence.intervals import value_interval
from outgrow.evidence.kept import KeptRound
from outgrow.evidence.records import TriggerMeasure
from outgrow.points.declaration import Point


def trigger_measures(
    rounds: Sequence[KeptRound], arms: Sequence[str], point: Point, users: float | None
) -> Iterator[TriggerMeasure]:
    """The typical value of each trigger's signal in each arm, with its bounds, where there are rounds enough.

    ``users`` is how many the load stands for; without it nothing is told, as nothing could be ruled on.
    """
    for arm in arms if users is not None else ():
        for trigger in point.triggers:
            values = [each.measures[arm][trigger.id] for each in rounds if trigger.id in each.measures.get(arm, ())]
            interval = value_interval(np.array(values), CONFIDENCE)
            if interval is not None and users is not None:
                yield TriggerMeasure(arm, trigger.id, float(users), interval)
