"""Non-negative least squares with three coefficients, in closed form, for many problems at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgrow.signals.series import FloatArray


def solve_nonnegative(
    gram: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray],
    moment: tuple[FloatArray, FloatArray, FloatArray],
    *,
    free_intercept: bool = False,
) -> tuple[FloatArray, FloatArray]:
    """Non-negative least squares with three coefficients for many problems at once: closed form over all active sets.

    Args:
        gram: the entries 00, 01, 02, 11, 12, 22 of XᵀWX, any one shape.
        moment: the entries of XᵀWy, the same shape.
        free_intercept: whether the first coefficient may be negative.

    Returns:
        Coefficients, shape (…, 3), and how far they lower the sum of squares from yᵀWy, shape (…).
    """
    g00, g01, g02, g11, g12, g22 = gram
    r0, r1, r2 = moment
    zero = np.zeros_like(r0)
    options = [(r0 / g00, zero, zero)]
    tiny = 1e-9
    with np.errstate(divide="ignore", invalid="ignore"):
        d01 = g00 * g11 - g01 * g01
        d02 = g00 * g22 - g02 * g02
        d12 = g11 * g22 - g12 * g12
        options.append(_or_zero(d01 > tiny * g00 * g11, (r0 * g11 - r1 * g01) / d01, (r1 * g00 - r0 * g01) / d01, zero))
        first, last, none = _or_zero(
            d02 > tiny * g00 * g22, (r0 * g22 - r2 * g02) / d02, (r2 * g00 - r0 * g02) / d02, zero
        )
        options.append((first, none, last))
        c00, c01, c02 = d12, g02 * g12 - g01 * g22, g01 * g12 - g02 * g11
        c11, c12, c22 = d02, g01 * g02 - g00 * g12, d01
        determinant = g00 * c00 + g01 * c01 + g02 * c02
        options.append(
            _or_zero(
                determinant > tiny * g00 * g11 * g22,
                (c00 * r0 + c01 * r1 + c02 * r2) / determinant,
                (c01 * r0 + c11 * r1 + c12 * r2) / determinant,
                (c02 * r0 + c12 * r1 + c22 * r2) / determinant,
            )
        )
        if not free_intercept:
            options.append((zero, r1 / g11, zero))
            options.append((zero, zero, r2 / g22))
            last, first, none = _or_zero(
                d12 > tiny * g11 * g22, (r2 * g11 - r1 * g12) / d12, (r1 * g22 - r2 * g12) / d12, zero
            )
            options.append((none, first, last))
    best = np.full(r0.shape, -np.inf)
    answer = np.zeros((*r0.shape, 3))
    for b0, b1, b2 in options:
        gain = b0 * r0 + b1 * r1 + b2 * r2
        better = (gain > best) & (b1 >= 0) & (b2 >= 0)
        if not free_intercept:
            better &= b0 >= 0
        best = np.where(better, gain, best)
        answer[better, 0], answer[better, 1], answer[better, 2] = b0[better], b1[better], b2[better]
    return answer, np.maximum(best, 0.0)


def _or_zero(
    usable: NDArray[np.bool_], a: FloatArray, b: FloatArray, c: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    return np.where(usable, a, 0.0), np.where(usable, b, 0.0), np.where(usable, c, 0.0)
