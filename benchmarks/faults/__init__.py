"""Moves that are disturbed while an application writes: kills, faults, and whether anything acknowledged was lost.

    python -m benchmarks.faults [--count 1000] [--seed 1] [--batch 50] [--kind index] [--state FILE] [--minutes 8]

Everything is real and runs as processes of their own: PostgreSQL, a store of points on Qdrant Edge behind a socket,
writers that follow ``outgrow.routing`` and note each write before and after, and ``outgrow migrate``, verb by verb.
A third kind, beside rows and points that the tool copies, is the platform itself: ``ventures serve``, people who write
through its API, and its index, which moves from layout to layout (``platform``). Each part goes on where it stopped.
Knows ``outgrow`` and ``ventures``.
"""
