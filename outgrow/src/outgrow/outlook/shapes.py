"""The bends a curve may have: h(x) in y = β0 + β1 x + β2 h(x).

power     h = x^γ
queue     h = ρ^(k+1) / (1 − ρ), ρ = x / C. k = 0 is every quantile of M/M/1; a larger k stands for more servers,
          which keep the curve flat until just before the wall
scaling   response time by Little's law on the universal scalability law, ρ = throughput over its peak:
          h = κ n + n², where n, clients over those at the peak, solves ρ (1 + κ n + n²) = (2 + κ) n.
          κ weighs contention against coherency; κ → ∞ is the queue with k = 0
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from outgrow.signals.series import FloatArray

POWER: Final = 0
QUEUE: Final = 1
SCALING: Final = 2
KINDS: Final = (POWER, QUEUE, SCALING)

HIGHEST_SHARE = 0.99
_TANGENT = 0.005


def bend(kind: int, parameter: FloatArray, x: FloatArray) -> FloatArray:
    """h at ``x`` (for queue and scaling in units of the capacity); shapes broadcast.

    Beyond 99 % of the capacity it goes on along its secant, so that what was measured in overload stays finite.
    """
    if kind == POWER:
        return np.asarray(x**parameter, dtype=np.float64)
    inside = np.minimum(x, HIGHEST_SHARE)
    value = bend_inside(kind, parameter, inside)
    if x.size and float(x.max()) > HIGHEST_SHARE:
        top = bend_inside(kind, parameter, np.float64(HIGHEST_SHARE) + 0 * parameter)
        below = bend_inside(kind, parameter, np.float64(HIGHEST_SHARE - _TANGENT) + 0 * parameter)
        value = value + (x - inside) * (top - below) / _TANGENT
    return value


def bend_inside(kind: int, parameter: FloatArray, x: FloatArray) -> FloatArray:
    """h at ``x`` below the capacity, without continuation."""
    if kind == POWER:
        return np.asarray(x**parameter, dtype=np.float64)
    if kind == QUEUE:
        return np.asarray(x ** (parameter + 1) / (1 - x), dtype=np.float64)
    rest = 2 + parameter * (1 - x)
    clients = 2 * x / (rest + np.sqrt(np.maximum(rest * rest - 4 * x * x, 0.0)))
    return np.asarray(clients * (parameter + clients), dtype=np.float64)


def bends(kinds: NDArray[np.int8], capacity: FloatArray, parameter: FloatArray, x: FloatArray) -> FloatArray:
    """h of many curves: ``kinds``, ``capacity``, ``parameter`` of shape (n,), ``x`` (…, n, points) or (1, points)."""
    shape = np.broadcast_shapes(x.shape, (kinds.size, x.shape[-1]))
    value = np.empty(shape)
    for kind in KINDS:
        chosen = np.flatnonzero(kinds == kind)
        if chosen.size:
            part = x if x.shape[-2] == 1 else x[..., chosen, :]
            scaled = part / capacity[chosen, None]
            value[..., chosen, :] = bend(kind, parameter[chosen, None], scaled)
    return value
