"""What was measured before outgrow came, or beside it: files of history, ramps of load tests, a repository's changes.

In: paths, and what their content is to be taken for. Out: ``Series`` and ``Ramp`` whose files were read as a whole; a
broken file is refused with its line. Knows ``ports`` and what lies below it.
"""
