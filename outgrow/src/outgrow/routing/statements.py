"""The statements by which an application's writes are registered, with named parameters as psycopg takes them.

Each is right as one transaction of its own, but ``NOTE``, which belongs into the transaction of the write. ``keys`` and
``ids`` are arrays. Writes are kept for the move only while the tenant is on the way.
"""

from typing import Final, LiteralString

ABANDONED_SECONDS: Final = 60.0
"""A registered write that has been open for longer counts as abandoned: it does not hold up a switch for ever. Whoever
made it and comes back is told by ``CLOSE``.

That rests on requests to the store ending sooner. Of a client that died, one that arrives only after a switch, and then
a reverse, writes over what was written since, and nobody is left to be told: give requests to stores a time-out well
below this figure, on the client's side and, where there are proxies between, on theirs."""

SNAPSHOTS: Final = ("repeatable read", "serializable")
"""Isolation levels in which a transaction sees the routes as they were at its begin: one that began before a tenant's
first route row was laid does not see it, and would write without being seen itself."""

_HELD: Final[LiteralString] = """
    held AS (
        SELECT store, generation, extract(epoch FROM frozen_until - clock_timestamp())::float8 AS frozen_seconds
        FROM outgrow.route WHERE point = %(point)s AND tenant = %(tenant)s FOR SHARE
    )"""

_ON_THE_WAY: Final[LiteralString] = """EXISTS (
        SELECT FROM outgrow.tenant_state JOIN outgrow.migration ON migration.id = tenant_state.migration
        WHERE tenant_state.point = %(point)s AND tenant_state.tenant = %(tenant)s AND migration.kind = 'copying'
            AND tenant_state.state NOT IN ('pending', 'completed', 'cancelled')
    )"""

NOTE: Final[LiteralString] = f"""
WITH {_HELD}, noted AS (
        INSERT INTO outgrow.intent (point, tenant, key, closed_at)
        SELECT %(point)s, %(tenant)s, key, clock_timestamp() FROM unnest(%(keys)s::text[]) AS key WHERE {_ON_THE_WAY}
    )
SELECT held.store, held.generation, coalesce(held.frozen_seconds, 0)::float8, current_setting('transaction_isolation')
FROM (SELECT) AS one LEFT JOIN held ON true"""  # noqa: S608  # constants of this file
"""In the transaction of a write to this same database: notes what is written and → (store, generation, seconds that
the tenant is frozen for, isolation level). Store and generation are null where there is no route row. Where it is
frozen (seconds above 0), roll back and try again later: until the transaction is over, no switch can come about. Where
the level is one of ``SNAPSHOTS``, roll back and write in READ COMMITTED."""

REGISTER: Final[LiteralString] = f"""
WITH {_HELD}, opened AS (
        INSERT INTO outgrow.intent (point, tenant, key)
        SELECT %(point)s, %(tenant)s, key FROM unnest(%(keys)s::text[]) WITH ORDINALITY AS one (key, place)
        ORDER BY place RETURNING id
    )
SELECT (SELECT array_agg(id ORDER BY id) FROM opened), held.store, held.generation,
    coalesce(held.frozen_seconds, 0)::float8, current_setting('transaction_isolation')
FROM (SELECT) AS one LEFT JOIN held ON true"""  # noqa: S608  # constants of this file
"""Before a write to another store: registers it and → (ids, store, generation, seconds that the tenant is frozen for,
isolation level). It is committed before anything is written. Where it is frozen, ``WITHDRAW`` it and try again later;
where the level is one of ``SNAPSHOTS``, in READ COMMITTED."""

CLOSE: Final[LiteralString] = f"""
WITH {_HELD}, mine AS (
        SELECT id, key FROM unnest(%(ids)s::bigint[], %(keys)s::text[]) AS mine (id, key)
    ), closed AS (
        UPDATE outgrow.intent SET closed_at = clock_timestamp()
        WHERE id = ANY(%(ids)s::bigint[]) AND closed_at IS NULL AND {_ON_THE_WAY} RETURNING id
    ), over AS (
        DELETE FROM outgrow.intent WHERE id = ANY(%(ids)s::bigint[]) AND NOT {_ON_THE_WAY}
    ), anew AS (
        INSERT INTO outgrow.intent (point, tenant, key, closed_at)
        SELECT %(point)s, %(tenant)s, key, clock_timestamp() FROM mine
        WHERE {_ON_THE_WAY} AND id NOT IN (SELECT id FROM closed)
    )
SELECT coalesce(
    (SELECT store = %(store)s AND generation IN (%(generation)s, greatest(%(generation)s, 1)) FROM held),
    %(generation)s = 0)"""  # noqa: S608  # constants of this file
"""After a write to another store, before it is acknowledged: → whether the tenant is still where it was written
(``store`` and ``generation`` as ``REGISTER`` gave them; the default store and 0 for null). Where it is not, the write
is to be registered and written anew, and not acknowledged before."""

WITHDRAW: Final[LiteralString] = "DELETE FROM outgrow.intent WHERE id = ANY(%(ids)s::bigint[]) AND closed_at IS NULL"
"""Nothing was written, and nothing will be."""

FROZEN: Final[LiteralString] = """
SELECT extract(epoch FROM frozen_until - clock_timestamp())::float8 FROM outgrow.route
WHERE point = %(point)s AND tenant = %(tenant)s AND frozen_until > clock_timestamp()"""
"""For how many seconds writers of the tenant wait at most; no row where they do not."""

ABANDONED: Final[LiteralString] = """
SELECT id, tenant, key, extract(epoch FROM clock_timestamp() - opened_at)::float8 FROM outgrow.intent
WHERE point = %(point)s AND closed_at IS NULL AND opened_at < clock_timestamp() - make_interval(secs => %(seconds)s)
ORDER BY id"""
"""Writes that have been open for more than so many seconds: (id, tenant, key, seconds)."""

CLOSE_ABANDONED: Final[LiteralString] = """
UPDATE outgrow.intent SET closed_at = clock_timestamp() WHERE id = ANY(%(ids)s::bigint[]) AND closed_at IS NULL
RETURNING id"""
"""Closes them: they are carried once more and then forgotten. For writes whose maker is gone for good."""

MIRRORED: Final[LiteralString] = """
SELECT id, shadow_share FROM outgrow.migration WHERE point = %(point)s AND ended_at IS NULL"""
"""The migration under way, and which share of reads is asked of both stores."""

SHADOWED: Final[LiteralString] = """
SELECT target FROM outgrow.tenant_state
WHERE migration = %(migration)s AND tenant = %(tenant)s AND state IN ('shadowing', 'ready')"""
"""The other store of a tenant whose reads are compared; no row where it has none."""

COUNT: Final[LiteralString] = """
INSERT INTO outgrow.shadow (migration, tenant, matched, differed, failed)
VALUES (%(migration)s, %(tenant)s, %(matched)s, %(differed)s, %(failed)s)
ON CONFLICT (migration, tenant) DO UPDATE SET matched = outgrow.shadow.matched + excluded.matched,
    differed = outgrow.shadow.differed + excluded.differed, failed = outgrow.shadow.failed + excluded.failed"""
"""Adds reads that were compared."""
