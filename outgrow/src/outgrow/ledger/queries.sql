-- Every statement of the ledger, by name. Parameters are written :name for both databases.
-- name@postgresql replaces name there.

-- name: revision
SELECT version_num FROM alembic_version;

-- name: add_series
INSERT INTO series (signal, member) VALUES (:signal, :member) ON CONFLICT (signal, member) DO NOTHING;

-- name: series_id
SELECT id FROM series WHERE signal = :signal AND member = :member;

-- name: add_provenance
INSERT INTO provenance (origin, source) VALUES (:origin, :source) ON CONFLICT (origin, source) DO NOTHING;

-- name: provenance_id
SELECT id FROM provenance WHERE origin = :origin AND source = :source;

-- name: write_samples
INSERT INTO sample (series_id, time, value, provenance_id) VALUES (?, ?, ?, ?)
ON CONFLICT (series_id, time) DO UPDATE SET value = excluded.value, provenance_id = excluded.provenance_id;

-- name: write_samples@postgresql
INSERT INTO sample (series_id, time, value, provenance_id)
SELECT :series_id, t, v, :provenance_id FROM unnest(:times::float8[], :values::float8[]) AS written (t, v)
ON CONFLICT (series_id, time) DO UPDATE SET value = excluded.value, provenance_id = excluded.provenance_id;

-- name: write_hours
INSERT INTO hour (series_id, start, count, mean, median, min, max, origins) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (series_id, start) DO UPDATE SET
  count = excluded.count, mean = excluded.mean, median = excluded.median,
  min = excluded.min, max = excluded.max, origins = excluded.origins;

-- name: write_hours@postgresql
INSERT INTO hour (series_id, start, count, mean, median, min, max, origins)
SELECT :series_id, * FROM unnest(
  :starts::float8[], :counts::int[], :means::float8[], :medians::float8[], :mins::float8[], :maxes::float8[],
  :origins::int[])
ON CONFLICT (series_id, start) DO UPDATE SET
  count = excluded.count, mean = excluded.mean, median = excluded.median,
  min = excluded.min, max = excluded.max, origins = excluded.origins;

-- name: any_sample
SELECT 1 FROM sample WHERE series_id = :series_id AND time >= :start AND time < :end LIMIT 1;

-- name: samples_with_origin
SELECT time, value, origin FROM sample JOIN provenance ON provenance.id = provenance_id
WHERE series_id = :series_id AND time >= :start AND time < :end ORDER BY time;

-- name: samples
SELECT time, value FROM sample
WHERE series_id = :series_id AND time >= :start AND time <= :end ORDER BY time;

-- name: hour_origins
SELECT DISTINCT origins FROM hour WHERE series_id = :series_id AND start >= :start AND start <= :end;

-- name: hours_mean
SELECT start, mean FROM hour WHERE series_id = :series_id AND start >= :start AND start <= :end ORDER BY start;

-- name: hours_median
SELECT start, median FROM hour WHERE series_id = :series_id AND start >= :start AND start <= :end ORDER BY start;

-- name: hours_min
SELECT start, min FROM hour WHERE series_id = :series_id AND start >= :start AND start <= :end ORDER BY start;

-- name: hours_max
SELECT start, max FROM hour WHERE series_id = :series_id AND start >= :start AND start <= :end ORDER BY start;

-- name: members
SELECT member FROM series
WHERE signal = :signal AND EXISTS (SELECT 1 FROM hour WHERE hour.series_id = series.id) ORDER BY member;

-- name: summary
SELECT signal, member, SUM(count), origins,
  (SELECT MIN(time) FROM sample WHERE sample.series_id = series.id),
  (SELECT MAX(time) FROM sample WHERE sample.series_id = series.id)
FROM hour JOIN series ON series.id = hour.series_id
GROUP BY series.id, signal, member, origins ORDER BY signal, member;

-- name: add_ramp
INSERT INTO ramp (signal, name, made_at, body) VALUES (:signal, :name, :made_at, :body)
ON CONFLICT (signal, name, made_at) DO UPDATE SET body = excluded.body;

-- name: ramps
SELECT body FROM ramp ORDER BY made_at, signal, name;

-- name: add_note
INSERT INTO note (point, "trigger", text, source, at, made_at)
VALUES (:point, :trigger, :text, :source, :at, :made_at) RETURNING id;

-- name: notes
SELECT id, point, "trigger", text, source, at, made_at, withdrawn_at FROM note ORDER BY id;

-- name: note
SELECT id, point, "trigger", text, source, at, made_at, withdrawn_at FROM note WHERE id = :id;

-- name: withdraw_note
UPDATE note SET withdrawn_at = :at WHERE id = :id AND withdrawn_at IS NULL;

-- name: add_forecast
INSERT INTO forecast (point, "trigger", made_at, digest, body)
VALUES (:point, :trigger, :made_at, :digest, :body);

-- name: forecast_by_digest
SELECT point, "trigger", made_at, digest, body FROM forecast
WHERE point = :point AND "trigger" = :trigger AND digest = :digest ORDER BY made_at DESC, id DESC LIMIT 1;

-- name: forecasts
SELECT point, "trigger", made_at, digest, body FROM forecast ORDER BY made_at, id;

-- name: forecasts_of_point
SELECT point, "trigger", made_at, digest, body FROM forecast WHERE point = :point ORDER BY made_at, id;

-- name: add_record
INSERT INTO record (kind, point, made_at, digest, body) VALUES (:kind, :point, :made_at, :digest, :body)
ON CONFLICT (kind, point, digest) DO NOTHING;

-- name: record
SELECT id, kind, point, made_at, digest, body FROM record
WHERE kind = :kind AND point = :point AND digest = :digest;

-- name: records
SELECT id, kind, point, made_at, digest, body FROM record WHERE kind = :kind ORDER BY id;

-- name: add_delivery
INSERT INTO delivery (key, message, created_at, due, attempts, reason) VALUES (:key, :message, :at, :at, 0, '')
ON CONFLICT (key) DO NOTHING;

-- name: pending_deliveries
SELECT key, message, created_at, due, attempts, reason FROM delivery
WHERE delivered_at IS NULL AND due <= :at ORDER BY created_at, id;

-- name: mark_delivered
UPDATE delivery SET delivered_at = :at WHERE key = :key AND delivered_at IS NULL;

-- name: mark_failed
UPDATE delivery SET reason = :reason, due = :due, attempts = :attempts WHERE key = :key AND delivered_at IS NULL;

-- name: put_memory
INSERT INTO source_memory (source, key, content) VALUES (:source, :key, :content)
ON CONFLICT (source, key) DO UPDATE SET content = excluded.content;

-- name: memory
SELECT content FROM source_memory WHERE source = :source AND key = :key;
