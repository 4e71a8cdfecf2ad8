"""What an application imports to follow a move: where each tenant's data is at the moment.

In: the application's own connection to its own PostgreSQL. Out: statements and records; nothing here opens a
connection or starts anything by itself. May know: the standard library alone, so that an application takes nothing
else along.

The table `outgrow.route` has one row a tenant and point that is not where the application puts tenants by default.
It is the only truth about where a tenant is: `outgrow migrate` changes it, the application reads it with what else
it reads of the tenant. Writes are registered (`in_transaction`, `registered`), reads may be mirrored (`Mirror`).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from outgrow.routing.routes import HELD, HELD_OF_ALL, PLACE, ROUTE, ROUTES, Route, routed
from outgrow.routing.statements import ABANDONED_SECONDS
from outgrow.routing.tables import SCHEMA

if TYPE_CHECKING:
    from outgrow.routing.mirror import Mirror
    from outgrow.routing.writing import Frozen, Moved, TooIsolated, Write, in_transaction, registered

__all__ = [
    "ABANDONED_SECONDS",
    "HELD",
    "HELD_OF_ALL",
    "PLACE",
    "ROUTE",
    "ROUTES",
    "SCHEMA",
    "Frozen",
    "Mirror",
    "Moved",
    "Route",
    "TooIsolated",
    "Write",
    "in_transaction",
    "registered",
    "routed",
]

_IN = {
    "Mirror": "mirror",
    **dict.fromkeys(("Frozen", "Moved", "TooIsolated", "Write", "in_transaction", "registered"), "writing"),
}


def __getattr__(name: str) -> Any:
    """What needs asyncio is only imported by whoever asks for it: `outgrow status` reads routes and starts fast."""
    if name in _IN:
        return getattr(import_module(f"outgrow.routing.{_IN[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
