"""Measures the options of a point side by side.

In: an experiment, what is declared of it, the ledger. Out: a ``Proof``, its evidence kept in the ledger. Every complete
round is durable when it ends: after an interruption, a crash or a kill the next ``prove`` of the same comparison goes
on where it ended. Nothing of what a ratio will be is told meanwhile, so that nobody can stop when it looks best.
"""

from outgrow.proving.keeping import GO_ON_SECONDS
from outgrow.proving.records import FEW_REQUESTS, Asked, Ending, Phase, Proof, Step, machine, runs_of
from outgrow.proving.run import MEMORY, prove, rounds_kept

__all__ = [
    "FEW_REQUESTS",
    "GO_ON_SECONDS",
    "MEMORY",
    "Asked",
    "Ending",
    "Phase",
    "Proof",
    "Step",
    "machine",
    "prove",
    "rounds_kept",
    "runs_of",
]
