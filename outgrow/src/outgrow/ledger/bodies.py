"""How ramps and messages are written as JSON inside the ledger."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from outgrow.ports import Message
from outgrow.signals.series import FloatArray, Ramp


def strict_json(body: Any) -> str:
    """JSON that every reader understands. Raises ``ValueError`` for infinite and NaN numbers."""
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def ramp_text(ramp: Ramp) -> str:
    """A ramp as JSON; floats survive exactly. A level whose quantile was not measured becomes ``null``."""
    return strict_json(
        {
            "name": ramp.name,
            "signal": ramp.signal,
            "axis": ramp.axis,
            "levels": ramp.levels.tolist(),
            "values": ramp.values.tolist(),
            "loop": ramp.loop,
            "made_at": ramp.made_at,
            "throughput_per_second": _nulls(ramp.throughput_per_second),
            "quantiles": {repr(quantile): _nulls(values) for quantile, values in ramp.quantiles.items()},
            "origin": ramp.origin,
        }
    )


def ramp_of(text: str) -> Ramp:
    """The ramp that ``ramp_text`` wrote."""
    body = json.loads(text)
    throughput = body["throughput_per_second"]
    return Ramp(
        name=body["name"],
        signal=body["signal"],
        axis=body["axis"],
        levels=np.array(body["levels"], dtype=np.float64),
        values=np.array(body["values"], dtype=np.float64),
        loop=body["loop"],
        made_at=body["made_at"],
        throughput_per_second=None if throughput is None else _numbers(throughput),
        quantiles={float(quantile): _numbers(values) for quantile, values in body["quantiles"].items()},
        origin=body["origin"],
    )


def message_of(text: str) -> Message:
    """The message that was put into the outbox."""
    return Message(**json.loads(text))


def _nulls(values: FloatArray | None) -> list[float | None] | None:
    return None if values is None else [value if np.isfinite(value) else None for value in values.tolist()]


def _numbers(values: list[float | None]) -> FloatArray:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
