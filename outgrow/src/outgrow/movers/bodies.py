"""The neutral form of points: the same bytes for the same vector and payload, whichever store they lie in.

A body is ``pt1\\n``, the number of dimensions (uint32, little-endian), the vector (float32, little-endian), and the
payload as JSON: keys sorted, no spaces, UTF-8 as it is.

**Vectors by cosine** are carried with length 1, whatever length the store kept them in: a store that compares
directions may normalise what it takes, and two stores that do it each in its own way would differ for ever. What is
normalised here is not normalised again, neither here nor by a store that leaves vectors of length 1 alone (those
within 1e-6 of the squared length, as Qdrant does), so that it comes back as the same bytes. Stores that compare
otherwise carry vectors as they are, under another form, so that a move between the two kinds is refused.

**Numbers in payloads.** 3 and 3.0 differ, as they do to a filter. What stores of JSON do not all tell apart is one:
−0.0 is 0.0, and a float of 1e16 or more is the whole number that it is. A whole number outside 64 bits which a double
does not hold exactly is refused, since stores would round it.
"""

from __future__ import annotations

import json
import re
import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgrow.ports import StoreFailed

DISTANCES = ("cosine", "dot", "euclid", "manhattan")
Matrix = NDArray[np.float32]

_MAGIC = b"pt1\n"
_SIZE = struct.Struct("<I")
_HEAD = len(_MAGIC) + _SIZE.size
_ROUNDS = 8
_NEAR = 2.5e-7
_UNSURE = re.compile(r"[-0-9](?:(?<=[0-9])(?:[eE][-+]?[0-9]|[0-9]{15})|(?<=-)0\.0(?![0-9]))")
"""One set of characters to begin with: so the search skips what is none of them."""
_BETWEEN = "\x1e"
_SPLIT = ',"\\u001e",'
_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """A vector, float32 of one dimension, and its payload."""

    vector: Matrix
    payload: dict[str, Any]


def form_of(distance: str) -> str:
    """``points`` for cosine, ``points by dot`` and so on otherwise: items go between stores of one form only."""
    if distance not in DISTANCES:
        raise StoreFailed(f"{distance!r} is no distance", next_step=f"Write one of {', '.join(DISTANCES)}.")
    return "points" if distance == "cosine" else f"points by {distance}"


def point_body(vector: object, payload: Mapping[str, object] | None, distance: str = "cosine") -> bytes:
    """The body of one point. Raises ``StoreFailed`` where it cannot be carried."""
    return point_bodies([""], [vector], [payload], distance)[0]


def point_bodies(
    keys: Sequence[str],
    vectors: Sequence[object] | Matrix,
    payloads: Sequence[Mapping[str, object] | None],
    distance: str = "cosine",
) -> list[bytes]:
    """The bodies of many points: ``vectors`` are rows of numbers, or of float32 in bytes, all of one length.

    Raises:
        StoreFailed: a vector is named, sparse, a list of vectors, not finite or of another size; or a payload is no
            JSON. The sentence names the key.
    """
    if not len(keys):
        return []
    matrix = _matrix(keys, vectors)
    if distance == "cosine":
        matrix = normalised(matrix)
    matrix = matrix + np.float32(0)  # −0 is 0, also where normalising made one of what was nearly nothing
    head = _MAGIC + _SIZE.pack(matrix.shape[1])
    rows, width = memoryview(matrix.astype("<f4", copy=False).tobytes()), 4 * matrix.shape[1]
    starts = range(0, len(rows), width)
    return [
        b"".join((head, rows[start : start + width], text))
        for start, text in zip(starts, payload_texts(payloads, keys), strict=True)
    ]


def read_body(body: bytes) -> Point:
    """The point that a body holds. The vector is a view and cannot be written to. Raises ``StoreFailed``."""
    vector, payload = parts_of_body(body)
    return Point(np.frombuffer(vector, dtype="<f4").astype(np.float32, copy=False), read_payloads([payload])[0])


def parts_of_body(body: bytes) -> tuple[bytes, bytes]:
    """The vector's bytes (float32, little-endian) and the payload's JSON, unread. Raises ``StoreFailed``."""
    if not body.startswith(_MAGIC) or len(body) < _HEAD:
        raise StoreFailed(
            "an item to be put is no point", next_step="Only stores of one form can be moved between; see both forms."
        )
    end = _HEAD + 4 * int(_SIZE.unpack_from(body, len(_MAGIC))[0])
    if len(body) < end + 2:
        raise StoreFailed("a point to be put ends in the middle")
    return body[_HEAD:end], body[end:]


def numbers_of(vector: bytes) -> Sequence[float]:
    """The numbers of a vector's bytes, which are taken out one by one faster than those of an array."""
    if sys.byteorder == "little":
        return memoryview(vector).cast("f")
    return list(struct.unpack(f"<{len(vector) // 4}f", vector))


def read_payloads(texts: Sequence[bytes]) -> list[dict[str, Any]]:
    """Payloads that bodies hold, all read at once. Raises ``StoreFailed``."""
    try:
        found = json.loads(b"[%b]" % b",".join(texts))
        if len(found) != len(texts):
            found = [json.loads(text) for text in texts]
    except (ValueError, RecursionError) as error:
        raise StoreFailed(f"a point to be put has a payload that cannot be read: {error}") from None
    if not all(isinstance(payload, dict) for payload in found):
        raise StoreFailed("a point to be put has a payload that is no object")
    return list(found)


def normalised(matrix: Matrix) -> Matrix:
    """Rows of length 1, float32; rows of zeros stay. Doing it twice changes nothing.

    A row whose squared length is within 2.5e-7 of 1 stays as it is: rounding a row of length 1 to float32 moves its
    squared length by 1.2e-7 at most. The others are divided until that changes nothing, as it soon does for nearly all.
    """
    squared = np.einsum("ij,ij->i", matrix, matrix, dtype=np.float64)
    left = np.flatnonzero((np.abs(squared - 1) > _NEAR) & (squared > 0))
    if not len(left):
        return matrix
    now = matrix.copy()
    for _ in range(_ROUNDS):
        wide = now[left].astype(np.float64)
        scaled = (wide / np.linalg.norm(wide, axis=1, keepdims=True)).astype(np.float32)
        moved = (scaled != now[left]).any(axis=1)
        now[left] = scaled
        left = left[moved]
        if not len(left):
            break
    return now


def payload_text(payload: Mapping[str, object] | None, key: str = "") -> bytes:
    """A payload as canonical JSON; none at all is the same as an empty one. Raises ``StoreFailed``."""
    try:
        text = _encode(payload or {})
        if _UNSURE.search(text):
            text = _encode(_plain(payload or {}))
        return text.encode()
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise StoreFailed(
            f"the payload of {_point(key)} cannot be carried: {error}",
            next_step="Payloads are JSON: texts, finite numbers, true, false, null, lists, and objects of these.",
        ) from None


def payload_texts(payloads: Sequence[Mapping[str, object] | None], keys: Sequence[str]) -> list[bytes]:
    """``payload_text`` of each, written at once with a text between them that is in none. Raises ``StoreFailed``."""
    between: list[object] = [_BETWEEN] * (2 * len(payloads) - 1)
    between[::2] = [payload or {} for payload in payloads]
    try:
        texts = _encode(between)[1:-1].split(_SPLIT)
        if len(texts) == len(payloads):
            return [
                payload_text(payload, key) if _UNSURE.search(text) else text.encode()
                for text, payload, key in zip(texts, payloads, keys, strict=True)
            ]
    except (TypeError, ValueError, OverflowError, RecursionError):
        pass  # one of them cannot be carried: which, is said below
    return [payload_text(payload, key) for payload, key in zip(payloads, keys, strict=True)]


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return int(value) if abs(value) >= 1e16 else value + 0.0
    if isinstance(value, int) and not -(2**63) <= value < 2**63 and int(float(value)) != value:
        raise ValueError(f"the whole number {value} has more than 64 bits")
    return value


def _matrix(keys: Sequence[str], vectors: Sequence[object] | Matrix) -> Matrix:
    try:
        with np.errstate(over="ignore"):
            matrix = np.asarray(_numbers(vectors), dtype=np.float32)
    except (TypeError, ValueError):
        matrix = np.empty((0,), dtype=np.float32)
    if matrix.ndim != 2 or matrix.shape[1] == 0:
        raise _unfit(keys, _numbers(vectors))
    if not np.isfinite(matrix).all():
        at = int(np.flatnonzero(~np.isfinite(matrix).all(axis=1))[0])
        raise StoreFailed(
            f"the vector of {_point(keys[at])} holds a value that float32 does not",
            next_step="Correct or delete this point first.",
        )
    return matrix


def _numbers(vectors: Sequence[object] | Matrix) -> Sequence[object] | Matrix:
    """As it is, but what is bytes as numbers."""
    if isinstance(vectors, np.ndarray):
        return vectors
    packed = [vector for vector in vectors if isinstance(vector, bytes)]
    if not packed:
        return vectors
    if len(packed) == len(vectors) and len(set(map(len, packed))) == 1:
        return np.frombuffer(b"".join(packed), dtype="<f4").reshape(len(packed), -1)
    return [np.frombuffer(vector, dtype="<f4") if isinstance(vector, bytes) else vector for vector in vectors]


def _unfit(keys: Sequence[str], vectors: Sequence[object] | Matrix) -> StoreFailed:
    next_step = "Only points with one unnamed vector of numbers can be moved so far."
    sizes: set[int] = set()
    for key, vector in zip(keys, vectors, strict=True):
        if vector is None:
            return StoreFailed(f"{_point(key)} has no vector", next_step=next_step)
        if isinstance(vector, Mapping):
            names = ", ".join(map(str, vector))
            return StoreFailed(f"{_point(key)} has named vectors ({names}), which are not carried", next_step=next_step)
        if not isinstance(vector, Sequence | np.ndarray):
            return StoreFailed(f"{_point(key)} has a vector that is not carried (sparse?)", next_step=next_step)
        if len(vector) and isinstance(vector[0], Sequence | np.ndarray):
            return StoreFailed(f"{_point(key)} has several vectors, which are not carried", next_step=next_step)
        sizes.add(len(vector))
    said = ", ".join(map(str, sorted(sizes)))
    return StoreFailed(f"vectors of several sizes or none ({said}) around {_point(keys[0])}", next_step=next_step)


def _point(key: str) -> str:
    return f"point {key}" if key else "a point"
