-- What a move is kept by; the tables are those of outgrow.routing.tables, in SQLite too. Written once for both:
-- seconds(x) reads a time, $now is the database's clock, json(x) stores JSON, $share and $update lock rows,
-- among(:p) is one of an array.

-- name: now
SELECT seconds($now);

-- name: add_migration
INSERT INTO outgrow.migration
    (id, point, kind, source, target, layout_version, made_at, paused, shadow_share, pace)
VALUES (:id, :point, :kind, :source, :target, :layout_version, instant(:made_at), :paused, :shadow_share, json(:pace));

-- name: migrations_of_point
SELECT id, point, kind, source, target, seconds(made_at), pace, layout_version, paused, seconds(ended_at),
    seconds(rehearsed_at), epoch, holder, shadow_share
FROM outgrow.migration WHERE point = :point
ORDER BY CASE WHEN ended_at IS NULL THEN 0 ELSE 1 END, made_at DESC, ended_at DESC, id DESC LIMIT 1;

-- name: migration
SELECT id, point, kind, source, target, seconds(made_at), pace, layout_version, paused, seconds(ended_at),
    seconds(rehearsed_at), epoch, holder, shadow_share
FROM outgrow.migration WHERE id = :id;

-- name: epoch
SELECT epoch FROM outgrow.migration WHERE id = :id $share;

-- name: layout
SELECT layout_version FROM outgrow.migration WHERE id = :id;

-- name: take
UPDATE outgrow.migration SET epoch = epoch + 1, holder = :who WHERE id = :id;

-- name: release
UPDATE outgrow.migration SET holder = '' WHERE id = :id AND epoch = :epoch;

-- name: taken_at
SELECT seconds(max(at)) FROM outgrow.journal WHERE migration = :id AND tenant = '' AND what = 'taken';

-- name: set_paused
UPDATE outgrow.migration SET paused = :why WHERE id = :id;

-- name: set_shadow_share
UPDATE outgrow.migration SET shadow_share = :share WHERE id = :id;

-- name: set_pace
UPDATE outgrow.migration SET pace = json(:pace) WHERE id = :id;

-- name: unfinished
SELECT count(*) FROM outgrow.tenant_state WHERE migration = :id AND state NOT IN ('completed', 'cancelled');

-- name: end
UPDATE outgrow.migration SET ended_at = $now WHERE id = :id;

-- name: rehearsed
UPDATE outgrow.migration SET rehearsed_at = $now WHERE id = :id;

-- name: add_tenant
INSERT INTO outgrow.tenant_state (migration, point, tenant, wave, state, goal, source, target, version, rest)
VALUES (:id, :point, :tenant, :wave, :state, :goal, :source, :target, :version, json(:rest))
ON CONFLICT (migration, tenant) DO NOTHING;

-- name: tenants
SELECT tenant, wave, state, goal, version, rest FROM outgrow.tenant_state WHERE migration = :id;

-- name: tenant
SELECT tenant, wave, state, goal, version, rest FROM outgrow.tenant_state
WHERE migration = :id AND tenant = :tenant $update;

-- name: write_tenant
UPDATE outgrow.tenant_state
SET wave = :wave, state = :state, goal = :goal, version = version + 1, rest = json(:rest)
WHERE migration = :id AND tenant = :tenant;

-- name: want
UPDATE outgrow.tenant_state SET goal = :goal
WHERE migration = :id AND tenant = :tenant AND state NOT IN ('completed', 'cancelled');

-- name: want_of_all
UPDATE outgrow.tenant_state SET goal = :goal WHERE migration = :id AND state NOT IN ('completed', 'cancelled');

-- name: add_line
INSERT INTO outgrow.journal (migration, tenant, at, what, who, facts)
VALUES (:id, :tenant, $now, :what, :who, json(:facts));

-- name: lines
SELECT id, seconds(at), tenant, what, who, facts FROM outgrow.journal WHERE migration = :id AND id > :after ORDER BY id;

-- name: lines_of_tenant
SELECT id, seconds(at), tenant, what, who, facts FROM outgrow.journal
WHERE migration = :id AND tenant = :tenant AND id > :after ORDER BY id;

-- name: place
INSERT INTO outgrow.route (point, tenant, store, generation) VALUES (:point, :tenant, :store, 1)
ON CONFLICT (point, tenant) DO NOTHING;

-- name: route
SELECT store, generation FROM outgrow.route WHERE point = :point AND tenant = :tenant;

-- name: routes
SELECT tenant, store, generation FROM outgrow.route WHERE point = :point;

-- name: look
SELECT seconds($now), route.store, route.generation, noted.waiting, noted.under_way, noted.abandoned, noted.behind
FROM (
    SELECT count(*) AS waiting, count(CASE WHEN closed_at IS NULL THEN 1 END) AS under_way,
        count(CASE WHEN closed_at IS NULL AND seconds($now) - seconds(opened_at) > :abandoned_seconds THEN 1 END)
            AS abandoned,
        max(CASE WHEN closed_at IS NOT NULL THEN seconds($now) - seconds(opened_at) END) AS behind
    FROM (
        SELECT opened_at, closed_at FROM outgrow.intent WHERE point = :point AND tenant = :tenant ORDER BY id LIMIT :most
    ) AS oldest
) AS noted
LEFT JOIN outgrow.route ON route.point = :point AND route.tenant = :tenant;

-- name: route_to_change
SELECT store, generation FROM outgrow.route WHERE point = :point AND tenant = :tenant $update;

-- name: lead
UPDATE outgrow.route SET store = :store, generation = generation + 1, frozen_until = NULL
WHERE point = :point AND tenant = :tenant;

-- name: freeze@postgresql
UPDATE outgrow.route SET frozen_until = clock_timestamp() + make_interval(secs => :seconds)
WHERE point = :point AND tenant = :tenant;

-- name: freeze@sqlite
UPDATE outgrow.route SET frozen_until = $now + :seconds WHERE point = :point AND tenant = :tenant;

-- name: thaw
UPDATE outgrow.route SET frozen_until = NULL WHERE point = :point AND tenant = :tenant AND frozen_until IS NOT NULL;

-- name: generation@postgresql
SELECT nextval('outgrow.generation');

-- name: generation@sqlite
UPDATE outgrow.generation SET last = last + 1 RETURNING last;

-- name: changes
SELECT id, tenant, key, closed_at IS NULL, seconds($now) - seconds(opened_at) FROM outgrow.intent
WHERE point = :point AND tenant = :tenant ORDER BY id LIMIT :limit;

-- name: mark_changed
INSERT INTO outgrow.intent (point, tenant, key, opened_at, closed_at) VALUES (:point, :tenant, :key, $now, $now);

-- name: takings
SELECT seconds(at), facts FROM outgrow.journal
WHERE migration = :id AND tenant = '' AND what = 'taken' ORDER BY id DESC;

-- name: clear
DELETE FROM outgrow.intent WHERE id among(:ids) AND closed_at IS NOT NULL;

-- name: clear_all
DELETE FROM outgrow.intent WHERE point = :point AND tenant = :tenant AND closed_at IS NOT NULL;

-- name: against
SELECT count(*), count(CASE WHEN closed_at IS NULL THEN 1 END) FROM outgrow.intent
WHERE point = :point AND tenant = :tenant
    AND NOT (closed_at IS NULL AND id among(:carried) AND seconds($now) - seconds(opened_at) > :abandoned_seconds);

-- name: shadow
SELECT matched, differed, failed FROM outgrow.shadow WHERE migration = :id AND tenant = :tenant;

-- name: forget_shadow
DELETE FROM outgrow.shadow WHERE migration = :id AND tenant = :tenant;
