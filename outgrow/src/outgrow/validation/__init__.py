"""Whether a finished move did what it was made for: load, parity, improvement, readiness.

In: what was measured and found, as plain values and records of ``evidence``. Out: a ``Check`` for each of the four,
with its evidence: ok, not ok, or cannot tell, and never ok on too little. Pure: ``outgrow.validating`` measures, asks
and reads. Knows ``migration`` and what lies below it.
"""
