"""What stores take and give."""

import hashlib
from enum import StrEnum
from typing import Final, TypeAlias
from uuid import UUID

import msgspec
import numpy as np
import numpy.typing as npt

from ventures.errors import Invalid

Vector: TypeAlias = npt.NDArray[np.float32]
"""One vector: shape (dimension,), float32, of length 1 (so that cosine and dot product are the same)."""

SHARED: Final = UUID(int=0)
"""Stands for the venture where points belong to nobody: the global models that all ventures share."""

UNIT_TOLERANCE: Final = 1e-4
"""How far from 1 a vector's length may be: float32 rounding of a few thousand dimensions, with room."""

LIMIT: Final = 1_000
"""The most points a search or a page gives."""

MOST_AT_ONCE: Final = 4_096
"""The most points one call puts or deletes: 4 MB of vectors of 256 numbers, well under a second in every store."""


class Kind(StrEnum):
    """What a point is of. `CONTENT` a passage of an item, `PREFERENCE` what a member cares about, `CONTEXT` a
    passage of a note that generation is to know, `PATTERN` a global model (under `SHARED`).
    """

    CONTENT = "content"
    PREFERENCE = "preference"
    CONTEXT = "context"
    PATTERN = "pattern"


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One vector of a venture. source: the item, note or account it is of. state: the item's, "" for other kinds."""

    id: UUID
    kind: Kind
    source: UUID
    vector: Vector
    state: str = ""


class Only(msgspec.Struct, frozen=True):
    """What a search is narrowed to. Empty is no narrowing. states: any of these; sources: any of these; but: none of
    these sources.
    """

    states: tuple[str, ...] = ()
    sources: tuple[UUID, ...] = ()
    but: tuple[UUID, ...] = ()


class Match(msgspec.Struct, frozen=True, array_like=True):
    """A point that was found. score: cosine similarity, −1 to 1, of the stored vector itself (not of a compressed
    one).
    """

    id: UUID
    score: float


class Held(msgspec.Struct, frozen=True, array_like=True):
    """A point as a store holds it, to compare stores. digest: as `digest` makes it, the same in every store."""

    id: UUID
    digest: bytes


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How large a store is. points: None where to count them would open every part."""

    points: int | None
    parts: int
    disk_bytes: int


ALL: Final = Only()
"""No narrowing."""


def digest(kind: Kind, source: UUID, state: str, vector: Vector) -> bytes:
    """16 bytes that name what a point holds. Every store keeps the float32 numbers as they came, to the last bit; only
    −0 and 0 are the same.
    """
    content = hashlib.blake2b(f"{kind}\0{source.hex}\0{state}\0".encode(), digest_size=16)
    content.update((np.asarray(vector, dtype="<f4") + np.float32(0)).tobytes())
    return content.digest()


def checked(vector: Vector, dimension: int) -> Vector:
    """The vector as float32. Raises: Invalid where it is of another size, not finite or not of length 1."""
    if vector.shape != (dimension,):
        raise Invalid(f"A vector of shape {vector.shape} came where one of {dimension} numbers is expected.")
    single = np.ascontiguousarray(vector, dtype=np.float32)
    if not np.isfinite(single).all():
        raise Invalid("A vector holds a number that is not finite.")
    if abs(float(np.linalg.norm(single)) - 1.0) > UNIT_TOLERANCE:
        raise Invalid("A vector is not of length 1; divide it by its length.")
    return single
