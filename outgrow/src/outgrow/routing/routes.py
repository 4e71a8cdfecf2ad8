"""The route of a tenant, and the statements that read and place it, with named parameters as psycopg takes them."""

from dataclasses import dataclass
from typing import Final, LiteralString

ROUTE: Final[LiteralString] = """
SELECT store, generation FROM outgrow.route WHERE point = %(point)s AND tenant = %(tenant)s"""
"""One tenant's route; no row where it is in the default store."""

ROUTES: Final[LiteralString] = """
SELECT tenant, store, generation FROM outgrow.route WHERE point = %(point)s ORDER BY tenant"""
"""All routes of a point."""

PLACE: Final[LiteralString] = """
INSERT INTO outgrow.route (point, tenant, store, generation) VALUES (%(point)s, %(tenant)s, %(store)s, 1)
ON CONFLICT (point, tenant) DO UPDATE SET store = excluded.store, generation = outgrow.route.generation + 1
WHERE outgrow.route.store <> excluded.store
RETURNING store, generation"""
"""Puts a tenant somewhere, without moving anything; no row where it is there already."""

HELD: Final[LiteralString] = """
SELECT coalesce(
    (SELECT store FROM outgrow.route WHERE point = %(point)s AND tenant = %(tenant)s), %(default)s) AS store
UNION
SELECT unnest(ARRAY[source, target]) FROM outgrow.tenant_state
WHERE point = %(point)s AND tenant = %(tenant)s AND state NOT IN ('pending', 'completed', 'cancelled')
ORDER BY store"""
"""The stores that are to hold one tenant, a row each: where its route leads (``default`` without one), and while it is
moved, from ``preparing`` until ``completed`` or ``cancelled``, source and target."""

HELD_OF_ALL: Final[LiteralString] = """
SELECT tenant, store FROM outgrow.route WHERE point = %(point)s
UNION
SELECT tenant, unnest(ARRAY[source, target]) FROM outgrow.tenant_state
WHERE point = %(point)s AND state NOT IN ('pending', 'completed', 'cancelled')
ORDER BY tenant, store"""
"""As ``HELD``, of all tenants of a point, rows of (tenant, store). Tenants without a row are in the default store
alone."""


@dataclass(frozen=True)
class Route:
    """Where a tenant is. generation: 0 by default, and one more with each switch, so that what was read under an
    older route can be told.
    """

    store: str
    generation: int = 0


def routed(row: tuple[str, int] | None, default: str) -> Route:
    """The route that `ROUTE`'s row means; the default store where there is none."""
    return Route(default) if row is None else Route(*row)
