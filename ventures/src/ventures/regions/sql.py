"""Every statement on the directory."""

from typing import LiteralString

REGISTER: LiteralString = """
INSERT INTO global.venture_directory (venture, region, created_by, created_at)
VALUES (%(venture_id)s, %(region)s, %(account)s, %(at)s)
ON CONFLICT (venture) DO NOTHING
"""

HOME: LiteralString = """
SELECT region FROM global.venture_directory WHERE venture = %(venture_id)s AND deleted_at IS NULL
"""

CLOSE: LiteralString = """
UPDATE global.venture_directory SET deleted_at = %(at)s
WHERE venture = %(venture_id)s AND (deleted_at IS NULL OR deleted_at > %(at)s)
"""

# The newest place in the venture's log wins, whenever it is told.
PUT_MEMBER: LiteralString = """
INSERT INTO global.directory_member AS held (account, venture, seq, gone)
VALUES (%(account)s, %(venture_id)s, %(seq)s, %(gone)s)
ON CONFLICT (account, venture) DO UPDATE SET seq = excluded.seq, gone = excluded.gone
WHERE held.seq < excluded.seq
"""

VENTURES_OF: LiteralString = """
SELECT directory.venture, directory.region
FROM global.directory_member AS member JOIN global.venture_directory AS directory ON directory.venture = member.venture
WHERE member.account = %(account)s AND NOT member.gone AND directory.deleted_at IS NULL
  AND (%(after)s::uuid IS NULL OR member.venture > %(after)s::uuid)
ORDER BY member.venture
LIMIT %(most)s
"""

BELONGS: LiteralString = """
SELECT 1 FROM global.directory_member AS member JOIN global.venture_directory AS directory
    ON directory.venture = member.venture
WHERE member.account = %(account)s AND member.venture = %(venture_id)s AND NOT member.gone
  AND directory.deleted_at IS NULL
"""

FOUNDED_BY: LiteralString = """
SELECT venture FROM global.venture_directory
WHERE created_by = %(account)s AND deleted_at IS NULL ORDER BY venture LIMIT %(most)s
"""
