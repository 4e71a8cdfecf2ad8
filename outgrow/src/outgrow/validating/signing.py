"""Who of the team has said that they can run it."""

from __future__ import annotations

import hashlib
import json

from outgrow.errors import UsageError
from outgrow.points.declaration import Declaration, Point
from outgrow.ports import Ledger
from outgrow.validation.readiness import MoveSeen
from outgrow.validation.records import Signature, signature_body, signature_of


def sign(
    declaration: Declaration, point: Point, ledger: Ledger, move: MoveSeen, name: str, note: str, at: float
) -> Signature:
    """Keeps a signature, given for the point's move as it is now. Signing again keeps a further one.

    Raises:
        UsageError: nobody of the team is called so, or there is no move to sign for.
    """
    names = declaration.team.names
    if not names:
        raise UsageError(
            "the team's names are not declared, so nobody can sign", next_step="write names: under team: in the file"
        )
    if name not in names:
        raise UsageError(f"nobody of the team is called {name!r}; declared: {', '.join(names)}")
    if not move.id:
        raise UsageError(
            f"there is nothing to sign for: {move.why_not or f'no migration of {point.id} was created'}",
            next_step=f"outgrow migrate {point.id} create",
        )
    signature = Signature(name, at, note.strip(), move.id)
    body = signature_body(signature)
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:32]
    ledger.add_record("validation", point.id, at, digest, body)
    return signature


def signatures(ledger: Ledger, point: str) -> tuple[Signature, ...]:
    """All that were given for a point, the oldest first."""
    found = (signature_of(record.body) for record in ledger.records("validation", point))
    return tuple(each for each in found if each is not None)
