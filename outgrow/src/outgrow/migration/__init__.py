"""The move of one thing, tenant by tenant: where each tenant is in it, and what is to be done next.

In: a migration, one tenant's row, and what was observed of it, as frozen records. Out: the next command for one tenant,
and the row after it was carried out. Level-triggered: nothing is remembered but the rows, so that any process, of this
version or a later one, goes on from where the last one ended. Pure: no I/O, no clock; who carries commands out is
``outgrow.migrating``. Knows ``quantities`` and ``errors``.
"""

from outgrow.migration.transitions import advanced, is_over, next_command, truth_of

__all__ = ["advanced", "is_over", "next_command", "truth_of"]
