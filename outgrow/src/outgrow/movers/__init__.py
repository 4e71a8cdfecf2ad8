"""What moves tenants: adapters of ``outgrow.ports.Store`` and ``Filling``.

In: settings from the declared file. Out: two stores of one form between which ``outgrow migrate`` carries tenants.
``outgrow.testing.StoreContract`` holds for each. Knows ``ports`` and the rooms before it.

Two families, from what people declare down to what it rests on:

* ``kind: sql-table``, the form ``rows``: ``sql_table`` (the mover and its stores); ``sql_shape`` (what a table is, its
  keys, which two fit), ``sql_rows`` (rows as items), ``sql_blocks`` (pages that go whole), ``sql_writing`` (how rows
  are put), ``registering`` (triggers that register an application's writes).
* ``kind: points``, the form ``points``: ``points`` (the mover, and the stores by kind); ``qdrant`` and ``qdrant_edge``,
  which drive ``point_store`` (what both share: gates, tombstones) with ``point_layout`` (where tenants lie) and
  ``point_ids``; ``pgvector``, by itself; ``bodies`` (the form itself).

``postgresql`` (sessions, gates, sentences) serves both: ``sql_table`` and ``pgvector``.
"""
