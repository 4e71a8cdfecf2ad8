"""What a run tells of the point's triggers: which of its figures stands for which trigger's signal is declared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from outgrow.points.declaration import Identifier
from outgrow.ports import Measured

Figure = Literal[
    "p50_seconds", "p95_seconds", "p99_seconds", "throughput_per_second", "answered_ratio", "dropped_ratio"
]
Measures = Annotated[
    dict[Identifier, Figure],
    Field(
        max_length=100,
        description="Trigger → the figure of a run that is its signal, in the signal's base unit: "
        "{slow-search: p95_seconds}. What tune is judged by.",
    ),
]


def with_measures(measured: Measured, measures: Mapping[str, Figure]) -> Measured:
    """The same, with what triggers' signals read in it. Times of nothing that was answered are no reading."""
    dropped = measured.dropped / measured.sent if measured.sent else 0.0
    figures: Mapping[Figure, float] = {
        "p50_seconds": measured.p50_seconds,
        "p95_seconds": measured.p95_seconds,
        "p99_seconds": measured.p99_seconds,
        "throughput_per_second": measured.throughput_per_second,
        "answered_ratio": 1 - dropped,
        "dropped_ratio": dropped,
    }
    answered = measured.sent > measured.dropped
    told = {
        trigger: figures[figure]
        for trigger, figure in measures.items()
        if measured.sent and (answered or not figure.endswith("_seconds"))
    }
    return replace(measured, measures={**measured.measures, **told})
