-- The roles and the database, for a PostgreSQL (16 or newer) that is looked after elsewhere. Once, as a superuser:
--   OWNER_PASSWORD=… APP_PASSWORD=… psql -v ON_ERROR_STOP=1 -f ventures.roles.sql
\getenv owner_password OWNER_PASSWORD
\getenv app_password APP_PASSWORD
SET password_encryption = 'scram-sha-256';
CREATE ROLE ventures_owner LOGIN PASSWORD :'owner_password'
    NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
CREATE ROLE ventures_app LOGIN PASSWORD :'app_password'
    NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
CREATE ROLE ventures_runner NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
GRANT ventures_runner TO ventures_app WITH INHERIT FALSE, SET TRUE;
CREATE DATABASE ventures OWNER ventures_owner;
REVOKE ALL ON DATABASE ventures FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE ventures TO ventures_app;
\connect ventures
-- pgvector, for vectors. The mark on the match of words lets row-level security look them up in an index; after a move to
-- another server or pg_upgrade set it again (ventures doctor says where it is missing).
CREATE EXTENSION vector SCHEMA public;
ALTER FUNCTION pg_catalog.ts_match_vq(tsvector, tsquery) LEAKPROOF;
