"""One runnable file a claim; results beside it, with the command that made them.

Nothing here is part of the package: benchmarks know the package, and the package does not know them.
"""
