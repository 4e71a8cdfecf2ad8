"""The only way to PostgreSQL: every statement runs in a scope, and a scope belongs to one venture or to none.

In: settings (addresses of the database) and statements with named parameters. Out: rows, as tuples or as the structs
asked for. Two schemas are the declaration of what belongs where: `regional` (a venture's own, guarded by row-level
security and reached only inside `Database.venture`) and `global` (people, plans, the directory; opaque ids only).
Knows no other room.
"""
