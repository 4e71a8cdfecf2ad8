"""Statements of tenancy. An account is an opaque id here; names a member goes by belong to the venture."""

from typing import LiteralString

# One row wherever the venture exists; its first column is null for who is no member.
STANDING: LiteralString = """
SELECT m.role, p.deleted_at IS NOT NULL
FROM profile p
LEFT JOIN membership m ON m.venture = p.venture AND m.account = %(account)s AND m.left_at IS NULL
WHERE p.venture = %(venture)s"""

FOUND: LiteralString = """
INSERT INTO profile (venture, name, zone, founded_by, founded_at, version)
VALUES (%(venture)s, %(name)s, %(zone)s, %(account)s, %(at)s, 1)"""

CHANGE_PROFILE: LiteralString = """
UPDATE profile SET name = %(name)s, zone = %(zone)s, version = version + 1 WHERE venture = %(venture)s"""

DELETE_PROFILE: LiteralString = """
UPDATE profile SET deleted_at = %(at)s, version = version + 1 WHERE venture = %(venture)s"""

PROFILE: LiteralString = """
SELECT venture, name, zone, founded_by, founded_at, version FROM profile
WHERE venture = %(venture)s AND deleted_at IS NULL"""

JOIN: LiteralString = """
INSERT INTO membership (venture, account, role, display_name, joined_at, version)
VALUES (%(venture)s, %(account)s, %(role)s, %(display_name)s, %(at)s, 1)
ON CONFLICT (venture, account) DO UPDATE
SET role = excluded.role, display_name = excluded.display_name, joined_at = excluded.joined_at, left_at = NULL,
    version = membership.version + 1"""

CHANGE_ROLE: LiteralString = """
UPDATE membership SET role = %(role)s, version = version + 1
WHERE venture = %(venture)s AND account = %(account)s"""

LEAVE: LiteralString = """
UPDATE membership SET left_at = %(at)s, version = version + 1
WHERE venture = %(venture)s AND account = %(account)s"""

MEMBER: LiteralString = """
SELECT account, display_name, role, joined_at, version FROM membership
WHERE venture = %(venture)s AND account = %(account)s AND left_at IS NULL"""

MEMBERS: LiteralString = """
SELECT account, display_name, role, joined_at, version FROM membership
WHERE venture = %(venture)s AND left_at IS NULL AND (%(after)s::uuid IS NULL OR account > %(after)s::uuid)
ORDER BY account LIMIT %(limit)s"""

COUNT_MEMBERS: LiteralString = """
SELECT count(*), count(*) FILTER (WHERE role = 'owner') FROM membership
WHERE venture = %(venture)s AND left_at IS NULL"""

MAKE_INVITE: LiteralString = """
INSERT INTO invite (venture, id, digest, role, label, made_by, made_at, expires_at, version)
VALUES (%(venture)s, %(invite)s, %(digest)s, %(role)s, %(label)s, %(made_by)s, %(at)s, %(expires_at)s, 1)"""

ACCEPT_INVITE: LiteralString = """
UPDATE invite SET accepted_by = %(account)s, accepted_at = %(at)s, version = version + 1
WHERE venture = %(venture)s AND id = %(invite)s"""

REVOKE_INVITE: LiteralString = """
UPDATE invite SET revoked_at = %(at)s, version = version + 1 WHERE venture = %(venture)s AND id = %(invite)s"""

INVITE: LiteralString = """
SELECT id, role, label, made_by, made_at, expires_at, accepted_by, accepted_at, revoked_at, version FROM invite
WHERE venture = %(venture)s AND id = %(invite)s"""

INVITE_OF_DIGEST: LiteralString = """
SELECT id, role, label, made_by, made_at, expires_at, accepted_by, accepted_at, revoked_at, version FROM invite
WHERE venture = %(venture)s AND digest = %(digest)s"""

INVITES: LiteralString = """
SELECT id, role, label, made_by, made_at, expires_at, accepted_by, accepted_at, revoked_at, version FROM invite
WHERE venture = %(venture)s AND (%(before)s::uuid IS NULL OR id < %(before)s::uuid)
ORDER BY id DESC LIMIT %(limit)s"""

OPEN_INVITES: LiteralString = """
SELECT count(*) FROM invite
WHERE venture = %(venture)s AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > %(at)s"""
