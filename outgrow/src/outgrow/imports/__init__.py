"""What was measured before outgrow came, or beside it: history, ramps of load tests, evidence, a repository's changes.

In: paths, and what their content is to be taken for. Out: ``Series``, ``Ramp`` and ``Evidence`` of files read as a
whole; a broken file is refused with its line. Knows ``ports`` and what lies below it.
"""
