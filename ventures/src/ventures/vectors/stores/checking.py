"""What every store refuses, before anything is put or asked."""

from collections.abc import Sequence
from uuid import UUID

import numpy as np
import numpy.typing as npt

from ventures.errors import Invalid
from ventures.vectors.records import LIMIT, MOST_AT_ONCE, UNIT_TOLERANCE, Only, Point, Vector, checked

STATE_CHARACTERS = 64
"""The most a state may have; those of items have twelve."""
NARROWING = 1_000
"""The most states or sources a search may be narrowed by."""


def checked_points(points: Sequence[Point], dimension: int) -> npt.NDArray[np.float32]:
    """The points' vectors as rows, float32. Raises: Invalid, naming the first point that is wrong and why."""
    _few(len(points))
    if len({point.id for point in points}) < len(points):
        raise Invalid("The same point came twice in one call.")
    for point in points:
        if point.id.int == 0:
            raise Invalid("A point has an empty id.")
        if len(point.state) > STATE_CHARACTERS or not point.state.isprintable():
            raise Invalid(
                f"The state of point {point.id} is not a printable text of at most {STATE_CHARACTERS} letters."
            )
        if point.vector.shape != (dimension,):
            raise Invalid(
                f"Point {point.id} has a vector of shape {point.vector.shape}; {dimension} numbers are expected."
            )
    if not points:
        return np.empty((0, dimension), np.float32)
    rows = np.stack([point.vector for point in points]).astype(np.float32, copy=False)
    with np.errstate(over="ignore", invalid="ignore"):
        off = np.abs(np.linalg.norm(rows.astype(np.float64), axis=1) - 1.0)
    wrong = np.flatnonzero(~(off <= UNIT_TOLERANCE))  # a NaN is not within it either
    if wrong.size:
        first = int(wrong[0])
        if not np.isfinite(rows[first]).all():
            raise Invalid(f"The vector of point {points[first].id} holds a number that is not finite.")
        raise Invalid(f"The vector of point {points[first].id} is not of length 1; divide it by its length.")
    return rows


def checked_ids(ids: Sequence[UUID]) -> Sequence[UUID]:
    """The ids. Raises: Invalid where they are too many."""
    _few(len(ids))
    return ids


def checked_search(vector: Vector, dimension: int, limit: int, only: Only) -> Vector:
    """The vector to search for. Raises: Invalid."""
    checked_limit(limit)
    if max(len(only.states), len(only.sources), len(only.but)) > NARROWING:
        raise Invalid(f"A search can be narrowed by at most {NARROWING} states or sources.")
    return checked(vector, dimension)


def checked_limit(limit: int) -> int:
    """The limit. Raises: Invalid."""
    if not 1 <= limit <= LIMIT:
        raise Invalid(f"The limit is {limit}; it must be from 1 to {LIMIT}.")
    return limit


def _few(count: int) -> None:
    if count > MOST_AT_ONCE:
        raise Invalid(f"{count} points came at once; at most {MOST_AT_ONCE} can.")
