"""Statements of tenancy. An account is an opaque id here; names a member goes by belong to the venture."""

from typing import LiteralString

ROLE: LiteralString = """
SELECT role FROM membership WHERE venture = %(venture)s AND account = %(account)s AND left_at IS NULL"""

FOUND: LiteralString = """
INSERT INTO profile (venture, name, zone, founded_by, founded_at, version)
VALUES (%(venture)s, %(name)s, %(zone)s, %(account)s, %(at)s, 1)"""

JOIN: LiteralString = """
INSERT INTO membership (venture, account, role, display_name, joined_at, version)
VALUES (%(venture)s, %(account)s, %(role)s, %(display_name)s, %(at)s, 1)
ON CONFLICT (venture, account) DO UPDATE
SET role = excluded.role, display_name = excluded.display_name, joined_at = excluded.joined_at, left_at = NULL,
    version = membership.version + 1"""

PROFILE: LiteralString = """
SELECT venture, name, zone, founded_by, founded_at, version FROM profile
WHERE venture = %(venture)s AND deleted_at IS NULL"""
