"""Rows of `embedding` as the consumer "passages" writes them, without texts: what fillings of the index start from.

written = Embeddings(addresses.superuser)
venture = written.venture()
written.put(venture, {passage: vector})     # another seq each time; None instead of a vector: gone
"""

import secrets
import struct
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
import psycopg

from ventures.identifiers import new_id
from ventures.vectors.api import Held, Kind, Vector, digest

MODEL: Final = "model-of-tests"
DIMENSION: Final = 8

HEAD = """
INSERT INTO log_head (venture, seq, hash, moved_at) VALUES (%s, %s, '', now())
ON CONFLICT (venture) DO UPDATE SET seq = excluded.seq, moved_at = now()"""
POSITION = """
INSERT INTO consumer_position (venture, consumer, target, seq) VALUES (%s, 'passages', %s, %s)
ON CONFLICT (venture, consumer, target) DO UPDATE SET seq = excluded.seq"""
ROW = """
INSERT INTO embedding (venture, model, id, kind, source, state, seq, vector)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s::public.vector)
ON CONFLICT (venture, model, id) DO UPDATE SET state = excluded.state, seq = excluded.seq, vector = excluded.vector"""
COPY = "COPY embedding (venture, model, id, kind, source, state, seq, vector) FROM STDIN (FORMAT binary)"
HELD = """
SELECT id, kind, source, state, vector::real[] FROM embedding
WHERE venture = %s AND model = %s AND vector IS NOT NULL ORDER BY id"""
FORGET = "DELETE FROM embedding WHERE venture = %s AND model = %s"
FORGET_POSITIONS = "DELETE FROM consumer_position WHERE venture = %s AND consumer = 'vectors'"
KEPT = "SELECT target, seq FROM consumer_position WHERE venture = %s AND consumer = 'vectors' ORDER BY target"
SOURCE: Final = UUID(int=7)


class Embeddings:
    """Writes as a superuser, on a connection of its own, each call in one transaction."""

    def __init__(self, address: str, *, model: str = MODEL, dimension: int = DIMENSION) -> None:
        self._connection = psycopg.connect(address, autocommit=True, options="-c search_path=regional")
        self._heads: dict[UUID, int] = {}
        self.model = model
        self.dimension = dimension

    def __enter__(self) -> "Embeddings":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()

    def venture(self) -> UUID:
        """A new one, with one event, of which no passage came."""
        venture = new_id()
        self.put(venture, {})
        return venture

    def put(
        self, venture: UUID, rows: Mapping[UUID, Vector | None], *, state: str = "", kind: Kind = Kind.CONTENT
    ) -> int:
        """One more event changed these; → its seq."""
        seq = self._heads[venture] = self._heads.get(venture, 0) + 1
        with self._connection.transaction():
            self._connection.execute(HEAD, [venture, seq])
            for one, vector in rows.items():
                text = None if vector is None else str(vector.tolist())
                self._connection.execute(ROW, [venture, self.model, one, kind, SOURCE, state, seq, text])
            self._connection.execute(POSITION, [venture, self.model, seq])
        return seq

    def undo(self, venture: UUID) -> None:
        """The consumer is where it was before the last event, as after a crash that lost its commit."""
        self._heads[venture] -= 1
        self._connection.execute(POSITION, [venture, self.model, self._heads[venture]])

    def many(self, venture: UUID, vectors: npt.NDArray[np.float32]) -> None:
        """As many passages of a venture as there are rows, by one event."""
        seq = self._heads[venture] = self._heads.get(venture, 0) + 1
        head = struct.pack(">hh", vectors.shape[1], 0)
        numbers = vectors.astype(">f4")
        with self._connection.transaction():
            self._connection.execute(HEAD, [venture, seq])
            with self._connection.cursor() as cursor, cursor.copy(COPY) as copy:
                copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
                fixed = _field(venture.bytes) + _field(self.model.encode())
                rest = _field(b"content") + _field(SOURCE.bytes) + _field(b"") + _field(seq.to_bytes(8, "big"))
                for row in numbers:
                    copy.write(
                        b"\0\x08" + fixed + _field(secrets.token_bytes(16)) + rest + _field(head + row.tobytes())
                    )
                copy.write(b"\xff\xff")
            self._connection.execute(POSITION, [venture, self.model, seq])

    def forget(self, venture: UUID) -> None:
        """What the consumer does before it reads the log anew."""
        self._heads[venture] = 0
        with self._connection.transaction():
            self._connection.execute(FORGET, [venture, self.model])
            self._connection.execute(FORGET_POSITIONS, [venture])
            self._connection.execute(POSITION, [venture, self.model, 0])

    def held(self, venture: UUID) -> list[Held]:
        """What a store must hold of the venture."""
        return [
            Held(one, digest(Kind(kind), source, state, np.array(vector, np.float32)))
            for one, kind, source, state, vector in self._connection.execute(HELD, [venture, self.model])
        ]

    def kept(self, venture: UUID) -> dict[str, int]:
        """Up to where each part has the venture, as PostgreSQL knows."""
        return dict(self._connection.execute(KEPT, [venture]).fetchall())


def units(count: int, dimension: int = DIMENSION, seed: int = 0) -> npt.NDArray[np.float32]:
    """So many vectors of length 1."""
    rows = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    made: npt.NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return made


def passages(vectors: Iterable[Vector]) -> dict[UUID, Vector | None]:
    """Each with an id of its own."""
    return {new_id(): vector for vector in vectors}


def _field(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content
