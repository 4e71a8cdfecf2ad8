"""Moves that are disturbed while an application writes: kills, faults, and whether anything acknowledged was lost.

    python -m benchmarks.faults [--count 1000] [--seed 1] [--batch 50] [--state FILE] [--minutes 8]

Everything is real and runs as processes of their own: PostgreSQL, a store of points on Qdrant Edge behind a socket,
writers that follow ``outgrow.routing`` and note each write before and after, and ``outgrow migrate``, verb by verb.
Knows ``outgrow`` and takes its PostgreSQL from ``ventures.database``.
"""
