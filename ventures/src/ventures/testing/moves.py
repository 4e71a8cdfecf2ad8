"""Moves as `outgrow migrate` leaves them in the tables, one row after the other, for tests of who follows them.

moves = Moves(addresses.owner)
moves.begin("shared", "buckets")
moves.state(venture, "preparing")
moves.place(venture, "buckets")     # the flip
moves.state(venture, "completed")
"""

import secrets
from types import TracebackType
from typing import Final
from uuid import UUID

import psycopg

from outgrow.routing import PLACE

POINT: Final = "data-architecture"
BEGIN = """
INSERT INTO outgrow.migration (id, point, kind, source, target, layout_version, made_at, shadow_share, pace)
VALUES (%s, %s, 'filling', %s, %s, 1, now(), %s, '{}')
ON CONFLICT (id) DO UPDATE SET shadow_share = excluded.shadow_share"""
END = "UPDATE outgrow.migration SET ended_at = now() WHERE point = %s AND ended_at IS NULL"
STATE = """
INSERT INTO outgrow.tenant_state (migration, point, tenant, wave, state, goal, source, target, version, rest)
VALUES (%s, %s, %s, 1, %s, 'none', %s, %s, 1, '{}')
ON CONFLICT (migration, tenant) DO UPDATE SET state = excluded.state, version = outgrow.tenant_state.version + 1"""
COUNTS = "SELECT matched, differed, failed FROM outgrow.shadow WHERE migration = %s AND tenant = %s"


class Moves:
    """Writes as the database's owner, as the tool does. One move is under way at a time."""

    def __init__(self, address: str) -> None:
        self._connection = psycopg.connect(address, autocommit=True)
        self._id = ""
        self.source = self.target = ""

    def __enter__(self) -> "Moves":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()

    def begin(self, source: str, target: str, *, share: float = 0.0) -> None:
        """A move of its own; the one before ends."""
        self._connection.execute(END, [POINT])
        self._id = f"move-{secrets.token_hex(4)}"
        self.source, self.target = source, target
        self.mirrored(share)

    def mirrored(self, share: float) -> None:
        """Of reads."""
        self._connection.execute(BEGIN, [self._id, POINT, self.source, self.target, share])

    def state(self, venture: UUID, state: str) -> None:
        """The venture's, in the move."""
        self._connection.execute(STATE, [self._id, POINT, str(venture), state, self.source, self.target])

    def place(self, venture: UUID, store: str) -> None:
        """The venture's route leads there from now on."""
        self._connection.execute(PLACE, {"point": POINT, "tenant": str(venture), "store": store})

    def counted(self, venture: UUID) -> tuple[int, int, int] | None:
        """Mirrored reads: matched, differed, failed."""
        return self._connection.execute(COUNTS, [self._id, str(venture)]).fetchone()
