"""Has the writes of an application registered by what its mover brings along for that, where it brings something."""

from __future__ import annotations

from dataclasses import dataclass

from outgrow.cli.output import err
from outgrow.errors import UsageError
from outgrow.ledger.location import is_url
from outgrow.points.declaration import Point
from outgrow.ports import Copying, Mover, Registering


@dataclass(frozen=True, slots=True)
class Registered:
    """A point whose mover has the application's writes registered. ``truth``: the URL of the database of its routes."""

    point: str
    registering: Registering
    truth: str

    def begin(self) -> None:
        """From now on, and says so; a second time changes nothing. Raises ``StoreFailed``."""
        for sentence in self.registering.install(self.point, self.truth):
            err().print(sentence, markup=False, soft_wrap=True)

    def end(self) -> None:
        """The migration has ended. Raises ``StoreFailed``."""
        self.registering.uninstall(self.point)


def registered_by(mover: Mover, point: Point) -> Registered | None:
    """None where the application registers its writes itself, or need not.

    Raises:
        UsageError: the truth of the move is not in the application's database.
    """
    registering = mover.registering if isinstance(mover, Copying) else None
    if registering is None:
        return None
    declared = point.migration
    if declared is None or declared.truth is None or not is_url(declared.truth):
        raise UsageError(
            f"what {point.id} moves is written by an application, so the truth of its move has to be in the "
            "application's own database",
            next_step=f"write truth: postgresql://... under {point.id}: migration",
        )
    return Registered(point.id, registering, declared.truth)
