"""Whether the tables that are really there keep the line between ventures, and between regional and global.

Reads PostgreSQL's catalogue only, so any role may ask. What migrations declare by `declare.regional`, `global_` and
`scanned` is what is looked for; what was made in another way is found.
"""

from typing import Any, Final, LiteralString

import psycopg

from ventures.database.roles import APP, RUNNER

KINDS: Final = ("log", "state", "derived", "work")
OWN: Final = "(venture = (NULLIF(current_setting('ventures.venture'::text, true), ''::text))::uuid)"
"""The policy's condition as PostgreSQL shows it."""
NAMING: Final = ("name", "title", "email", "slug", "description", "display_name")
"""Columns that say something of a venture to people; outside of its region there is only its id."""
SCANNED_TEXTS: Final = ("consumer", "target")
"""Texts a scanned table may show: names of parts of the platform."""
SCANNED_TYPES: Final = ("uuid", "smallint", "integer", "bigint", "boolean", "timestamp with time zone", "date")

STRANGE_TABLES: LiteralString = """
SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f') AND c.relname <> 'alembic_version'
  AND n.nspname NOT IN ('regional', 'global', 'outgrow')
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e')
ORDER BY 1"""

OPEN_ROUTES: LiteralString = """
SELECT 'outgrow.' || c.relname FROM pg_class c
WHERE c.relnamespace = to_regnamespace('outgrow') AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity
ORDER BY 1"""

UNGUARDED_VIEWS: LiteralString = """
SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('regional', 'global') AND c.relkind IN ('v', 'm', 'f')
  AND NOT (c.relkind = 'v' AND coalesce(c.reloptions, '{}') && ARRAY['security_invoker=true', 'security_invoker=on'])
ORDER BY 1"""

DEFINER_FUNCTIONS: LiteralString = """
SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.prosecdef AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1"""

REGIONAL_TABLES: LiteralString = """
SELECT c.relname::text, c.relrowsecurity, c.relforcerowsecurity, obj_description(c.oid, 'pg_class'),
       (SELECT format('%s %s', a.attname, format_type(a.atttypid, NULL)) FROM pg_index i
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = c.oid AND i.indisprimary)
FROM pg_class c WHERE c.relnamespace = to_regnamespace('regional') AND c.relkind IN ('r', 'p')
ORDER BY 1"""

POLICIES: LiteralString = """
SELECT c.relname::text, p.polname::text, p.polcmd::text, p.polpermissive,
       ARRAY(SELECT CASE r WHEN 0 THEN 'public' ELSE r::regrole::text END FROM unnest(p.polroles) r),
       pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
WHERE c.relnamespace = to_regnamespace('regional') ORDER BY 1, 2"""

FOREIGN_KEYS: LiteralString = """
SELECT k.conname::text, here.nspname || '.' || c.relname, there.nspname || '.' || f.relname,
       here.nspname::text, there.nspname::text,
       EXISTS (SELECT FROM unnest(k.conkey, k.confkey) AS pair (own, other)
               JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = pair.own AND a.attname = 'venture'
               JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = pair.other AND b.attname = 'venture')
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace here ON here.oid = c.relnamespace
JOIN pg_class f ON f.oid = k.confrelid JOIN pg_namespace there ON there.oid = f.relnamespace
WHERE k.contype = 'f' ORDER BY 2, 1"""

NAMED_VENTURES: LiteralString = """
SELECT 'global.' || c.relname, a.attname::text
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = to_regnamespace('global') AND c.relkind IN ('r', 'p') AND a.attname = ANY(%(naming)s)
  AND EXISTS (SELECT FROM pg_attribute v WHERE v.attrelid = c.oid AND v.attname = 'venture' AND NOT v.attisdropped)
ORDER BY 1, 2"""

ROLES: LiteralString = """
SELECT rolname::text, rolsuper, rolbypassrls, rolcreatedb, rolcreaterole, rolreplication
FROM pg_roles WHERE rolname = ANY(%(roles)s) ORDER BY 1"""

MEMBERSHIPS: LiteralString = """
SELECT m.rolname::text, r.rolname::text, bool_or(g.inherit_option), bool_or(g.admin_option)
FROM pg_auth_members g JOIN pg_roles m ON m.oid = g.member JOIN pg_roles r ON r.oid = g.roleid
WHERE m.rolname = ANY(%(roles)s) GROUP BY 1, 2 ORDER BY 1, 2"""

OWNED: LiteralString = """
SELECT r.rolname::text, pg_describe_object(d.classid, d.objid, 0)
FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid
WHERE d.refclassid = 'pg_authid'::regclass AND d.deptype = 'o' AND r.rolname = ANY(%(roles)s)
  AND d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
ORDER BY 1, 2"""

SCHEMA_RIGHTS: LiteralString = """
SELECT r.rolname::text, n.nspname::text FROM pg_roles r CROSS JOIN pg_namespace n
WHERE r.rolname = ANY(%(roles)s) AND n.nspname IN ('regional', 'global', 'public')
  AND has_schema_privilege(r.oid, n.oid, 'CREATE') ORDER BY 1, 2"""

TABLE_RIGHTS: LiteralString = """
SELECT r.rolname::text, n.nspname::text, c.relname::text, p.name
FROM pg_roles r CROSS JOIN pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p (name)
WHERE r.rolname = ANY(%(roles)s) AND n.nspname IN ('regional', 'global') AND c.relkind IN ('r', 'p')
  AND CASE WHEN p.name IN ('DELETE', 'TRUNCATE', 'TRIGGER') THEN has_table_privilege(r.oid, c.oid, p.name)
           ELSE has_any_column_privilege(r.oid, c.oid, p.name) END
ORDER BY 1, 2, 3, 4"""

SCANNED_COLUMNS: LiteralString = """
SELECT n.nspname || '.' || c.relname, a.attname::text, format_type(a.atttypid, NULL)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname IN ('regional', 'global') AND c.relkind IN ('r', 'p')
  AND has_column_privilege(%(runner)s, c.oid, a.attnum, 'SELECT')
ORDER BY c.relname, a.attnum"""

NEEDLESS: Final = {"TRUNCATE", "REFERENCES", "TRIGGER"}
LOG_RIGHTS: Final = {"event": {"SELECT", "INSERT"}, "log_head": {"SELECT", "INSERT", "UPDATE"}}
"""The most the application may do to the log: it appends."""

Session = psycopg.Connection[Any]


def findings(session: Session) -> list[str]:
    """What is wrong with the database the session is on, a sentence each; nothing where it is right.

    Raises: psycopg.OperationalError where it does not answer.
    """
    return [*_places(session), *_tables(session), *_policies(session), *_foreign_keys(session), *_roles(session)]


def _places(session: Session) -> list[str]:
    found = [
        f'{table} is in neither schema: create it as regional.… or "global".… and declare it in its migration.'
        for (table,) in session.execute(STRANGE_TABLES)
    ]
    found += [
        f"{table}: row-level security is off; declare it routed() or closed() in its migration."
        for (table,) in session.execute(OPEN_ROUTES)
    ]
    found += [
        f"{view} shows rows with its owner's rights, around the policies: make it WITH (security_invoker = true)."
        for (view,) in session.execute(UNGUARDED_VIEWS)
    ]
    found += [
        f"{function} runs with its owner's rights, around the policies: make it SECURITY INVOKER."
        for (function,) in session.execute(DEFINER_FUNCTIONS)
    ]
    found += [
        f"{table}.{column} says more of a venture than its id: keep it in a regional table."
        for table, column in session.execute(NAMED_VENTURES, {"naming": list(NAMING)})
    ]
    return found


def _tables(session: Session) -> list[str]:
    found = []
    for table, enabled, forced, kind, first in session.execute(REGIONAL_TABLES):
        if first != "venture uuid":
            found.append(f"regional.{table}: the primary key begins with {first or 'nothing'}, not with venture uuid.")
        if not enabled:
            found.append(f"regional.{table}: row-level security is off; declare it regional() in its migration.")
        if not forced:
            found.append(f"regional.{table}: row-level security does not bind its owner; FORCE it, as regional() does.")
        if kind not in KINDS:
            found.append(f"regional.{table}: its comment is not one of {', '.join(KINDS)}; declare it regional().")
    return found


def _policies(session: Session) -> list[str]:
    found, guarded = [], set()
    for table, name, command, permissive, roles, using, check in session.execute(POLICIES):
        if (command, permissive, roles, using, check) == ("*", True, ["public"], OWN, OWN):
            guarded.add(table)
        elif permissive and (command != "r" or roles != [RUNNER]):
            found.append(
                f"regional.{table}: the policy {name} lets {', '.join(roles)} at more rows than the venture's own."
            )
    unguarded = [row[0] for row in session.execute(REGIONAL_TABLES) if row[0] not in guarded]
    return found + [
        f"regional.{table}: the policy own_venture is missing or another; declare it regional()." for table in unguarded
    ]


def _foreign_keys(session: Session) -> list[str]:
    found = []
    for name, table, other, here, there, by_venture in session.execute(FOREIGN_KEYS):
        if here != there:
            found.append(f"{table}: the foreign key {name} crosses to {other}; keep the opaque id without a key.")
        elif here == "regional" and not by_venture:
            found.append(
                f"{table}: the foreign key {name} to {other} could reach another venture; put venture on both sides."
            )
    return found


def _roles(session: Session) -> list[str]:
    roles = {"roles": [APP, RUNNER]}
    found = []
    for role, *powers in session.execute(ROLES, roles):
        names = ("SUPERUSER", "BYPASSRLS", "CREATEDB", "CREATEROLE", "REPLICATION")
        found += [f"{role} has {name}: take it away." for name, has in zip(names, powers, strict=True) if has]
    for member, role, inherits, admin in session.execute(MEMBERSHIPS, roles):
        if (member, role) != (APP, RUNNER):
            found.append(f"{member} may act as {role}: REVOKE {role} FROM {member}.")
        elif inherits or admin:
            found.append(f"{member} is {role} all the time: GRANT {role} TO {member} WITH INHERIT FALSE, SET TRUE.")
    found += [f"{role} owns {owned}: give it to the owner." for role, owned in session.execute(OWNED, roles)]
    found += [f"{role} may create in the schema {schema}." for role, schema in session.execute(SCHEMA_RIGHTS, roles)]
    for role, schema, table, right in session.execute(TABLE_RIGHTS, roles):
        allowed = LOG_RIGHTS.get(table, {"SELECT", "INSERT", "UPDATE", "DELETE"}) if schema == "regional" else None
        if table == "alembic_version" or role == RUNNER:
            allowed = {"SELECT"}
        if right in NEEDLESS or (allowed is not None and right not in allowed):
            found.append(f"{role} may {right} {schema}.{table}, which it does not need: revoke it.")
    for table, column, kind in session.execute(SCANNED_COLUMNS, {"runner": RUNNER}):
        if kind not in SCANNED_TYPES and (column not in SCANNED_TEXTS or kind != "text"):
            found.append(
                f"{RUNNER} reads {table}.{column} ({kind}) of all ventures; it may see ids, numbers and times only."
            )
    return found
