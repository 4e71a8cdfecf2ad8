"""The tables of a move, in the application's own PostgreSQL: what the application and `outgrow migrate` agree on."""

from typing import Final, LiteralString

SCHEMA: Final[tuple[LiteralString, ...]] = (
    "CREATE SCHEMA IF NOT EXISTS outgrow",
    """
    CREATE TABLE IF NOT EXISTS outgrow.route (
        point text NOT NULL CHECK (length(point) BETWEEN 1 AND 100),
        tenant text NOT NULL CHECK (length(tenant) BETWEEN 1 AND 200),
        store text NOT NULL CHECK (length(store) BETWEEN 1 AND 100),
        generation bigint NOT NULL CHECK (generation > 0),
        frozen_until timestamptz,
        PRIMARY KEY (point, tenant)
    )""",
    "ALTER TABLE outgrow.route ADD COLUMN IF NOT EXISTS frozen_until timestamptz",
    """
    CREATE TABLE IF NOT EXISTS outgrow.migration (
        id text PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 100),
        point text NOT NULL CHECK (length(point) BETWEEN 1 AND 100),
        kind text NOT NULL,
        source text NOT NULL CHECK (length(source) BETWEEN 1 AND 100),
        target text NOT NULL CHECK (length(target) BETWEEN 1 AND 100 AND target <> source),
        layout_version integer NOT NULL,
        made_at timestamptz NOT NULL,
        ended_at timestamptz,
        rehearsed_at timestamptz,
        paused text NOT NULL DEFAULT '',
        shadow_share double precision NOT NULL DEFAULT 0 CHECK (shadow_share BETWEEN 0 AND 1),
        epoch bigint NOT NULL DEFAULT 0,
        holder text NOT NULL DEFAULT '',
        pace jsonb NOT NULL
    )""",
    "CREATE UNIQUE INDEX IF NOT EXISTS migration_of_point ON outgrow.migration (point) WHERE ended_at IS NULL",
    """
    CREATE TABLE IF NOT EXISTS outgrow.tenant_state (
        migration text NOT NULL REFERENCES outgrow.migration (id),
        point text NOT NULL,
        tenant text NOT NULL CHECK (length(tenant) BETWEEN 1 AND 200),
        wave integer NOT NULL,
        state text NOT NULL,
        goal text NOT NULL,
        source text NOT NULL,
        target text NOT NULL,
        version bigint NOT NULL,
        rest jsonb NOT NULL,
        PRIMARY KEY (migration, tenant)
    )""",
    "CREATE INDEX IF NOT EXISTS tenant_state_of_tenant ON outgrow.tenant_state (point, tenant)",
    """
    CREATE TABLE IF NOT EXISTS outgrow.journal (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        migration text NOT NULL REFERENCES outgrow.migration (id),
        tenant text NOT NULL,
        at timestamptz NOT NULL DEFAULT clock_timestamp(),
        what text NOT NULL,
        who text NOT NULL,
        facts jsonb NOT NULL
    )""",
    "CREATE INDEX IF NOT EXISTS journal_of_migration ON outgrow.journal (migration, tenant, id)",
    """
    CREATE TABLE IF NOT EXISTS outgrow.intent (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        point text NOT NULL,
        tenant text NOT NULL,
        key text NOT NULL,
        opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        closed_at timestamptz
    )""",
    "CREATE INDEX IF NOT EXISTS intent_of_tenant ON outgrow.intent (point, tenant, id)",
    """
    CREATE TABLE IF NOT EXISTS outgrow.shadow (
        migration text NOT NULL REFERENCES outgrow.migration (id),
        tenant text NOT NULL,
        matched bigint NOT NULL DEFAULT 0,
        differed bigint NOT NULL DEFAULT 0,
        failed bigint NOT NULL DEFAULT 0,
        PRIMARY KEY (migration, tenant)
    )""",
    "CREATE SEQUENCE IF NOT EXISTS outgrow.generation",
)
"""What makes the tables, in order; each a second time changes nothing. For a migration of the application.

`route`: one row a tenant, where it is; the sole truth of that. While `frozen_until` lies ahead, writers wait.
`migration`, `tenant_state`, `journal`: how far a move is, and what happened; written by `outgrow migrate` alone.
`intent`: writes that were registered, and not carried over yet; `closed_at` is null while one is under way.
`shadow`: reads that were asked of both stores.
`generation`: numbers that gate what is put into a store.
"""
